"""Does a task that waits in vain for a few steps stop too early where labels are few.

Rated sentences, three tasks of one model (rating, polarity, domain), MiniLM tuned whole; 50, 100
and 200 labelled records, of which a fifth chooses the snapshot, drawn anew by every seed; judged on
1,500 test sentences of other documents. With 40 to 160 records to learn from an epoch is 2 to 5
steps, so `patience: 3`, counted in epochs, is over after 6 to 15 steps. What differs is
`training.patience_steps`: 0, by which only epochs count, and the default.

Default size: five seeds, two at a time on a core each, some ten minutes; --full: ten.
"""

import multiprocessing
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from typing import Any

import numpy as np
import torch
from common import MINILM, arguments, keep, mean_interval, remembered, scratch, trained, write_jsonl
from pretraining import TASKS, rows_of, sections

SIZES = (50, 100, 200)
STEPS = (0, 100)
EPOCHS = 20
NUM_TEST = 1_500


def cell(size: int, seed: int, steps: int) -> dict[str, Any]:
    """Return the test scores of one training, in a process of its own."""
    torch.set_num_threads(1)
    return remembered("few_labels", f"{size}-{seed}-{steps}", lambda: _judged(size, seed, steps))


def _judged(size: int, seed: int, steps: int) -> dict[str, Any]:
    train, _, test = rows_of("rated")
    drawn = np.random.default_rng([seed, size]).permutation(len(train))[:size]
    some, folder = [train[at] for at in drawn], scratch()
    write_jsonl(folder / "validation.jsonl", some[: size // 5])
    write_jsonl(folder / "train.jsonl", some[size // 5 :])
    write_jsonl(folder / "test.jsonl", test[:NUM_TEST])
    training = {"epochs": EPOCHS, "lr": 1e-4, "probe": False, "seed": seed, "patience_steps": steps}
    began = time.perf_counter()
    _, report = trained(sections("rated", MINILM, training=training), folder)
    found = {name: one.metrics[one.decides].after.value for name, one in report.tasks.items()}
    return {**found, "seconds": time.perf_counter() - began}


def gains(found: Mapping[int, Sequence[Mapping[str, float]]], task: str) -> list[float]:
    """Return what waiting gains, seed by seed, in points."""
    few, many = ([100 * one[task] for one in found[steps]] for steps in STEPS)
    return [late - early for early, late in zip(few, many, strict=True)]


def main() -> None:
    """Train, and keep the page."""
    seeds = range(10 if arguments(__doc__ or "").full else 5)
    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn")) as pool:
        jobs = {(n, steps, s): pool.submit(cell, n, s, steps)
                for n in SIZES for steps in STEPS for s in seeds}  # fmt: skip
        done = {case: job.result() for case, job in jobs.items()}
    rows = [["labelled records", "task", *(f"patience_steps {one}" for one in STEPS), "gain",
             "seconds"]]  # fmt: skip
    for size in SIZES:
        found = {steps: [done[size, steps, s] for s in seeds] for steps in STEPS}
        seconds = [f"{np.mean([one['seconds'] for one in found[steps]]):.0f}" for steps in STEPS]
        for task in TASKS["rated"]:
            scores = [mean_interval([100 * one[task] for one in found[steps]]) for steps in STEPS]
            rows.append([str(size), task, *scores, mean_interval(gains(found, task)),
                         " → ".join(seconds)])  # fmt: skip
    keep("few_labels", "Few labels: how long a task waits", rows, NOTES)


NOTES = [
    "Points: R² of the rating, accuracy of polarity and domain. ± is half of a 95 % interval over "
    "the seeds, of gains over pairs of trainings that differ in nothing else.",
    f"{EPOCHS} epochs, lr 1e-4; a fifth of the labelled records chooses the snapshot.",
    "Seconds of a whole training on one core, judging included.",
    "100 steps were set before this was run; seen before were four seeds of 100 records, without "
    "and with a patience that never ends.",
]

if __name__ == "__main__":
    main()
