"""Metrics, each from a library, with torch and scikit-learn kept out of start-up."""

from typing import TYPE_CHECKING

import numpy as np

from allrounder.lazy import lazy

if TYPE_CHECKING:
    from scipy import stats
    from sklearn import metrics
else:
    stats, metrics = lazy("scipy.stats"), lazy("sklearn.metrics")


def accuracy(truths: np.ndarray, answers: np.ndarray) -> float:
    """Share of records answered exactly right (for several labels a record: all of them)."""
    same = truths == answers
    return float((same.all(-1) if same.ndim > 1 else same).mean())


def macro_f1(truths: np.ndarray, answers: np.ndarray) -> float:
    """F1 of each label, then the mean over labels."""
    return float(metrics.f1_score(truths, answers, average="macro", zero_division=0))


def micro_f1(truths: np.ndarray, answers: np.ndarray) -> float:
    """F1 over all decisions (record, label) together."""
    return float(metrics.f1_score(truths, answers, average="micro", zero_division=0))


def mean_absolute_error(truths: np.ndarray, answers: np.ndarray) -> float:
    """Mean distance between truth and answer, in the units of the label."""
    return float(metrics.mean_absolute_error(truths, answers))


def r2(truths: np.ndarray, answers: np.ndarray) -> float:
    """Share of the variance that the answers explain; 0 is the mean, 1 is perfect."""
    return float(metrics.r2_score(truths, answers)) if len(truths) > 1 else 0.0


def spearman(truths: np.ndarray, answers: np.ndarray) -> float:
    """Correlation of the ranks; 0 where one side is constant."""
    if len(truths) < 2 or np.ptp(truths) == 0 or np.ptp(answers) == 0:
        return 0.0
    return float(stats.spearmanr(truths, answers).statistic)


def quadratic_kappa(truths: np.ndarray, answers: np.ndarray) -> float:
    """Cohen's kappa with quadratic weights: agreement beyond chance, far misses cost more."""
    if np.ptp(truths) == 0 and np.ptp(answers) == 0:
        return float(truths[0] == answers[0])
    return float(metrics.cohen_kappa_score(truths, answers, weights="quadratic"))


def span_f1(truths: np.ndarray, answers: np.ndarray) -> float:
    """Strict F1 over entities: start, end and label must all be right (seqeval's strict mode)."""
    return _f1(*_counts(truths, answers))


def span_precision(truths: np.ndarray, answers: np.ndarray) -> float:
    """Share of the spans found that are right."""
    right, found, _ = _counts(truths, answers)
    return right / found if found else 0.0


def span_recall(truths: np.ndarray, answers: np.ndarray) -> float:
    """Share of the true spans that were found."""
    right, _, true = _counts(truths, answers)
    return right / true if true else 0.0


def _counts(truths: np.ndarray, answers: np.ndarray) -> tuple[int, int, int]:
    right = sum(len(t & a) for t, a in zip(truths, answers, strict=True))
    return right, sum(map(len, answers)), sum(map(len, truths))


def _f1(right: int, found: int, true: int) -> float:
    return 2 * right / (found + true) if found + true else 1.0
