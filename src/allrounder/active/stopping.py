"""When to stop asking: what further labels would change, and what they would gain."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.optimize import curve_fit
from sklearn.metrics import cohen_kappa_score

from allrounder.active.audit import LEAST, Court

STEP = 50
"""Labels between the two models that are compared."""

LOOKED_AT = 2000
"""Records without a label on which they are compared."""

PARTS = (1 / 8, 1 / 4, 1 / 2, 3 / 4, 1)
"""Shares of the labels that a learning curve is drawn through."""

REPEATS = 3


@dataclass(frozen=True)
class Outlook:
    """What another batch of labels would bring to a task.

    Args:
        labels: how many there are.
        kappa: how far the models before and after the last `STEP` labels agree.
        bound: how much F changed by them at most; None where that says nothing.
        score: the score now, on labels that nobody chose; None where these are too few.
        doubled: the score expected with twice as many labels.
        low: the lower end of what is expected, over curves through resampled labels.
        high: the upper end.
    """

    labels: int
    kappa: float | None = None
    bound: float | None = None
    score: float | None = None
    doubled: float | None = None
    low: float | None = None
    high: float | None = None


def outlook(court: Court, history: Sequence[int], free: np.ndarray, *, seed: int = 0) -> Outlook:
    """Return what further labels of a task would change and gain.

    Args:
        court: the task and its labels.
        history: places of training records with a label, in the order in which they came.
        free: places without one.
        seed: of samples.
    """
    places = np.array(history, dtype=np.int64)
    return Outlook(len(places), *agreement(court, places, free), *_forecast(court, places, seed))


def agreement(court: Court, places: np.ndarray, free: np.ndarray) -> tuple[float | None, ...]:
    """Return how far the models before and after the last labels agree, and what that bounds.

    Where two models agree with a kappa of T on unlabelled records, F of both differs by at most
    4 (1 − T) / T (Bloodgood and Grothendieck 2013).
    """
    if len(places) < STEP + LEAST or not len(free) or not hasattr(court.task, "labels"):
        return None, None
    some = free[:LOOKED_AT]
    before, after = (court.answers(part, some) for part in (places[:-STEP], places))
    found = kappa(_decisions(court, before), _decisions(court, after))
    return round(found, 6), round(4 * (1 - found) / found, 6) if found > 0 else None


def _decisions(court: Court, answers: Sequence[Any]) -> list[Any]:
    """Return one label a record, or for several labels whether it has each."""
    if not isinstance(answers[0], list):
        return list(answers)
    names = sorted({label for value in court.labels.values() for label in value})
    return [name in answer for answer in answers for name in names]


def kappa(one: Sequence[Any], other: Sequence[Any]) -> float:
    """Return Cohen's kappa (1960); 1 where both say one and the same thing throughout."""
    pair = list(map(str, one)), list(map(str, other))
    return 1.0 if len({*pair[0], *pair[1]}) == 1 else float(cohen_kappa_score(*pair))


def _forecast(court: Court, places: np.ndarray, seed: int) -> tuple[float | None, ...]:
    """Return the score now and that expected with twice as many labels, with an interval.

    A power law score(n) = a − b · n^(−c) is laid through scores of heads on parts of the labels.
    """
    if len(court.judged) < LEAST or len(places) < 4 * LEAST:
        return None, None, None, None
    rng = np.random.default_rng(seed)
    now, ends = court.score(places), []
    for _ in range(REPEATS):
        mixed = rng.permutation(places)
        sizes = np.array([max(2, round(part * len(mixed))) for part in PARTS])
        scores = np.array([court.score(mixed[:size]) for size in sizes])
        ends.append(max(now, law(sizes, scores, 2 * len(mixed))))
    return tuple(round(float(v), 6) for v in (now, np.mean(ends), min(ends), max(ends)))


def law(sizes: np.ndarray, scores: np.ndarray, at: float) -> float:
    """Return a − b · n^(−c) at a size, fitted to scores of others; the last score if none fits."""

    def power(n: np.ndarray, a: float, b: float, c: float) -> np.ndarray:
        return a - b * n ** (-c)

    wide, top = float(np.ptp(scores)), float(scores.max())
    limits = ([-np.inf, 0, 0.01], [top + wide + 1e-3, np.inf, 3])
    try:
        found, _ = curve_fit(power, sizes, scores, (top, wide + 1e-3, 0.5), bounds=limits)
    except (RuntimeError, ValueError):
        return float(scores[-1])
    return float(power(np.array(at), *found))
