"""Low-rank multimodal fusion."""

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
class LowRank(Fusion):
    """Products of all inputs, through factors of low rank (Liu et al. 2018).

    With z_i = [x_i; 1] the outer product of all z_i holds every product of numbers of different
    inputs. Weights of rank R read it without building it (arXiv 1806.00064, section 3.3):
    h = Σ_r Π_i F_i,r z_i, the product taken element by element, as the authors' code has it.

    Args:
        width: width of the joint vector.
        rank: R, how many products are added up.
    """

    width: int = 128
    rank: int = 4

    def __post_init__(self) -> None:
        super().__post_init__()
        above_zero(self, "width", "rank")

    def module(self, widths: Mapping[str, int]) -> "joining.Joining":
        """Build the factors, at random."""
        return joining.LowRank(widths, self.width, self.rank, self.modality_dropout)

    def joint_width(self, widths: Mapping[str, int]) -> int:
        """Return the width that was asked for."""
        return self.width
