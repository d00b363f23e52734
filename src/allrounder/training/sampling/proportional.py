"""As often as there are records."""

from dataclasses import dataclass

import numpy as np

from allrounder.training.sampling.base import Sampling


@dataclass(kw_only=True)
class Proportional(Sampling):
    """Every record once an epoch."""

    def shares(self, counts: np.ndarray) -> np.ndarray:
        """Return n_g / Σ n."""
        return counts / counts.sum()
