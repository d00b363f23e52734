"""Attention through bottleneck tokens."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from allrounder.errors import ProjectError
from allrounder.fusion.base import Fusion, above_zero
from allrounder.lazy import lazy

if TYPE_CHECKING:
    from allrounder.fusion import bottleneck
else:
    bottleneck = lazy("allrounder.fusion.bottleneck")


@dataclass(kw_only=True)
class Attention(Fusion):
    """Tokens of all inputs meet in a few bottleneck tokens (Nagrani et al. 2021).

    In every layer the tokens of an input attend to themselves and to the bottlenecks; what each
    input makes of the bottlenecks is averaged over the inputs that are there (arXiv 2107.00135,
    section 3.3). Tasks that read the tokens of one input read what these heard of others.

    Args:
        width: width of tokens inside, and of the joint vector.
        layers: how many; one input hears of another from the second on.
        bottlenecks: how many tokens all inputs share.
        heads: of the attention.
    """

    reads_tokens: ClassVar[bool] = True

    width: int = 128
    layers: int = 2
    bottlenecks: int = 4
    heads: int = 4

    def __post_init__(self) -> None:
        super().__post_init__()
        above_zero(self, "width", "bottlenecks", "heads")
        if self.layers < 2:
            raise ProjectError(
                f"`fusion.layers` is {self.layers}. Expected 2 or more: in the first one no input "
                "has heard of another yet."
            )
        if self.width % self.heads:
            raise ProjectError(
                f"`fusion.width` is {self.width}, which {self.heads} heads cannot share evenly. "
                "Choose a multiple of `heads`."
            )

    def module(self, widths: Mapping[str, int]) -> "bottleneck.Bottleneck":
        """Build projections and layers, at random."""
        return bottleneck.Bottleneck(widths, self)

    def joint_width(self, widths: Mapping[str, int]) -> int:
        """Return the width that was asked for."""
        return self.width
