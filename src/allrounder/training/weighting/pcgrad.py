"""Conflicting parts are cut away."""

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
class PCGrad(Aggregation):
    """Gradient surgery (Yu et al. 2020): each gradient loses its parts against the others.

    g_t becomes g_t - (g_t·g_s / g_s·g_s) · g_s for every s, in random order, with g_t·g_s < 0; the
    step is the sum.
    """

    def weigh(self, gramian: "Tensor", tasks: tuple[int, ...], state: State) -> "Tensor":
        """Return the weights of the projected gradients; the order comes from torch's seed."""
        return aggregation.PCGradWeighting()(gramian)
