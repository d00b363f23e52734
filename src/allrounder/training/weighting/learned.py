"""A learned scale for each task."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from allrounder.lazy import lazy
from allrounder.training.weighting.base import Scalarization, State

if TYPE_CHECKING:
    import torch
    from torch import Tensor
else:
    torch = lazy("torch")


@dataclass(kw_only=True)
class Uncertainty(Scalarization):
    """Learned noise of each task (Kendall, Gal and Cipolla 2018): Σ ½ e^(-s_t) · L_t + ½ s_t.

    s_t is the logarithm of the variance, 0 at first; the best one is log L_t.
    """

    learned: ClassVar[tuple[str, ...]] = ("log_variances",)

    def begin(self, num_tasks: int) -> State:
        """Return log-variances of 0."""
        return {"log_variances": torch.zeros(num_tasks)}

    def combine(self, losses: "Tensor", present: "Tensor", state: State) -> "Tensor":
        """Return the negative log-likelihood of the tasks of the batch."""
        s = state["log_variances"]
        return ((0.5 * torch.exp(-s) * losses + 0.5 * s) * present).sum()


@dataclass(kw_only=True)
class IMTLL(Scalarization):
    """Learned scales that make all losses alike (IMTL-L, Liu et al. 2021): Σ e^(s_t) · L_t - s_t.

    s_t is 0 at first; the best one is -log L_t.
    """

    learned: ClassVar[tuple[str, ...]] = ("log_scales",)

    def begin(self, num_tasks: int) -> State:
        """Return logarithms of scales of 0."""
        return {"log_scales": torch.zeros(num_tasks)}

    def combine(self, losses: "Tensor", present: "Tensor", state: State) -> "Tensor":
        """Return the scaled losses of the tasks of the batch."""
        s = state["log_scales"]
        return ((torch.exp(s) * losses - s) * present).sum()
