"""No task is made worse."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from allrounder.lazy import lazy
from allrounder.training.weighting.base import Aggregation, State

if TYPE_CHECKING:
    from torch import Tensor
    from torchjd import aggregation

    from allrounder.training.weighting import dual_cone
else:
    aggregation = lazy("torchjd.aggregation")
    dual_cone = lazy("allrounder.training.weighting.dual_cone")


@dataclass(kw_only=True)
class UPGrad(Aggregation):
    """Unconflicting projections (Quinton and Rey 2024): the mean of projected gradients.

    Each g_t is replaced by its nearest vector in the dual cone of all gradients, so that the step
    has no negative product with any of them.
    """

    def weigh(self, gramian: "Tensor", tasks: tuple[int, ...], state: State) -> "Tensor":
        """Return the weights of the mean of projections."""
        projector = dual_cone.LeastSquaresProjector()
        return aggregation.UPGradWeighting(projector=projector)(gramian)
