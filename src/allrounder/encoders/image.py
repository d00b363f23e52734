"""Pictures through a pretrained vision model."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

from allrounder.encoders.locate import copy_settings, read_config
from allrounder.encoders.preprocessing import Preprocessing, read_preprocessing
from allrounder.encoders.seen import Seen
from allrounder.encoders.tuned import Tuned, at_random
from allrounder.lazy import lazy

if TYPE_CHECKING:
    from allrounder.encoders import modules, vision
else:
    vision = lazy("allrounder.encoders.vision")


@dataclass(kw_only=True)
class Image(Seen, Tuned):
    """One picture through any Hugging Face vision model, such as ViT, DINOv2, ConvNeXt, CLIP.

    Of a model with two towers the one that sees is taken. Pictures are prepared as the model's
    preprocessor_config.json says.

    Args:
        pool: how patches become one vector: their `mean`, the token before them (`cls`), or what
            the model itself makes of them (`pooler`).
        size: side of the square that the model sees; by default what its preprocessor says.
    """

    pool: Literal["mean", "cls", "pooler"] = "mean"
    size: int | None = None

    def __post_init__(self) -> None:
        Tuned.__post_init__(self)
        Seen.__post_init__(self)
        at_random(self.augment, self.tune)
        if self.size is not None and self.size < 8:
            raise ValueError(f"has `size: {self.size}`. Expected 8 pixels or more.")

    def at(self, folder: Path) -> Self:
        """Return the encoder with `model` as the folder it lies in; refuse a model unlike it."""
        located = super().at(folder)
        _ = located.preprocessing
        return located

    @cached_property
    def preprocessing(self) -> Preprocessing:
        """The steps from a picture to what the model sees."""
        steps = read_preprocessing(self.folder)
        return steps.sized(self.size) if self.size else steps

    @property
    def reach(self) -> int:
        """The patches of a picture."""
        config = read_config(self.model)
        stride = _stride(config.get("vision_config") or config)
        height, width = self.preprocessing.shape
        return max(1, height // stride) * max(1, width // stride)

    def module(self) -> "modules.Encoding":
        """Load the pretrained model."""
        return vision.Vision(self)

    def save(self, folder: Path) -> None:
        """Copy the configuration and the preprocessing of the model."""
        names = ("preprocessor_config.json", "processor_config.json")
        copy_settings(self.folder, folder, names)


def _stride(config: dict[str, Any]) -> int:
    """Return the side of the square of pixels that becomes one token."""
    patch = config.get("patch_size")
    patch = patch[0] if isinstance(patch, list) else patch
    if "depths" in config:  # halved between stages
        return (patch or 4) << (len(config["depths"]) - 1)
    return patch or 32
