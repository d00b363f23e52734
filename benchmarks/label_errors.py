"""Are flipped labels found again: doubts beside cleanlab, least self-confidence and chance.

Of 4,000 texts, drawn anew for each seed, 5 % get a wrong label: any other one at random, or that
which heads confuse most with their own. Domain (4 labels) and polarity (2, so both ways are one) of
rated sentences, intent (77) of Banking77; vectors are those of MiniLM as it came. Every method is
given the same out-of-fold probabilities. What counts is how many of the first k records that a
method lists were flipped, k being the number of flipped ones, and the area under the ROC curve of
the whole list, records that are not listed tied at its end.
Default size: 3 seeds, about 4 minutes on 2 cores once the texts are read, which takes as long;
--full: 10 seeds.
"""

import os
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from multiprocessing import get_context
from typing import Any

import numpy as np
import torch
from active import SETS, vectors
from common import arguments, keep, mean_interval, remembered, scratch
from peer import Peer
from sklearn.metrics import roc_auc_score

from allrounder.active.doubts import confident, doubted, folds_of, out_of_fold
from allrounder.active.learner import Learner
from allrounder.active.vectors import Vectors
from allrounder.tasks import TASKS, Task

TEXTS = 4_000

SHARE = 0.05
"""Of the labels that are flipped."""

PEER = Peer("label-errors", "label_errors_peer.py", ["cleanlab==2.9.0"])

CASES = (("domain", "random"), ("domain", "confused"), ("polarity", "random"),
         ("intent", "random"), ("intent", "confused"))  # fmt: skip

SET_OF = {"domain": "sentences", "polarity": "sentences", "intent": "banking"}

METHODS = {
    "doubts": "Allrounder's doubts",
    "prune_by_noise_rate, self_confidence": "cleanlab, by self-confidence",
    "prune_by_noise_rate, normalized_margin": "cleanlab, by margin",
    "confident_learning, normalized_margin": "cleanlab, confident learning",
    "self_confidence": "least self-confidence",
    "chance": "chance",
}


@cache
def drawn(name: str, seed: int) -> tuple[Task, np.ndarray, list[str]]:
    """Return a task, the vectors of the texts that are drawn, and their labels."""
    found = SETS[SET_OF[name]]()
    rows = np.random.default_rng([seed, 1]).permutation(len(found.texts))[:TEXTS]
    labels = [found.labels[name][row] for row in rows]
    task = Learner.learned(TASKS.build("multiclass", at=f"tasks.{name}"), labels)
    return task, Vectors.of([vectors(SET_OF[name])])[rows], labels


def flipped(name: str, noise: str, seed: int) -> tuple[list[str], np.ndarray]:
    """Return labels of which some are wrong, and which those are."""
    task, table, labels = drawn(name, seed)
    rng, names = np.random.default_rng([seed, 2]), sorted(set(labels))
    places = rng.choice(len(labels), round(SHARE * len(labels)), replace=False)
    other = confused(task, table, labels, seed) if noise == "confused" else {}
    wrong = list(labels)
    for at in places.tolist():
        rest = [each for each in names if each != labels[at]]
        wrong[at] = other.get(labels[at]) or rest[rng.integers(len(rest))]
    return wrong, places


def confused(task: Task, table: np.ndarray, labels: Sequence[str], seed: int) -> dict[str, str]:
    """Return by label the other one that heads give most to records that carry it."""
    names = list(task.labels)  # type: ignore[attr-defined]
    (chances,) = out_of_fold(task, table, labels, folds_of(labels, seed))
    given = np.array([names.index(one) for one in labels])
    found = {}
    for number, one in enumerate(names):
        mean = chances[given == number].mean(axis=0)
        mean[number] = -1.0
        found[one] = names[int(mean.argmax())]
    return found


def cell(name: str, noise: str, seed: int) -> dict[str, Any]:
    """Return what every method finds, in a process of its own."""
    torch.set_num_threads(1)
    case = f"{name}-{noise}-{seed}"
    return remembered("label_errors", case, lambda: _found(name, noise, seed))


