"""Records that look like labelled ones but are answered otherwise."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from allrounder.active.base import Ranking
from allrounder.lazy import lazy

if TYPE_CHECKING:
    from allrounder.active import geometry
    from allrounder.active.sight import Sight
else:
    geometry = lazy("allrounder.active.geometry")


@dataclass(kw_only=True)
class Contrastive(Ranking):
    """The mean KL(p(neighbor) ‖ p(record)) over the nearest labelled records.

    Source: CAL, Margatina et al. 2021, with 10 neighbors. Of a number it is the mean squared
    difference, in units of the labels' standard deviation.

    Args:
        neighbors: how many labelled records each one is compared with.
    """

    neighbors: int = 10

    def wanted(self, sight: "Sight") -> np.ndarray:
        """Return how unlike a record's answer is to those of its neighbors."""
        known = sight.vectors[sight.known]
        told = sight.learner.chances(known)
        return sight.over(lambda vectors: self._unlike(sight, vectors, known, told))

    def _unlike(
        self, sight: "Sight", vectors: np.ndarray, known: np.ndarray, told: list[np.ndarray]
    ) -> np.ndarray:
        _, near = geometry.neighbors(vectors, self.neighbors, among=known)
        if not told:
            own, other = (sight.learner.scores(some)[:, 0].numpy() for some in (vectors, known))
            return ((other[near] - own[:, None]) ** 2).mean(axis=1)
        own = sight.learner.chances(vectors)
        pairs = zip(told, own, strict=True)
        return np.sum([_divergence(theirs[near], mine) for theirs, mine in pairs], axis=0)


def _divergence(near: np.ndarray, own: np.ndarray) -> np.ndarray:
    """Return the mean KL divergence from neighbors to records: [n, k, O], [n, O] → [n]."""
    ratio = np.log(np.maximum(near, 1e-12)) - np.log(np.maximum(own, 1e-12))[:, None]
    return (near * ratio).sum(axis=2).mean(axis=1)
