"""Records whose likeliest answer is least likely."""

from dataclasses import dataclass

import numpy as np

from allrounder.active.strategies.uncertain import Uncertain


@dataclass(kw_only=True)
class LeastConfidence(Uncertain):
    """1 − p₁, of the likeliest answer (Lewis and Gale 1994)."""

    def unsure(self, chances: np.ndarray) -> np.ndarray:
        """Return 1 minus the chance of the likeliest option."""
        return 1 - chances.max(axis=1)
