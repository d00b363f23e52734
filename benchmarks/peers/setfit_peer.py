"""Train SetFit on a job and write what it answers; runs in an environment of its own.

`python setfit_peer.py JOBS.json THREADS`: a list of jobs. Each names the encoder's folder, training
texts and labels, test texts, seed and `max_steps`. Everything else is SetFit's default: pairs of
all training texts, oversampled, one epoch at 2e-5 with batches of 16 pairs, then logistic
regression. Labels are words, or lists of 0 and 1 where a text may have several (`one-vs-rest`).
Prints one line of JSON a job: answers, answers of a second head with C = 100 on the same encoder,
seconds, version. By default C is 1, under which labels that few texts carry never pass one half.
"""

import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import datasets
import setfit
import torch


def answers(job: dict[str, Any]) -> dict[str, Any]:
    """Return SetFit's answer to every test text, and the seconds that training and answers took."""
    several = isinstance(job["labels"][0], list)
    strategy = {"multi_target_strategy": "one-vs-rest"} if several else {}
    model = setfit.SetFitModel.from_pretrained(job["model"], device="cpu", **strategy)
    with tempfile.TemporaryDirectory() as folder:
        arguments = setfit.TrainingArguments(
            output_dir=folder,
            seed=job["seed"],
            max_steps=job["max_steps"],
            report_to="none",
            save_strategy="no",
            show_progress_bar=False,
        )
        table = datasets.Dataset.from_dict({"text": job["texts"], "label": job["labels"]})
        trainer = setfit.Trainer(model=model, args=arguments, train_dataset=table)
        began = time.perf_counter()
        trainer.train()
        trained = time.perf_counter() - began
    said = {"answers": _asked(model, job)}
    model.model_head.set_params(**{"estimator__C" if several else "C": 100.0})
    model.model_head.fit(model.encode(job["texts"], show_progress_bar=False), job["labels"])
    return {**said, "loose": _asked(model, job), "seconds": trained, "version": setfit.__version__}


def _asked(model: Any, job: dict[str, Any]) -> list[Any]:
    found = model.predict(job["asked"], show_progress_bar=False)
    return found.tolist() if hasattr(found, "tolist") else [str(one) for one in found]


if __name__ == "__main__":
    torch.set_num_threads(int(sys.argv[2]))
    for job in json.loads(Path(sys.argv[1]).read_text("utf-8")):
        sys.stdout.write(json.dumps(answers(job)) + "\n")
        sys.stdout.flush()
