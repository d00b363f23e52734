"""Gated multimodal units."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from allrounder.fusion.base import Fusion, above_zero
from allrounder.lazy import lazy

if TYPE_CHECKING:
    from allrounder.fusion import joining
else:
    joining = lazy("allrounder.fusion.joining")


@dataclass(kw_only=True)
class Gated(Fusion):
    """A gate per input, set by all of them, says how much it counts (Arevalo et al. 2017).

    The gated multimodal unit in its form for any number of inputs (arXiv 1702.01992, figure 2a):
    h_i = tanh(W_i x_i), z_i = σ(V_i [x_1, …, x_M]), h = Σ_i z_i ⊙ h_i, without biases as there.

    Args:
        width: width of the joint vector.
    """

    width: int = 256

    def __post_init__(self) -> None:
        super().__post_init__()
        above_zero(self, "width")

    def module(self, widths: Mapping[str, int]) -> "joining.Joining":
        """Build the units, at random."""
        return joining.GatedUnits(widths, self.width, self.modality_dropout)

    def joint_width(self, widths: Mapping[str, int]) -> int:
        """Return the width that was asked for."""
        return self.width
