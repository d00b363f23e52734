"""A model tuned to write records: trained like any other, by one task of kind `generation`."""

import hashlib
import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from torch import Tensor

from allrounder.checking import load_records
from allrounder.judging import job_of
from allrounder.model import Answerer, Model, Prepared
from allrounder.model.tensors import load_tensors, save_tensors
from allrounder.plan import Plan, make_plan
from allrounder.runs import Run, write_text
from allrounder.synthesis.authored import Authored, Pair
from allrounder.synthesis.material import Author
from allrounder.training.course import train
from allrounder.training.job import Job, fill, kept_chance

WEIGHTS = "author.safetensors"
ASKED, TEXT = "asked", "text"
HELD_OUT = 0.1
"""The share of the texts that are not learned from but decide when to stop."""

LAST = "the decoder that was pretrained last"

Tell = Callable[[str, float, float, str], None]


def open_author(
    folder: Path, model: str, settings: Authored, pairs: Sequence[Pair], *, tell: Tell
) -> Author:
    """Tune a model to write, or open what was tuned on the same before.

    Where tuning was stopped it goes on.

    Args:
        folder: where tuned models are kept.
        model: the folder of the model.
        settings: how it is tuned, and how it writes.
        pairs: what it is asked, and what it is to write then.
        tell: called as it goes on.
    """
    told = json.dumps([model, settings.mark, list(pairs)], ensure_ascii=False)
    home = folder / hashlib.blake2b(told.encode(), digest_size=8).hexdigest()
    home.mkdir(parents=True, exist_ok=True)
    plan = _plan(home, model, settings, pairs)
    stages = {"train": "tune the writing model"}
    job = job_of(
        plan,
        load_records(plan, trains=False),
        Run(home, {}),
        lambda stage, *more: tell(stages.get(stage, stage), *more),
    )
    with kept_chance():
        job = job.learned()
        net = job.model(dropout=job.settings.dropout)
        weights, about = _tuned(home, job, net)
    fill(net, weights)
    note = (
        f"Kind {settings.kind_name()} wrote by {settings.model or LAST}, tuned on "
        f"{about['pairs']:,} pairs: {about['bits']:.2f} bits for a character of "
        f"{about['held_out']:,} held out."
    )
    return Author(note=note, write=_Pen(net.eval()).write)


def _plan(home: Path, model: str, settings: Authored, pairs: Sequence[Pair]) -> Plan:
    """Write what is learned from beside the project of the tuning; no text is held out in part."""
    texts = sorted({text for _, text in pairs})
    drawn = np.random.default_rng(settings.seed).permutation(len(texts))
    held = {texts[at] for at in drawn[: max(1, round(HELD_OUT * len(texts)))]}
    for split in ("validation", "train"):
        rows = [{ASKED: asked, TEXT: text} for asked, text in pairs
                if (text in held) == (split == "validation")]  # fmt: skip
        lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        write_text(home / f"{split}.jsonl", lines)
    reading = {"kind": "text", "model": model, "tune": settings.tune}
    writing = {"temperature": settings.temperature, "top_p": settings.top_p}
    sections = {
        "sources": [{"path": f"{n}.jsonl", "split": n} for n in ("train", "validation")],
        "inputs": {ASKED: {**reading, "max_tokens": settings.max_tokens}},
        "tasks": {TEXT: {"kind": "generation", "max_tokens": settings.max_tokens, **writing}},
        "training": {"epochs": settings.epochs, "lr": settings.lr, "seed": settings.seed},
    }
    return make_plan(sections, folder=home)


def _tuned(home: Path, job: Job, model: Model) -> tuple[Mapping[str, Tensor], Any]:
    """Return the weights that learned, and what is to be known of them."""
    path = home / WEIGHTS
    if not path.exists():
        keeper, course = train(job, model, job.prepared(model), resume=True)
        counts = {split: len(job.rows(split)) for split in ("train", "validation")}
        scores = [row["validation"][TEXT] for row in course.history if row["validation"]]
        about = {
            "pairs": counts["train"],
            "held_out": counts["validation"],
            "bits": min(one[job.tasks[TEXT].decides] for one in scores),
        }
        save_tensors(path, keeper.weights(keeper.best[TEXT]), about)
    for left in ("steps", ".allrounder"):
        shutil.rmtree(home / left, ignore_errors=True)
    (home / "checkpoint.safetensors").unlink(missing_ok=True)
    return load_tensors(path)


class _Pen:
    """Writes by a tuned model."""

    def __init__(self, model: Model) -> None:
        self.model = model
        self.answerer = Answerer([(model, [TEXT])], {})

    def write(self, asked: Sequence[str], seed: int) -> list[tuple[str, bool]]:
        """Return a text for each that is asked, and whether it came to its end."""
        self.model.heads[TEXT].seed = seed  # type: ignore[assignment]
        prepared = Prepared.of(self.model, {ASKED: pa.array(asked, pa.string())})
        found = self.answerer.answers(prepared, np.arange(len(asked)))
        return [(one[TEXT]["text"], one[TEXT]["finished"]) for one in found]
