"""Records in the middle of clusters: a start without any label."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from allrounder.active.base import Chosen, Strategy
from allrounder.lazy import lazy

if TYPE_CHECKING:
    from allrounder.active import geometry
    from allrounder.active.sight import Sight
else:
    geometry = lazy("allrounder.active.geometry")


@dataclass(kw_only=True)
class KMeans(Strategy):
    """The record nearest to the center of each k-means cluster (Kang et al. 2004).

    As many clusters as there are labels and questions, so that those which have a label can be
    left out; the largest others come first. Of a large pool it looks at a random part.
    """

    needs_model: ClassVar[bool] = False

    def choose(self, sight: "Sight", n: int) -> Chosen:
        """Return the middles of clusters without a label."""
        places, groups, away, sizes = grouped(sight, n, self.seed)
        order = np.lexsort([away, -sizes[groups[: len(places)]]])
        order = order[sizes[groups[order]] > 0]
        first = geometry.first_of_each(groups, order)
        rest = np.setdiff1d(np.argsort(away, kind="stable"), first, assume_unique=True)
        picked = np.concatenate([first, rest])[:n].astype(np.int64)
        return Chosen(places[picked], sizes[groups[picked]].astype(np.float64))


def grouped(
    sight: "Sight", n: int, seed: int, most: int = 500
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return candidates, the cluster of each, how far it is from the center, and clusters' sizes.

    A cluster that holds a record with a label has the size 0.
    """
    places = sight.candidates
    both = np.concatenate([places, sight.known])
    groups, away = geometry.centers(
        sight.vectors[both], min(len(both), n + min(len(sight.known), most)), seed=seed
    )
    sizes = np.bincount(groups[: len(places)], minlength=groups.max(initial=0) + 1)
    sizes[groups[len(places) :]] = 0
    return places, groups[: len(places)], away[: len(places)], sizes
