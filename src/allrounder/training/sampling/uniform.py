"""Every group alike."""

from dataclasses import dataclass

import numpy as np

from allrounder.training.sampling.base import Sampling


@dataclass(kw_only=True)
class Uniform(Sampling):
    """Every group as often as any other, whatever its size."""

    def weights(self, sizes: np.ndarray, done: float) -> np.ndarray:
        """Return 1."""
        return np.ones_like(sizes)
