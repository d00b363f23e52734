"""Records on which a model that is not sure of its weights disagrees with itself."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from allrounder.active.base import Ranking
from allrounder.active.strategies.entropy import entropy

if TYPE_CHECKING:
    from allrounder.active.sight import Sight


@dataclass(kw_only=True)
class Bald(Ranking):
    """H(E p) − E H(p) over passes with dropout (Houlsby et al. 2011; Gal et al. 2017).

    Dropout falls on what the head reads, since that is all that is learned here. Of a number it is
    the standard deviation over passes.
    """

    def wanted(self, sight: "Sight") -> np.ndarray:
        """Return the mutual information between answer and weights, in nats."""
        return sight.over(lambda vectors: self._told(sight, vectors))

    def _told(self, sight: "Sight", vectors: np.ndarray) -> np.ndarray:
        passes = sight.learner.doubts(vectors, self.seed)
        if not passes[0]:
            return sight.learner.spread(vectors, self.seed)
        decisions = [np.stack(draws) for draws in zip(*passes, strict=True)]
        return np.max([information(draws) for draws in decisions], axis=0)


def information(draws: np.ndarray) -> np.ndarray:
    """Return the entropy of the mean minus the mean entropy: [draws, n, O] → [n]."""
    return entropy(draws.mean(axis=0)) - np.mean([entropy(one) for one in draws], axis=0)
