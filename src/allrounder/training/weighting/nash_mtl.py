"""A fair bargain."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from allrounder.lazy import lazy
from allrounder.training.weighting.base import Aggregation, State

if TYPE_CHECKING:
    import torch
    from torch import Tensor
else:
    torch = lazy("torch")

NEAR = 1e-12
"""The squared Newton decrement at which the search ends."""

SHORT = 1e-6
"""The shortest norm, in parts of the mean one; a gradient of 0 has a weight too."""


@dataclass(kw_only=True)
class NashMTL(Aggregation):
    """The Nash bargaining solution (Navon et al. 2022, claim 3.1): G w = 1 / w, w > 0.

    w is the minimum of the convex ½ w'Gw - Σ log w_t, found here by damped Newton steps (Nesterov
    2004, section 4.1.5) instead of the paper's sequence of linearized programs.

    Args:
        ridge: added to each squared norm, in parts of it: tasks that contradict each other
            entirely have no bargain without it.
    """

    needs: ClassVar[tuple[str, ...]] = ()

    ridge: float = 1e-6

    def __post_init__(self) -> None:
        if not self.ridge > 0:
            raise ValueError(f"has `ridge: {self.ridge}`. Expected more than 0.")

    def weigh(self, gramian: "Tensor", tasks: tuple[int, ...], state: State) -> "Tensor":
        """Return the bargain."""
        norms = gramian.diagonal().sqrt().clamp(min=SHORT)
        matrix = gramian / norms / norms[:, None]
        matrix = matrix + self.ridge * torch.eye(len(gramian), dtype=gramian.dtype)
        weights = matrix.diagonal().clamp(min=self.ridge).rsqrt()
        for _ in range(200):
            slope = matrix @ weights - 1 / weights
            step = torch.linalg.solve(matrix + torch.diag(weights**-2), slope)
            squared = float(slope @ step)
            if squared < NEAR:
                break
            far = squared**0.5
            weights = weights - step / (1 + far if far > 0.25 else 1)
        return weights / norms
