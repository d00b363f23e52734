"""Records drawn at random: what every other strategy has to beat."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from allrounder.active.base import Chosen, Strategy

if TYPE_CHECKING:
    from allrounder.active.sight import Sight


@dataclass(kw_only=True)
class Random(Strategy):
    """Records drawn at random."""

    needs_model: ClassVar[bool] = False

    def choose(self, sight: "Sight", n: int) -> Chosen:
        """Return the first records of an order that chance made."""
        places = sight.open[:n]
        return Chosen(places, np.zeros(len(places)))