def _found(name: str, noise: str, seed: int) -> dict[str, Any]:
    task, table, _ = drawn(name, seed)
    labels, places = flipped(name, noise, seed)
    mine = doubted(task, table, labels, seed=seed)
    (chances,) = out_of_fold(task, table, labels, folds_of(labels, seed))
    names = list(task.labels)  # type: ignore[attr-defined]
    given = np.array([names.index(one) for one in labels])
    other, *_ = confident(chances, given)
    same = set(np.flatnonzero(other != given).tolist()) == {one.at for one in mine.doubts}
    assert same, "doubts come from the very probabilities that the others are given"
    by_chance = np.random.default_rng([seed, 3, CASES.index((name, noise))])
    listed = {
        "doubts": [one.at for one in mine.doubts],
        **cleanlab(chances, given),
        "self_confidence": np.argsort(chances[np.arange(len(given)), given], kind="stable"),
        "chance": by_chance.permutation(len(given)),
    }
    scores = {method: scored(some, places, len(given)) for method, some in listed.items()}
    return {**scores, "errors": mine.errors, "agreed": mine.agreed}


def cleanlab(chances: np.ndarray, given: np.ndarray) -> dict[str, list[int]]:
    """Return what cleanlab lists, by its ways to find and to rank."""
    folder = scratch()
    np.save(folder / "chances.npy", chances)
    job = {"chances": str(folder / "chances.npy"), "given": given.tolist()}
    return {line["name"]: line["answers"] for line in PEER.answered(job, folder)}


def scored(listed: Sequence[int] | np.ndarray, places: np.ndarray, n: int) -> dict[str, float]:
    """Return how good a list of some of n records is, in %."""
    order = np.asarray(listed, dtype=np.int64)
    hits = np.isin(order, places)
    first, k = hits[: len(places)], len(places)
    ranks = np.zeros(n)
    ranks[order] = np.arange(len(order), 0, -1)
    return {
        "area": 100 * float(roc_auc_score(np.isin(np.arange(n), places), ranks)),
        "listed": len(hits),
        "precision": 100 * float(first.mean()) if len(first) else 0.0,
        "whole": 100 * float(hits.sum()) / k,
    }


def measured(full: bool) -> dict[tuple[str, str], list[dict[str, Any]]]:
    """Return every case, by seed."""
    for name in SETS:
        vectors(name)
    PEER.python()
    seeds = range(10 if full else 3)
    workers = max(1, len(os.sched_getaffinity(0)))
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        jobs = {(case, s): pool.submit(cell, *case, s) for case in CASES for s in seeds}
        return {case: [jobs[case, s].result() for s in seeds] for case in CASES}


def main(full: bool) -> None:
    """Measure, and keep the page."""
    found = measured(full)
    k = round(SHARE * TEXTS)
    ranks = [["labels, flipped", "method", f"precision at {k}", "listed", "recall of all listed",
              "AUROC"]]  # fmt: skip
    heads = [["labels, flipped", "heads agree with the labels", "errors by estimate", "flipped"]]
    for case, runs in found.items():
        label = ", ".join(case)
        for method, shown in METHODS.items():
            told = [run[method] for run in runs]
            points = {what: mean_interval([one[what] for one in told]) for what in told[0]}
            is_whole = told[0]["listed"] == TEXTS
            ranks.append([label, shown, points["precision"],
                          "all" if is_whole else f"{np.mean([o['listed'] for o in told]):,.0f}",
                          "·" if is_whole else points["whole"], points["area"]])  # fmt: skip
        heads.append([label, mean_interval([100 * run["agreed"] for run in runs]),
                      mean_interval([run["errors"] for run in runs]), str(k)])  # fmt: skip
    seeds = f"{len(next(iter(found.values())))} seeds; ± is half of a 95 % interval over them."
    keep("label_errors", "Likely label errors", [ranks, heads], [*NOTES, seeds])


NOTES = [
    "Points. Recall at k is the same number wherever k records or more are listed, as here all "
    "methods do. AUROC is of the whole list, records that are not listed tied at its end.",
    "Errors by estimate are those of Allrounder's joint; cleanlab's has no part in them.",
    "Labels that were wrong before count as false alarms, so precision is rather too low; polarity "
    "is the sign of a mean rating, so labels near 0 are unsure.",
    "The peer is cleanlab 2.9.0, `find_label_issues` in its default way, ranked by self-confidence "
    "or by normalized margin, and by confident learning (Northcutt, Jiang and Chuang 2021), which "
    "was Allrounder's way until 2026-11-28.",
    "That doubts are ranked by odds was chosen by flips of seeds 100 to 102, which draw from the "
    "same texts; the seeds here had no part in it.",
    "Which label is confused most is told by heads of the same kind on the labels as they were.",
    "Not measured: errors that people make, several labels, numbers, other languages.",
]


if __name__ == "__main__":
    main(arguments(__doc__ or "").full)
