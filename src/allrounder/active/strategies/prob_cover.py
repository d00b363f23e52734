"""Records that have most others within reach: a start without any label."""

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

LOOKED_AT = 5_000
"""Candidates: those within reach of one another are counted pair by pair."""

PURE = 0.95
"""The share of balls that hold records of one cluster only, by which their size is chosen."""

RADII = np.linspace(0.05, 1.4, 28)


@dataclass(kw_only=True)
class ProbCover(Strategy):
    """The greatest number of records within a ball around those with a label (Yehuda et al. 2022).

    The radius is the largest at which `PURE` of all balls hold records of one k-means cluster, as
    in the paper, of which there are as many as labels, or 10. Of a large pool it looks at a random
    part.

    Args:
        radius: of a ball, between vectors of length 1; by default chosen as said.
    """

    needs_model: ClassVar[bool] = False

    radius: float | None = None

    def choose(self, sight: "Sight", n: int) -> Chosen:
        """Return the records that cover most of what is not covered, one by one."""
        places = sight.candidates[:LOOKED_AT]
        vectors = geometry.unit(sight.vectors[places])
        radius = self.radius or self._radius(sight, vectors)
        within = geometry.within(vectors, radius)
        free = np.ones(len(places), dtype=np.float32)
        if len(sight.known):
            known = geometry.unit(sight.vectors[sight.known])
            free[geometry.neighbors(vectors, 1, among=known)[0][:, 0] <= radius] = 0
        picked, scores = [], []
        for _ in range(min(n, len(places))):
            covers = within @ free
            covers[picked] = -1
            picked.append(int(np.argmax(covers)))
            scores.append(float(covers[picked[-1]]))
            free[within[picked[-1]].indices] = 0
        return Chosen(places[picked], np.array(scores))

    def _radius(self, sight: "Sight", vectors: np.ndarray) -> float:
        """Return the largest radius at which balls are pure, on a part of the candidates."""
        some = vectors[:2000]
        num = len(getattr(sight.task, "labels", None) or range(10))
        groups = geometry.clusters(some, min(num, len(some)), seed=self.seed)
        away = np.sqrt(np.maximum(2 - 2 * some @ some.T, 0))
        other = np.where(groups[:, None] == groups[None], np.inf, away).min(axis=1)
        pure = [radius for radius in RADII if (other > radius).mean() >= PURE]
        return float(pure[-1]) if pure else float(RADII[0])
