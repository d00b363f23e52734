"""Records whose answers are spread over most options."""

from dataclasses import dataclass

import numpy as np

from allrounder.active.strategies.uncertain import Uncertain


@dataclass(kw_only=True)
class Entropy(Uncertain):
    """−Σ p log p over options, by its greatest value log O (Shannon 1948)."""

    def unsure(self, chances: np.ndarray) -> np.ndarray:
        """Return the entropy of each row, from 0 to 1."""
        return entropy(chances) / np.log(max(2, chances.shape[1]))


def entropy(chances: np.ndarray) -> np.ndarray:
    """Return −Σ p log p of each row, in nats: [n, O] → [n]."""
    return -(chances * np.log(np.maximum(chances, 1e-12))).sum(axis=1)
