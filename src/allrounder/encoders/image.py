"""Pictures through a pretrained vision model."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

import numpy as np
import pyarrow as pa

from allrounder.encoders.files import Files, known
from allrounder.encoders.locate import copy_settings, read_config
from allrounder.encoders.pictures import PICTURE, WHITE_DOT, picture
from allrounder.encoders.preprocessing import Preprocessing, read_preprocessing
from allrounder.encoders.tuned import Tuned
from allrounder.lazy import lazy
from allrounder.records import Field

if TYPE_CHECKING:
    from allrounder.encoders import grids, modules, vision
else:
    grids, vision = lazy("allrounder.encoders.grids"), lazy("allrounder.encoders.vision")

Change = Literal["crop", "flip", "colour"]
"""What training may do to a picture: cut a part out, mirror it, shift its colours."""


@dataclass(kw_only=True)
class Image(Tuned):
    """One picture through any Hugging Face vision model, such as ViT, DINOv2, ConvNeXt, CLIP.

    Of a model with two towers the one that sees is taken. Pictures are prepared as the model's
    preprocessor_config.json says.

    Args:
        pool: how patches become one vector: their `mean`, the token before them (`cls`), or what
            the model itself makes of them (`pooler`).
        size: side of the square that the model sees; by default what its preprocessor says.
        augment: what training does to pictures at random: `crop`, `flip`, `colour`, or `true` for
            all three. Answers are never given on changed pictures.
    """

    values: ClassVar[str] = "pictures"

    pool: Literal["mean", "cls", "pooler"] = "mean"
    size: int | None = None
    augment: bool | list[Change] = False

    def __post_init__(self) -> None:
        super().__post_init__()
        one_file(self.fields, "picture")
        at_random(self.augment, self.tune)
        if self.size is not None and self.size < 8:
            raise ValueError(f"has `size: {self.size}`. Expected 8 pixels or more.")

    def at(self, folder: Path) -> Self:
        """Return the encoder with `model` as the folder it lies in; refuse a model unlike it."""
        located = super().at(folder)
        _ = located.preprocessing
        return located

    @property
    def field(self) -> Field:
        """Paths of pictures, or their bytes."""
        return PICTURE

    @property
    def sample(self) -> bytes:
        """A white dot."""
        return WHITE_DOT

    @cached_property
    def preprocessing(self) -> Preprocessing:
        """The steps from a picture to what the model sees."""
        steps = read_preprocessing(self.folder)
        return steps.sized(self.size) if self.size else steps

    @property
    def changes(self) -> list[str]:
        """What training does to pictures at random."""
        return ["crop", "flip", "colour"] if self.augment is True else list(self.augment or [])

    @property
    def reach(self) -> int:
        """The patches of a picture."""
        config = read_config(self.model)
        stride = _stride(config.get("vision_config") or config)
        height, width = self.preprocessing.shape
        return max(1, height // stride) * max(1, width // stride)

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
        """Load the pretrained model."""
        return vision.Vision(self)

    def save(self, folder: Path) -> None:
        """Copy the configuration and the preprocessing of the model."""
        names = ("preprocessor_config.json", "processor_config.json")
        copy_settings(self.folder, folder, names)


def at_random(augment: Any, tune: str) -> None:
    """Refuse changes at random before an encoder that reads every record once."""
    if augment and tune == "frozen":
        raise ValueError(
            "has `augment` and `tune: frozen`. A frozen encoder reads every record once, "
            "unchanged. Leave one of them out."
        )


def one_file(fields: list[str] | None, what: str) -> None:
    """Refuse more columns than one."""
    if fields is not None and len(fields) != 1:
        raise ValueError(
            f"reads one {what}. Got {len(fields)} `fields`. Make each {what} an input of its own."
        )


def _stride(config: dict[str, Any]) -> int:
    """Return the side of the square of pixels that becomes one token."""
    patch = config.get("patch_size")
    patch = patch[0] if isinstance(patch, list) else patch
    if "depths" in config:  # halved between stages
        return (patch or 4) << (len(config["depths"]) - 1)
    return patch or 32
