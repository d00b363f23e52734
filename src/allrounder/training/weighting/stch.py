"""A smooth maximum of the losses."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from allrounder.lazy import lazy
from allrounder.training.weighting.base import Scalarization, State

if TYPE_CHECKING:
    import torch
    from torch import Tensor
else:
    torch = lazy("torch")


@dataclass(kw_only=True)
class STCH(Scalarization):
    """Smooth Tchebycheff (Lin et al. 2024): μ · log Σ e^(L_t / (K·μ)), the worst task foremost.

    The preference of a task is its `weight`; the ideal losses are 0.

    Args:
        mu: the smaller, the nearer to the maximum.
    """

    mu: float = 0.1

    def __post_init__(self) -> None:
        if not self.mu > 0:
            raise ValueError(f"has `mu: {self.mu}`. Expected more than 0.")

    def combine(self, losses: "Tensor", present: "Tensor", state: State) -> "Tensor":
        """Return the smooth maximum, in which absent tasks hold their place."""
        return self.mu * torch.logsumexp(losses / (len(losses) * self.mu), 0)
