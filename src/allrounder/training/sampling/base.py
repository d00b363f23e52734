"""The sampling protocol."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from allrounder.kinds import Kind


@dataclass(kw_only=True)
class Sampling(Kind, ABC):
    """How an epoch is divided among groups of records."""

    @abstractmethod
    def shares(self, counts: np.ndarray) -> np.ndarray:
        """Return each group's share of an epoch from its number of records; they add up to 1."""


def draw(groups: Sequence[np.ndarray], shares: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return the rows of one epoch, as many as there are, in random order.

    A group drawn more often than it has records is gone through again and again, each time in
    a new order; one drawn less often shows a random part.
    """
    total = sum(map(len, groups))
    counts = np.floor(shares * total + 0.5).astype(int)
    drawn = [_cycled(rows, count, rng) for rows, count in zip(groups, counts, strict=True)]
    return rng.permutation(np.concatenate(drawn))


def _cycled(rows: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    rounds = [rng.permutation(rows) for _ in range(-(-count // len(rows)))]
    return np.concatenate([rows[:0], *rounds])[:count]
