"""What the model wavers on: the least difference between its two likeliest answers."""

from dataclasses import dataclass

import numpy as np

from allrounder.active.strategies.uncertain import Uncertain, top_two


@dataclass(kw_only=True)
class Margin(Uncertain):
    """The least margin 1 − (p₁ − p₂) between the two likeliest answers (Scheffer et al. 2001)."""

    def unsure(self, chances: np.ndarray) -> np.ndarray:
        """Return 1 minus the difference of the two likeliest options."""
        first, second = top_two(chances)
        return 1 - (first - second)
