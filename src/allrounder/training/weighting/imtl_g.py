"""Equal projections."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from allrounder.lazy import lazy
from allrounder.training.weighting.base import Aggregation, State

if TYPE_CHECKING:
    from torch import Tensor
    from torchjd import aggregation
else:
    aggregation = lazy("torchjd.aggregation")


@dataclass(kw_only=True)
class IMTLG(Aggregation):
    """Impartial gradients (IMTL-G, Liu et al. 2021): the step has equal projections on all tasks.

    g = Σ w_t · g_t with Σ w_t = 1 and g·g_t / |g_t| the same for all t; weights may be negative.
    """

    def weigh(self, gramian: "Tensor", tasks: tuple[int, ...], state: State) -> "Tensor":
        """Return the impartial weights."""
        return aggregation.IMTLGWeighting()(gramian)
