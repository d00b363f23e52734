"""Concatenation."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from allrounder.fusion.base import Fusion
from allrounder.lazy import lazy

if TYPE_CHECKING:
    from allrounder.fusion import joining
else:
    joining = lazy("allrounder.fusion.joining")


@dataclass(kw_only=True)
class Concat(Fusion):
    """The vectors end to end; a missing input is a learned vector."""

    def module(self, widths: Mapping[str, int]) -> "joining.Joining":
        """Build the learned vectors."""
        return joining.Concatenated(widths, self.modality_dropout)

    def joint_width(self, widths: Mapping[str, int]) -> int:
        """Return the sum of the widths."""
        return sum(widths.values())

    def columns(self, widths: Mapping[str, int]) -> dict[str, int]:
        """Return the inputs, in the order of their names: each has columns of its own."""
        return dict(sorted(widths.items()))
