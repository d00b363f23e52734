"""Pictures without pretrained weights: a few convolutions on a small square."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from allrounder.encoders.preprocessing import Preprocessing
from allrounder.encoders.seen import Seen
from allrounder.lazy import lazy

if TYPE_CHECKING:
    from allrounder.encoders import modules, patches
else:
    patches = lazy("allrounder.encoders.patches")

STRIDE = 8
"""Pixels along the side of what becomes one token."""


@dataclass(kw_only=True)
class Pixels(Seen):
    """Pictures on a small square: no pretrained weights, nothing to download.

    An honest baseline beside a pretrained model; enough where shape and colour decide.

    Args:
        size: side of the square that pictures are shrunk to.
        width: width of the vectors.
    """

    size: Literal[32, 64] = 32
    width: int = 64

    @property
    def preprocessing(self) -> Preprocessing:
        """Shrink to the square; pixels from -1 to 1."""
        square, half = (self.size, self.size), (0.5, 0.5, 0.5)
        return Preprocessing(
            resize=square, crop=None, resample=2, scale=1 / 255, mean=half, std=half
        )

    @property
    def reach(self) -> int:
        """The patches of a picture."""
        return (self.size // STRIDE) ** 2

    def module(self) -> "modules.Encoding":
        """Build the convolutions, at random."""
        return patches.PixelPatches(self)
