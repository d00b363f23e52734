"""Gradients made orthogonal and equally long."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from allrounder.lazy import lazy
from allrounder.training.weighting.base import Aggregation, State

if TYPE_CHECKING:
    from torch import Tensor
    from torchjd import aggregation
else:
    aggregation = lazy("torchjd.aggregation")


@dataclass(kw_only=True)
class AlignedMTL(Aggregation):
    """Aligned gradients (Senushkin et al. 2023): condition number 1 for the matrix of gradients.

    w = σ · V Λ^(-½) V' · 1/k with the eigenvectors V and eigenvalues Λ of the Gramian; σ² is one
    eigenvalue for all.

    Args:
        scale: which eigenvalue: `min`, `median`, or `rmse` (their mean).
    """

    scale: Literal["min", "median", "rmse"] = "min"

    def weigh(self, gramian: "Tensor", tasks: tuple[int, ...], state: State) -> "Tensor":
        """Return the weights of the aligned gradients."""
        return aggregation.AlignedMTLWeighting(scale_mode=self.scale)(gramian)
