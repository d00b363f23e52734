"""The shortest gradient."""

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
class MGDA(Aggregation):
    """Multiple gradient descent (Désidéri 2012; Sener and Koltun 2018): min |Σ w_t · g_t|².

    The weights are positive and add up to 1; found by Frank and Wolfe.

    Args:
        max_steps: of the search.
    """

    max_steps: int = 250

    def __post_init__(self) -> None:
        if self.max_steps < 1:
            raise ValueError(f"has `max_steps: {self.max_steps}`. Expected 1 or more.")

    def weigh(self, gramian: "Tensor", tasks: tuple[int, ...], state: State) -> "Tensor":
        """Return the weights of the shortest gradient."""
        return aggregation.MGDAWeighting(epsilon=1e-5, max_iters=self.max_steps)(gramian)
