"""The sampling protocol."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from allrounder.kinds import Kind


@dataclass(kw_only=True)
class Sampling(Kind, ABC):
    """How an epoch is divided among groups: the records of one source with the same tasks.

    Args:
        cap: a group counts for at most so many records (the limit K of Raffel et al. 2020,
            section 3.5.2).
        repeats: the most often that an epoch shows a record; the epoch is shorter by what a small
            group would get beyond that.
    """

    cap: int | None = None
    repeats: float | None = None

    def __post_init__(self) -> None:
        for name in ("cap", "repeats"):
            value = getattr(self, name)
            if value is not None and value <= 0:
                raise ValueError(f"has `{name}: {value}`. Expected more than 0.")

    @abstractmethod
    def weights(self, sizes: np.ndarray, done: float) -> np.ndarray:
        """Return how much each group weighs, from its size.

        Args:
            sizes: the records of each group, none of them more than `cap`.
            done: the share of the epochs that is over, 0 in the first and 1 in the last.
        """

    def shares(self, sizes: np.ndarray, done: float = 0.0) -> np.ndarray:
        """Return each group's share of an epoch; they add up to 1."""
        capped = sizes if self.cap is None else np.minimum(sizes, self.cap)
        weights = self.weights(capped.astype(float), done)
        return weights / weights.sum()

    def counts(self, sizes: np.ndarray, done: float = 0.0) -> np.ndarray:
        """Return how many records of each group an epoch shows, about as many as there are."""
        counts = np.floor(self.shares(sizes, done) * sizes.sum() + 0.5)
        if self.repeats is not None:
            counts = np.minimum(counts, np.floor(self.repeats * sizes + 0.5))
        return counts.astype(int)


def draw(
    groups: Sequence[np.ndarray], counts: Sequence[int] | np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Return the rows of one epoch, `counts` of each group, in random order.

    A group drawn more often than it has records is gone through again and again, each time in
    a new order; one drawn less often shows a random part.
    """
    drawn = [_cycled(rows, count, rng) for rows, count in zip(groups, counts, strict=True)]
    return rng.permutation(np.concatenate(drawn))


def _cycled(rows: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    rounds = [rng.permutation(rows) for _ in range(-(-count // len(rows)))]
    return np.concatenate([rows[:0], *rounds])[:count]
