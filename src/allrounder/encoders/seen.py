"""What all inputs of pictures share."""

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
import pyarrow as pa

from allrounder.encoders import glimpses
from allrounder.encoders.base import Encoder
from allrounder.encoders.files import Files, known, one_file
from allrounder.encoders.pictures import PICTURE, WHITE_DOT, picture
from allrounder.encoders.preprocessing import Preprocessing
from allrounder.lazy import lazy
from allrounder.records import Field, content

if TYPE_CHECKING:
    from allrounder.encoders import grids
else:
    grids = lazy("allrounder.encoders.grids")

Change = Literal["crop", "flip", "colour"]
"""What training may do to a picture: cut a part out, mirror it, shift its colours."""


@dataclass(kw_only=True)
class Seen(Encoder):
    """An encoder that reads one picture.

    Args:
        augment: what training does to pictures at random: `crop`, `flip`, `colour`, or `true` for
            all three. Answers are never given on changed pictures.
    """

    values: ClassVar[str] = "pictures"

    augment: bool | list[Change] = False

    def __post_init__(self) -> None:
        one_file(self.fields, "picture")

    @property
    @abstractmethod
    def preprocessing(self) -> Preprocessing:
        """The steps from a picture to what the model sees."""

    @property
    def field(self) -> Field:
        """Paths of pictures, or their bytes."""
        return PICTURE

    def glimpse(self, value: Any) -> str | None:
        """Return a thumbnail of a picture."""
        return glimpses.thumbnail(content(value))

    @property
    def sample(self) -> bytes:
        """A white dot."""
        return WHITE_DOT

    @property
    def changes(self) -> list[str]:
        """What training does to pictures at random."""
        return ["crop", "flip", "colour"] if self.augment is True else list(self.augment or [])

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
        return grids.stacked(pixels, self.reach)
