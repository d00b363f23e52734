"""Labels that are likely wrong: what heads that never saw a record say against its label.

The labelled records are cut into folds, and each fold is answered by a head that learned from the
others. How many labels are wrong is estimated by confident learning (Northcutt, Jiang and Chuang
2021): a record speaks for a label where that is at least as likely as it is, on average, for the
records that carry it; of several such labels the likeliest counts, and the joint of given and
spoken labels says how many differ. That many are doubtful: those of which another label is likelier
than the given one by the most, as odds.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from allrounder.active.learner import Learner
from allrounder.tasks import Task

FOLDS = 5

LEAST = 50
"""Labels of a task below which nothing is said of it."""

FEWEST = 5
"""Records with a label below which that label is not doubted: heads hardly know it."""

FAR = 3.5
"""Modified z-score from which a number is an outlier (Iglewicz and Hoaglin 1993)."""

MAD = 0.6745
"""The median absolute deviation of a normal distribution with a standard deviation of 1."""


@dataclass(frozen=True)
class Doubt:
    """A label that is likely wrong.

    Args:
        at: the record, as a place among those that were looked at.
        given: its label.
        other: what heads say instead.
        sure: how sure that is, from 0 to 1: p(other) / (p(other) + p(given)) for names, 1 − FAR / z
            for numbers of a modified z-score of z.
    """

    at: int
    given: Any
    other: Any
    sure: float


@dataclass(frozen=True)
class Doubted:
    """What is doubtful of a task, the surest first.

    Args:
        labels: how many were looked at.
        errors: how many are wrong by estimate: what the joint of given and true labels says; None
            of numbers and of sets of labels.
        agreed: the share of labels that heads give too; None of numbers. Where it is low, most
            doubts are errors of the heads.
        doubts: the records, each once.
    """

    labels: int
    errors: float | None
    agreed: float | None
    doubts: list[Doubt]


def doubted(task: Task, vectors: np.ndarray, labels: Sequence[Any], *, seed: int = 0) -> Doubted:
    """Return what is doubtful of the labels of a task that reads one vector a record.

    Args:
        task: the task.
        vectors: of its labelled records, all of different content: [n, D].
        labels: theirs.
        seed: of the folds.
    """
    learned = Learner.learned(task, labels)
    folds = folds_of(labels, seed)
    if learned.speaks == "number":
        return _of_numbers(learned, vectors, labels, folds)
    names = list(getattr(learned, "labels", None) or [])
    chances = out_of_fold(learned, vectors, labels, folds)
    if learned.speaks == "labels":
        return _of_several(names, chances, labels)
    given = np.array([names.index(one) for one in labels])
    other, sure, errors = confident(chances[0], given)
    agreed = float((chances[0].argmax(axis=1) == given).mean())
    return Doubted(len(labels), errors, agreed, _sorted(
        Doubt(int(at), labels[at], names[other[at]], float(sure[at]))
        for at in np.flatnonzero(other != given)
    ))  # fmt: skip


def out_of_fold(
    task: Task, vectors: np.ndarray, labels: Sequence[Any], folds: np.ndarray
) -> list[np.ndarray]:
    """Return how likely options are by heads that did not see the record: a table a decision."""
    tables: list[np.ndarray] = []
    for fold in range(FOLDS):
        out = np.flatnonzero(folds == fold)
        head = _head(task, vectors, labels, folds != fold)
        for number, some in enumerate(head.chances(vectors[out])):
            if number == len(tables):
                tables.append(np.zeros((len(labels), some.shape[1])))
            tables[number][out] = some
    return tables


def confident(chances: np.ndarray, given: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
    """Return the likelier option of doubtful records, how sure it is, and how many are wrong.

    The estimate says how many are doubtful. Other records keep the option that they carry.

    Args:
        chances: how likely each option is, by heads that did not see the record: [n, O].
        given: the option that each record carries: [n].
    """
    n, size = chances.shape
    counts = np.bincount(given, minlength=size)
    own = chances[np.arange(n), given]
    levels = np.bincount(given, own, size) / np.maximum(counts, 1)
    levels[counts < FEWEST] = np.inf
    speaks = np.where(chances >= levels, chances, -1.0)
    best = speaks.argmax(axis=1)
    has = speaks.max(axis=1) >= 0
    joint = np.zeros((size, size))
    np.add.at(joint, (given[has], best[has]), 1)
    rows = joint.sum(axis=1)
    wrong = np.divide(rows - joint.diagonal(), rows, out=np.zeros(size), where=rows > 0)
    errors = float((wrong * counts)[counts >= FEWEST].sum())
    likeliest = chances.argmax(axis=1)
    top = chances[np.arange(n), likeliest]
    sure = np.divide(top, top + own, out=np.full(n, 0.5), where=top > 0)
    may = np.flatnonzero((likeliest != given) & (counts[given] >= FEWEST))
    surest = may[np.argsort(-sure[may], kind="stable")][: round(errors)]
    other = given.copy()
    other[surest] = likeliest[surest]
    return other, sure, errors


def _of_several(
    names: Sequence[str], chances: Sequence[np.ndarray], labels: Sequence[Sequence[str]]
) -> Doubted:
    """Return what is doubtful of sets of labels: every label is a decision of its own."""
    turned: dict[int, list[tuple[str, float]]] = {}
    same = np.ones(len(labels), dtype=bool)
    for name, table in zip(names, chances, strict=True):
        given = np.array([name in one for one in labels], dtype=np.int64)
        other, sure, _ = confident(table, given)
        same &= table.argmax(axis=1) == given
        for at in np.flatnonzero(other != given).tolist():
            turned.setdefault(at, []).append((name, float(sure[at])))
    found = []
    for at, names_turned in turned.items():
        turn = {name for name, _ in names_turned}
        other = [name for name in names if (name in labels[at]) != (name in turn)]
        found.append(Doubt(at, labels[at], other, max(sure for _, sure in names_turned)))
    return Doubted(len(labels), None, float(same.mean()), _sorted(found))


def _of_numbers(
    task: Task, vectors: np.ndarray, labels: Sequence[float], folds: np.ndarray
) -> Doubted:
    """Return numbers that are far from what heads say, measured by how far all are."""
    said = np.zeros(len(labels))
    for fold in range(FOLDS):
        out = np.flatnonzero(folds == fold)
        said[out] = _head(task, vectors, labels, folds != fold).answers(vectors[out])
    away = np.array(labels, dtype=float) - said
    middle = np.median(away)
    spread = np.median(np.abs(away - middle))
    far = np.abs(away - middle) * MAD / spread if spread else np.zeros(len(away))
    return Doubted(len(labels), None, None, _sorted(
        Doubt(int(at), labels[at], round(float(said[at]), 4), float(1 - FAR / far[at]))
        for at in np.flatnonzero(far > FAR)
    ))  # fmt: skip


def _head(task: Task, vectors: np.ndarray, labels: Sequence[Any], among: np.ndarray) -> Learner:
    return Learner.fit(task, vectors[among], [labels[at] for at in np.flatnonzero(among)])


def folds_of(labels: Sequence[Any], seed: int) -> np.ndarray:
    """Return the fold of each record: every label is dealt out over all of them."""
    mixed = np.random.default_rng(seed).permutation(len(labels))
    order = sorted(mixed.tolist(), key=lambda at: str(labels[at]))
    folds = np.empty(len(labels), dtype=np.int64)
    folds[order] = np.arange(len(labels)) % FOLDS
    return folds


def _sorted(found: Any) -> list[Doubt]:
    return sorted(found, key=lambda one: (-one.sure, one.at))
