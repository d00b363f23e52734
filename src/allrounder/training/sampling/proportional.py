"""As often as there are records."""

from dataclasses import dataclass

import numpy as np

from allrounder.training.sampling.base import Sampling


@dataclass(kw_only=True)
class Proportional(Sampling):
    """Every record once an epoch."""

    def weights(self, sizes: np.ndarray, done: float) -> np.ndarray:
        """Return n."""
        return sizes
