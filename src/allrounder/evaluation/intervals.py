"""Percentile bootstrap over records (Efron 1979), the same resamples for every system.

Because all systems are scored on the same resample, differences between them are paired: what
is hard for both cancels out.
"""

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from allrounder.evaluation.quick import QUICK
from allrounder.evaluation.report import Score
from allrounder.lazy import lazy

if TYPE_CHECKING:
    import sklearn
else:
    sklearn = lazy("sklearn")

WORK = 2_000_000
"""Records times resamples beyond which fewer resamples are drawn."""
FEWEST = 50
COVER = (2.5, 97.5)

Key = TypeVar("Key")
ScoreFunction = Callable[[np.ndarray, np.ndarray], float]
Comparison = tuple[ScoreFunction, np.ndarray, np.ndarray]
"""A metric, the truths and the answers it compares."""


@dataclass(frozen=True)
class Draws:
    """The value of a metric on all records, and on each resample."""

    value: float
    resampled: np.ndarray

    def score(self) -> Score:
        """Return the value with its interval; resamples without a value are left out."""
        finite = self.resampled[np.isfinite(self.resampled)]
        low, high = np.percentile(finite, COVER) if len(finite) else (self.value, self.value)
        return Score(
            value=round(self.value, 6), low=round(float(low), 6), high=round(float(high), 6)
        )

    def gain_over(self, other: "Draws", *, higher_is_better: bool) -> "Draws":
        """Return the paired difference to `other`, above zero where this one is better."""
        sign = 1.0 if higher_is_better else -1.0
        value = sign * (self.value - other.value)
        return Draws(value + 0.0, sign * (self.resampled - other.resampled) + 0.0)  # no -0.0


def affordable(num_records: int, resamples: int) -> int:
    """Return how many resamples to draw so that the cost stays bounded."""
    return min(resamples, max(FEWEST, WORK // max(num_records, 1)))


def bootstrap(
    comparisons: Mapping[Key, Comparison], num_records: int, *, resamples: int, seed: int
) -> dict[Key, Draws]:
    """Score every comparison on all records, then on the same `resamples` resamples."""
    generator = np.random.default_rng(seed)
    drawn = {key: np.empty(resamples) for key in comparisons}
    with sklearn.config_context(assume_finite=True, skip_parameter_validation=True):
        values = {key: float(score(*arrays)) for key, (score, *arrays) in comparisons.items()}
        scorers = {key: _by_index(*comparison) for key, comparison in comparisons.items()}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a resample may hold one class only
            for row in range(resamples):
                index = generator.integers(0, num_records, num_records)
                for key, scorer in scorers.items():
                    drawn[key][row] = scorer(index)
    return {key: Draws(values[key], drawn[key]) for key in comparisons}


def _by_index(
    score: ScoreFunction, truths: np.ndarray, answers: np.ndarray
) -> Callable[[np.ndarray], float]:
    """Return a function from indices of records to the score of those records."""
    quick = QUICK.get(score)
    if quick is None:
        return lambda index: score(truths[index], answers[index])
    rows = quick.prepare(truths, answers)
    return lambda index: quick.score(rows[index])
