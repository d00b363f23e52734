"""Metrics, each from a library, with torch and scikit-learn kept out of start-up."""

from itertools import permutations
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


def mean_reciprocal_rank(truths: np.ndarray, answers: np.ndarray) -> float:
    """Mean of 1 / rank over records and directions."""
    return float(reciprocal_ranks(truths, answers).mean())


def recall_at_1(truths: np.ndarray, answers: np.ndarray) -> float:
    """Share of searches whose first find is the right one."""
    return float(found_within(truths, answers, 1).mean())


def recall_at_5(truths: np.ndarray, answers: np.ndarray) -> float:
    """Share of searches that find the right one among the first 5."""
    return float(found_within(truths, answers, 5).mean())


def recall_at_10(truths: np.ndarray, answers: np.ndarray) -> float:
    """Share of searches that find the right one among the first 10."""
    return float(found_within(truths, answers, 10).mean())


def found_within(truths: np.ndarray, answers: np.ndarray, n: int) -> np.ndarray:
    """Return for each record the share of its searches that find the right one among `n`: [n].

    Args:
        truths: hashes of the values of each input, 0 where missing: [n, M].
        answers: ranks of the right one by direction, NaN where there is none: [n, M · (M − 1)].
            A record without any stands for a ranking at random.
        n: how many finds count.
    """
    found = np.where(np.isnan(answers), np.nan, answers <= n)
    return _mean_or(found, np.minimum(1.0, n / _num_candidates(truths)))


def reciprocal_ranks(truths: np.ndarray, answers: np.ndarray) -> np.ndarray:
    """Return for each record the mean of 1 / rank over its searches: [n]."""
    sizes = _num_candidates(truths)
    chance = np.array([(1 / np.arange(1, size + 1)).mean() for size in sizes])
    return _mean_or(1 / answers, chance)


def _num_candidates(truths: np.ndarray) -> np.ndarray:
    """Return how many values are searched in each direction."""
    sizes = [max(1, len(np.unique(keys[keys != 0]))) for keys in truths.T]
    return np.array([sizes[b] for _, b in permutations(range(len(sizes)), 2)])


def _mean_or(values: np.ndarray, chance: np.ndarray) -> np.ndarray:
    """Return the mean of each row without its NaN; a row of nothing else has that of `chance`."""
    known = ~np.isnan(values)
    count = known.sum(-1)
    total = np.where(known, values, 0.0).sum(-1)
    return np.where(count > 0, total / np.maximum(count, 1), chance.mean())


def _counts(truths: np.ndarray, answers: np.ndarray) -> tuple[int, int, int]:
    right = sum(len(t & a) for t, a in zip(truths, answers, strict=True))
    return right, sum(map(len, answers)), sum(map(len, truths))


def _f1(right: int, found: int, true: int) -> float:
    return 2 * right / (found + true) if found + true else 1.0
