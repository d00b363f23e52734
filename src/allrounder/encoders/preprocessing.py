"""How a vision model wants its pictures: the numbers of preprocessor_config.json.

The same steps in the same order as transformers' processors on Pillow: resize, cut out the middle,
scale, normalize. Pixels are whole numbers until they are scaled, as there.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

import numpy as np

from allrounder.errors import ProjectError

SQUARE = {"size": {"height": 224, "width": 224}, "resample": 2, "do_center_crop": False}
CROPPED = {"size": {"shortest_edge": 224}, "resample": 3, "do_center_crop": True, "crop_size": 224}
NEUTRAL = {"image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5]}
IMAGENET = {"image_mean": [0.485, 0.456, 0.406], "image_std": [0.229, 0.224, 0.225]}
CLIP = {
    "image_mean": [0.48145466, 0.4578275, 0.40821073],
    "image_std": [0.26862954, 0.26130258, 0.27577711],
}
FAMILIES: dict[str, dict[str, Any]] = {
    "vit": {**SQUARE, **NEUTRAL},
    "siglip": {**SQUARE, **NEUTRAL, "resample": 3},
    "deit": {**SQUARE, **IMAGENET, "size": {"height": 256, "width": 256}, "resample": 3,
             "do_center_crop": True, "crop_size": 224},
    "convnext": {**SQUARE, **IMAGENET, "size": {"shortest_edge": 384}, "resample": 3},
    "clip": {**CROPPED, **CLIP},
    "bit": {**CROPPED, **CLIP},
}  # fmt: skip
"""What a processor takes for keys that its file leaves out."""

PERCENT = 224 / 256
"""The share of a ConvNeXt picture that is kept, where the file does not say."""


@dataclass(frozen=True, kw_only=True)
class Preprocessing:
    """The steps from a picture to pixels.

    Args:
        resize: height and width, or the length of the shorter edge; None leaves the size alone.
        crop: height and width of the middle that is cut out.
        resample: Pillow's number of the filter.
        scale: what pixels of 0 to 255 are multiplied with.
        mean: per colour, subtracted after scaling.
        std: per colour, divided by after that.
    """

    resize: tuple[int, int] | int | None
    crop: tuple[int, int] | None
    resample: int
    scale: float | None
    mean: tuple[float, ...]
    std: tuple[float, ...]

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width of what comes out."""
        return self.crop or self.resize  # type: ignore[return-value]

    def sized(self, size: int) -> Self:
        """Return the steps to squares of another size, as much cut off as before."""
        resize = self.resize
        if isinstance(resize, int):
            resize = round(resize * size / self.shape[0])
        elif resize is not None:
            resize = tuple(round(side * size / self.shape[0]) for side in resize)
        return replace(self, resize=resize, crop=(size, size) if self.crop else None)

    def __call__(self, picture: Any) -> np.ndarray:
        """Turn a picture in mode RGB into pixels: float32, [3, H, W]."""
        if self.resize is not None:
            height, width = self._target(picture.width, picture.height)
            picture = picture.resize((width, height), resample=self.resample)
        pixels = np.asarray(picture).transpose(2, 0, 1)
        if self.crop is not None:
            pixels = centered(pixels, self.crop)
        if self.scale is not None:
            pixels = (pixels.astype(np.float64) * self.scale).astype(np.float32)
        mean, std = (np.array(part, np.float32)[:, None, None] for part in (self.mean, self.std))
        return (pixels.astype(np.float32) - mean) / std

    def _target(self, width: int, height: int) -> tuple[int, int]:
        if not isinstance(self.resize, int):
            return self.resize  # type: ignore[return-value]
        short, long = self.resize, int(self.resize * max(width, height) / min(width, height))
        return (long, short) if width <= height else (short, long)


def centered(pixels: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Return the middle of a picture [3, H, W]; what it does not reach is black."""
    found = np.zeros((len(pixels), *shape), pixels.dtype)
    theirs, mine = zip(*map(_overlap, pixels.shape[1:], shape), strict=True)
    found[:, mine[0], mine[1]] = pixels[:, theirs[0], theirs[1]]
    return found


def _overlap(there: int, wanted: int) -> tuple[slice, slice]:
    """Return which part of one side is taken, and where it comes to lie."""
    if there >= wanted:
        start = (there - wanted) // 2
        return slice(start, start + wanted), slice(0, wanted)
    start = -(-(wanted - there) // 2)
    return slice(0, there), slice(start, start + there)


def read_preprocessing(folder: Path) -> Preprocessing:
    """Return the steps that the files in a model's folder describe.

    Raises:
        ProjectError: there are none, or pictures would come out in different shapes.
    """
    said = _said(folder)
    word = str(said.get("image_processor_type") or said.get("feature_extractor_type") or "ViT")
    family = next((name for name in FAMILIES if word.lower().startswith(name)), "vit")
    numbers = {**FAMILIES[family], **{k: v for k, v in said.items() if v is not None}}
    resize, crop = _sizes(numbers, family)
    if crop is None and not isinstance(resize, tuple):
        raise ProjectError(
            f"{folder} says in preprocessor_config.json that pictures keep their shape. Set "
            "`do_center_crop` and `crop_size`, so that they can stand in one batch."
        )
    plain = not numbers.get("do_normalize", True)
    return Preprocessing(
        resize=resize,
        crop=crop,
        resample=int(numbers["resample"]),
        scale=numbers.get("rescale_factor", 1 / 255) if numbers.get("do_rescale", True) else None,
        mean=(0.0,) * 3 if plain else tuple(numbers["image_mean"]),
        std=(1.0,) * 3 if plain else tuple(numbers["image_std"]),
    )


def _said(folder: Path) -> dict[str, Any]:
    if (folder / "preprocessor_config.json").exists():
        return json.loads((folder / "preprocessor_config.json").read_text(encoding="utf-8"))
    if (folder / "processor_config.json").exists():
        said = json.loads((folder / "processor_config.json").read_text(encoding="utf-8"))
        if "image_processor" in said:
            return said["image_processor"]
    raise ProjectError(
        f"{folder} holds no preprocessor_config.json, so nobody knows how the model wants pictures."
    )


def _sizes(numbers: Mapping[str, Any], family: str) -> tuple[Any, tuple[int, int] | None]:
    resize = _size(numbers["size"], square=family in {"vit", "deit", "siglip"})
    resize = resize if numbers.get("do_resize", True) else None
    crop = _size(numbers["crop_size"], square=True) if numbers["do_center_crop"] else None
    if family == "convnext" and isinstance(resize, int):
        if resize >= 384:
            return (resize, resize), crop
        return int(resize / numbers.get("crop_pct", PERCENT)), crop or (resize, resize)
    return resize, crop


def _size(size: Any, *, square: bool) -> Any:
    """Return height and width, or the shorter edge alone."""
    if isinstance(size, int):
        return (size, size) if square else size
    if isinstance(size, Mapping):
        return size.get("shortest_edge") or (size["height"], size["width"])
    return tuple(size)
