"""The product of the losses."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from allrounder.lazy import lazy
from allrounder.training.weighting.base import Scalarization, State, logs

if TYPE_CHECKING:
    import torch
    from torch import Tensor
else:
    torch = lazy("torch")


@dataclass(kw_only=True)
class GeometricMean(Scalarization):
    """The geometric mean of the losses (Chennupati et al. 2019): (Π L_t)^(1/K)."""

    def combine(self, losses: "Tensor", present: "Tensor", state: State) -> "Tensor":
        """Return the geometric mean, in which absent tasks hold their place."""
        return torch.exp(logs(losses, "geometric_mean").mean())
