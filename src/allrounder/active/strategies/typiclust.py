"""The most typical record of every cluster: a start without any label."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from allrounder.active.base import Chosen, Strategy
from allrounder.active.strategies.k_means import grouped
from allrounder.lazy import lazy

if TYPE_CHECKING:
    from allrounder.active import geometry
    from allrounder.active.sight import Sight
else:
    geometry = lazy("allrounder.active.geometry")

LEAST = 5
"""Records of a cluster below which it is left for the end, as in the paper."""


@dataclass(kw_only=True)
class TypiClust(Strategy):
    """The record nearest to its neighbors in the largest clusters without a label.

    Typicality is one by the mean distance to the `neighbors` nearest records of the cluster
    (Hacohen, Dekel and Weinshall 2022). Of a large pool it looks at a random part.

    Args:
        neighbors: how many records typicality is measured by.
    """

    needs_model: ClassVar[bool] = False

    neighbors: int = 20

    def choose(self, sight: "Sight", n: int) -> Chosen:
        """Return the most typical record of each cluster, the largest clusters first."""
        places, groups, _, sizes = grouped(sight, n, self.seed)
        vectors = geometry.unit(sight.vectors[places])
        order = np.argsort(-np.where(sizes >= LEAST, sizes + len(places), sizes), kind="stable")
        picked = [self._typical(vectors, np.flatnonzero(groups == one)) for one in order[:n]
                  if sizes[one]]  # fmt: skip
        rest = np.setdiff1d(np.arange(len(places)), picked)
        found = np.array([*picked, *rest[: max(0, n - len(picked))]], dtype=np.int64)
        return Chosen(places[found], sizes[groups[found]].astype(np.float64))

    def _typical(self, vectors: np.ndarray, members: np.ndarray) -> int:
        if len(members) < 3:
            return int(members[0])
        away, _ = geometry.neighbors(vectors[members], self.neighbors)
        return int(members[np.argmin(away.mean(axis=1))])
