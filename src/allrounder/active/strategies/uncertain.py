"""Scores by what a model says of one record: what margin, entropy and their like share."""

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from allrounder.active.base import Ranking

if TYPE_CHECKING:
    from allrounder.active.sight import Sight


@dataclass(kw_only=True)
class Uncertain(Ranking):
    """A strategy that wants what the model is least sure of.

    A task of several labels is as unsure as the label it is least sure of, one of spans as its
    tokens are on average. Of a number, whatever the kind, it is the standard deviation over passes
    with dropout, in units of the labels' own.
    """

    reads_tokens: ClassVar[bool] = True

    def wanted(self, sight: "Sight") -> np.ndarray:
        """Return how unsure the model is of each record."""
        return sight.unsure(self.unsure, self.seed)

    @abstractmethod
    def unsure(self, chances: np.ndarray) -> np.ndarray:
        """Return how unsure a decision is, from 0 to 1: [n, O] → [n]."""


def top_two(chances: np.ndarray) -> Sequence[np.ndarray]:
    """Return the chances of the likeliest and of the second option."""
    if chances.shape[1] < 2:
        return chances[:, 0], np.zeros(len(chances), chances.dtype)
    best = np.partition(chances, -2, axis=1)
    return best[:, -1], best[:, -2]
