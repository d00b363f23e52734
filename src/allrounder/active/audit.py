"""Whether choosing pays: labels that a strategy chose beside as many that chance drew."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from allrounder.active.learner import Learner
from allrounder.active.vectors import Vectors
from allrounder.tasks import Task

LEAST = 20
"""Labels of each arm, and records that judge, below which nothing is said."""

DRAWS = 40
"""Resamples that an interval is read off."""

Judge = Callable[[Sequence[Any], Sequence[Any]], float]
"""A score, higher is better, from true labels and answers."""


@dataclass(frozen=True)
class Gain:
    """What labels that were chosen gain over labels that were drawn, both as many.

    Args:
        n: labels of each.
        judged: records that judged.
        chosen: the mean score of heads on chosen labels.
        random: the mean score of heads on drawn ones.
        gain: the mean difference.
        low: the lower end of its 95 % interval.
        high: the upper end.
    """

    n: int
    judged: int
    chosen: float
    random: float
    gain: float
    low: float
    high: float

    @property
    def loses(self) -> bool:
        """Whether choosing is worse than chance beyond noise."""
        return self.high < 0

    def to_dict(self) -> dict[str, float]:
        """Return plain data, ready for JSON."""
        return dict(vars(self))


@dataclass(frozen=True)
class Court:
    """Compares labels of one task by what heads learn from them.

    Args:
        task: the task.
        vectors: of the pool.
        labels: by place.
        judged: places with labels that nobody chose, and that no head learns from.
        judge: how answers are scored.
    """

    task: Task
    vectors: Vectors
    labels: dict[int, Any]
    judged: np.ndarray
    judge: Judge

    def gain(self, chosen: np.ndarray, random: np.ndarray, *, seed: int = 0) -> Gain | None:
        """Return what chosen labels gain; None where there are too few of either, or to judge.

        As many labels are drawn, with replacement, from both arms and from the records that judge,
        `DRAWS` times: the interval holds the chance of all three.

        Args:
            chosen: places whose label a strategy asked for.
            random: places whose label chance asked for.
            seed: of the resamples.
        """
        n = min(len(chosen), len(random))
        if n < LEAST or len(self.judged) < LEAST:
            return None
        rng, pairs = np.random.default_rng(seed), []
        for _ in range(DRAWS):
            among = rng.choice(self.judged, len(self.judged))
            scores = [self._score(rng.choice(arm, n), among) for arm in (chosen, random)]
            pairs.append(scores)
        found = np.array(pairs)
        low, high = np.percentile(found[:, 0] - found[:, 1], [2.5, 97.5])
        mine, theirs = found.mean(axis=0)
        told = (mine, theirs, mine - theirs, low, high)
        return Gain(n, len(self.judged), *(round(float(value), 6) for value in told))

    def score(self, places: np.ndarray) -> float:
        """Return the score of a head that learns from some places."""
        return self._score(places, self.judged)

    def _score(self, places: np.ndarray, judged: np.ndarray) -> float:
        truths = [self.labels[int(place)] for place in judged]
        return self.judge(truths, self.answers(places, judged))

    def answers(self, places: np.ndarray, asked: np.ndarray) -> list[Any]:
        """Return what a head that learns from some places answers to others."""
        labels = [self.labels[int(place)] for place in places]
        if len({str(label) for label in labels}) < 2:
            return [labels[0]] * len(asked)
        learner = Learner.fit(self.task, self.vectors[places], labels)
        return learner.answers(self.vectors[asked])
