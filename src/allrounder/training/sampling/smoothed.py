"""Small groups more often."""

from dataclasses import dataclass

import numpy as np

from allrounder.training.sampling.base import Sampling


@dataclass(kw_only=True)
class Smoothed(Sampling):
    """Groups in proportion to n^α (multinomial smoothing; Conneau and Lample 2019, section 3.1).

    Args:
        alpha: 1 is proportional, 0 is uniform.
    """

    alpha: float = 0.5

    def weights(self, sizes: np.ndarray, done: float) -> np.ndarray:
        """Return n^α."""
        return sizes**self.alpha
