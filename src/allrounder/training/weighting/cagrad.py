"""Not far from the mean, yet good for the worst task."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from allrounder.lazy import lazy
from allrounder.training.weighting.base import Aggregation, State

if TYPE_CHECKING:
    from torch import Tensor
    from torchjd import aggregation
else:
    aggregation = lazy("torchjd.aggregation")


@dataclass(kw_only=True)
class CAGrad(Aggregation):
    """Conflict-averse gradient (Liu et al. 2021): the best for the worst task near the mean.

    max over g of min_t g_t·g, subject to |g - g_0| ≤ c · |g_0|, where g_0 is the mean gradient.

    Args:
        c: 0 is the mean; the larger, the nearer to `mgda`.
    """

    needs: ClassVar[tuple[str, ...]] = ("torchjd", "cvxpy", "clarabel")

    c: float = 0.4

    def __post_init__(self) -> None:
        if not self.c >= 0:
            raise ValueError(f"has `c: {self.c}`. Expected 0 or more.")

    def weigh(self, gramian: "Tensor", tasks: tuple[int, ...], state: State) -> "Tensor":
        """Return the weights, from a cone program."""
        return aggregation.CAGradWeighting(c=self.c)(gramian)
