"""Pictures without pretrained weights: a few convolutions on a small square."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
import pyarrow as pa

from allrounder.encoders.base import Encoder
from allrounder.encoders.files import Files, known
from allrounder.encoders.image import Change, one_file
from allrounder.encoders.pictures import PICTURE, WHITE_DOT, picture
from allrounder.encoders.preprocessing import Preprocessing
from allrounder.lazy import lazy
from allrounder.records import Field

if TYPE_CHECKING:
    from allrounder.encoders import grids, modules, patches, vision
else:
    grids, vision = lazy("allrounder.encoders.grids"), lazy("allrounder.encoders.vision")
    patches = lazy("allrounder.encoders.patches")

STRIDE = 8
"""Pixels, or steps of a spectrogram, along the side of what becomes one token."""


@dataclass(kw_only=True)
class Pixels(Encoder):
    """Pictures on a small square: no pretrained weights, nothing to download.

    An honest baseline beside a pretrained model; enough where shape and colour decide.

    Args:
        size: side of the square that pictures are shrunk to.
        width: width of the vectors.
        augment: what training does to pictures at random: `crop`, `flip`, `colour`, or `true` for
            all three.
    """

    values: ClassVar[str] = "pictures"

    size: Literal[32, 64] = 32
    width: int = 64
    augment: bool | list[Change] = False

    def __post_init__(self) -> None:
        one_file(self.fields, "picture")

    @property
    def field(self) -> Field:
        """Paths of pictures, or their bytes."""
        return PICTURE

    @property
    def sample(self) -> bytes:
        """A white dot."""
        return WHITE_DOT

    @property
    def preprocessing(self) -> Preprocessing:
        """Shrink to the square; pixels from -1 to 1."""
        square = (self.size, self.size)
        half = (0.5, 0.5, 0.5)
        return Preprocessing(
            resize=square, crop=None, resample=2, scale=1 / 255, mean=half, std=half
        )

    @property
    def changes(self) -> list[str]:
        """What training does to pictures at random."""
        return ["crop", "flip", "colour"] if self.augment is True else list(self.augment or [])

    @property
    def reach(self) -> int:
        """The patches of a picture."""
        return (self.size // STRIDE) ** 2

    def prepare(self, values: Sequence[pa.Array], *, cache: Path | None = None) -> Files:
        """Return the pictures; they are decoded when a batch asks for them."""
        lengths = np.where(known(values[0]), self.reach, 0)
        return Files(values[0], lengths, repr(self.preprocessing))

    def length(self, tokens: Files, whole: np.ndarray) -> np.ndarray:
        """Return how many patches of each row are read."""
        return tokens.lengths

    def collate(self, tokens: Files, rows: Sequence[int], whole: Sequence[bool]) -> Any:
        """Decode the pictures of some rows."""
        steps = self.preprocessing
        pixels = tokens.decoded(rows, lambda _, held: steps(picture(held)))
        return grids.Grids(vision.stacked(pixels), self.reach)

    def module(self) -> "modules.Encoding":
        """Build the convolutions, at random."""
        return patches.PixelPatches(self)
