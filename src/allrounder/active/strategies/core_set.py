"""Records that leave no record far from one with a label."""

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
class CoreSet(Strategy):
    """The record farthest from all that have a label, again and again (Sener and Savarese 2018).

    The greedy 2-approximation of k-center. Of a large pool it looks at a random part.
    """

    needs_model: ClassVar[bool] = False

    def choose(self, sight: "Sight", n: int) -> Chosen:
        """Return the records that are farthest, one by one."""
        places = sight.candidates
        vectors = sight.vectors[places]
        away = _nearest(vectors, sight.vectors[sight.known])
        picked, scores = [], []
        for _ in range(min(n, len(places))):
            one = int(np.argmax(away))
            picked.append(one)
            scores.append(float(np.sqrt(max(away[one], 0))))
            away = np.minimum(away, geometry.squares(vectors, vectors[one]))
            away[picked] = -1
        return Chosen(places[picked], np.minimum(scores, np.finfo(np.float32).max))


def _nearest(vectors: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Return the squared distance to the nearest one that is known; to the mean where none is."""
    if not len(known):
        return geometry.squares(vectors, vectors.mean(0))
    return geometry.neighbors(vectors, 1, among=known)[0][:, 0] ** 2
