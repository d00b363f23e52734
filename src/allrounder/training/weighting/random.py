"""Weights by chance."""

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
class Random(Scalarization):
    """Random weighting (Lin et al. 2022): Σ w_t · L_t, w = softmax of K normal draws a batch.

    What a learned weighting has to beat.
    """

    def combine(self, losses: "Tensor", present: "Tensor", state: State) -> "Tensor":
        """Return the sum under new weights, drawn from the seed of training."""
        weights = torch.softmax(torch.randn(len(losses)), 0).to(losses)
        return (weights * losses).sum()
