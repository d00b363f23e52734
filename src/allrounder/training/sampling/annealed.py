"""From one smoothing to another."""

from dataclasses import dataclass

import numpy as np

from allrounder.training.sampling.base import Sampling


@dataclass(kw_only=True)
class Annealed(Sampling):
    """Groups in proportion to n^α, α moving over the epochs (Stickland and Murray 2019).

    Args:
        start: α in the first epoch.
        end: α in the last epoch.
    """

    start: float = 1.0
    end: float = 0.2

    def weights(self, sizes: np.ndarray, done: float) -> np.ndarray:
        """Return n^α with α = start + (end - start) · done."""
        return sizes ** (self.start + (self.end - self.start) * done)
