"""The metrics that a bootstrap asks for thousands of times, without what slows them down.

Each gives the number of the metric it stands for (a test holds that) in microseconds: counting
spans happens once a record, and scikit-learn's checks of its input do not happen. A metric that
is not in `QUICK` is computed as it is.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from allrounder.tasks import likeness, scoring


@dataclass(frozen=True)
class Quick:
    """A metric in two steps: `prepare` makes one row a record, `score` reads chosen rows."""

    prepare: Callable[[np.ndarray, np.ndarray], np.ndarray]
    score: Callable[[np.ndarray], float]


def _pairs(truths: np.ndarray, answers: np.ndarray) -> np.ndarray:
    return np.stack([truths, answers], axis=1)


def _rightness(truths: np.ndarray, answers: np.ndarray) -> np.ndarray:
    same = truths == answers
    return same.all(-1) if same.ndim > 1 else same


def _span_counts(truths: np.ndarray, answers: np.ndarray) -> np.ndarray:
    """Right, found and true spans of each record."""
    rows = [(len(t & a), len(a), len(t)) for t, a in zip(truths, answers, strict=True)]
    return np.array(rows, dtype=np.int64)


def _label_counts(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return per label how often both sides say it, and how often either does, added up."""
    if rows.ndim == 3:
        return rows.prod(1).sum(0), rows.sum((0, 1))
    size = int(rows.max()) + 1
    both = np.bincount(rows[rows[:, 0] == rows[:, 1], 0], minlength=size)
    return both, np.bincount(rows.ravel(), minlength=size)


def _macro_f1(rows: np.ndarray) -> float:
    both, either = _label_counts(rows)
    if rows.ndim == 2:  # like scikit-learn: of single labels only those present count
        both, either = both[either > 0], either[either > 0]
    return float((2 * both / np.maximum(either, 1)).mean())


def _micro_f1(rows: np.ndarray) -> float:
    both, either = _label_counts(rows)
    return float(2 * both.sum() / max(either.sum(), 1))


def _span_f1(rows: np.ndarray) -> float:
    right, found, true = rows.sum(0).tolist()
    return 2 * right / (found + true) if found + true else 1.0


def _span_precision(rows: np.ndarray) -> float:
    right, found, _ = rows.sum(0).tolist()
    return right / found if found else 0.0


def _span_recall(rows: np.ndarray) -> float:
    right, _, true = rows.sum(0).tolist()
    return right / true if true else 0.0


def _found_within(n: int) -> Quick:
    return Quick(lambda truths, answers: scoring.found_within(truths, answers, n), _mean)


def _mean(rows: np.ndarray) -> float:
    return float(rows.mean())


def _from_counts(name: str) -> Quick:
    return Quick(partial(likeness.counts, name), partial(likeness.from_counts, name))


QUICK: dict[Callable[[np.ndarray, np.ndarray], float], Quick] = {
    scoring.accuracy: Quick(_rightness, _mean),
    scoring.macro_f1: Quick(_pairs, _macro_f1),
    scoring.micro_f1: Quick(_pairs, _micro_f1),
    scoring.mean_absolute_error: Quick(lambda t, a: np.abs(t - a), _mean),
    scoring.mean_reciprocal_rank: Quick(scoring.reciprocal_ranks, _mean),
    scoring.recall_at_1: _found_within(1),
    scoring.recall_at_5: _found_within(5),
    scoring.recall_at_10: _found_within(10),
    scoring.span_f1: Quick(_span_counts, _span_f1),
    scoring.span_precision: Quick(_span_counts, _span_precision),
    scoring.span_recall: Quick(_span_counts, _span_recall),
    likeness.perplexity: Quick(likeness.likelihoods, likeness.perplexity_of),
    likeness.bits_per_character: Quick(likeness.likelihoods, likeness.bits_of),
    likeness.bleu: _from_counts("bleu"),
    likeness.chrf: _from_counts("chrf"),
    likeness.rouge_l: Quick(likeness.overlaps, _mean),
}
