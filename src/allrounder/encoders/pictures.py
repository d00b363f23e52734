"""Pictures of any format, colour and size, as Pillow reads them.

Every picture becomes plain red, green and blue, the right way up: the turn that a camera wrote
into EXIF is made, what is transparent shows white, and of an animation the first frame counts.
"""

import re
import struct
import zlib
from io import BytesIO
from typing import Any

import numpy as np

from allrounder.encoders.extras import extra
from allrounder.encoders.found import what_it_is
from allrounder.records import FileField

MOST_PIXELS = 64_000_000
"""Larger pictures are refused: a small file can unpack into more than memory holds."""

FORMATS = (
    "PNG", "JPEG", "MPO", "WEBP", "AVIF", "GIF", "BMP", "DIB", "TIFF", "JPEG2000", "PPM", "ICO",
    "ICNS", "TGA", "PCX", "SGI", "DDS", "PSD", "QOI",
)  # fmt: skip
"""What is read. Others are not: for EPS, Pillow would start another program on the file."""

BROKEN = (OSError, ValueError, SyntaxError, EOFError, struct.error, zlib.error, IndexError)
"""What Pillow raises at files that are cut short or damaged."""

CLEAR = {"RGBA", "RGBa", "LA", "La", "PA"}
"""The modes in which pixels may be transparent."""

WHITE_DOT = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108000000003a7e9b550"
    "000000a49444154789c63f80f0001010100b138f6140000000049454e44ae426082"
)
"""The smallest picture: a PNG of one white pixel."""


def _pillow(module: str) -> Any:
    return extra(f"PIL.{module}", name="image", package="Pillow")


def picture(held: bytes) -> Any:
    """Return the picture that a file holds: a Pillow image in mode RGB.

    Raises:
        ValueError: it holds none.
    """
    found = _opened(held)
    _load(found)
    return _rgb(_turned(found), found.format)


def check_picture(held: bytes) -> None:
    """Decode a file as fast as it goes.

    Raises:
        ValueError: what it holds is no picture, cut short, damaged, or too large.
    """
    found = _opened(held)
    small = tuple(max(1, side // 8) for side in found.size)
    found.draft("RGB", small)  # a JPEG is read through, but put together at an eighth of its size
    _load(found)
    _rgb(found, found.format)


PICTURE = FileField("a picture", check_picture)


def _opened(held: bytes) -> Any:
    image = _pillow("Image")
    if not held:
        raise ValueError("expected a picture, found an empty file.")
    try:
        image.init()
        found = image.open(BytesIO(held), formats=[form for form in FORMATS if form in image.OPEN])
    except (image.DecompressionBombError, image.DecompressionBombWarning) as error:
        raise ValueError(_too_large(int(re.findall(r"\d+", str(error))[0]))) from None
    except BROKEN:  # UnidentifiedImageError is an OSError
        raise ValueError(f"expected a picture, found {what_it_is(held, 'picture')}.") from None
    if found.width * found.height > MOST_PIXELS:
        raise ValueError(_too_large(found.width * found.height))
    return found


def _too_large(pixels: int) -> str:
    most = MOST_PIXELS // 1_000_000
    return f"expected a picture of at most {most} megapixels, found {pixels / 1e6:,.0f}."


def _load(found: Any) -> None:
    try:
        found.load()
    except BROKEN:
        raise ValueError(
            f"expected a picture, found a {found.format} picture that is cut short or damaged."
        ) from None


def _turned(found: Any) -> Any:
    try:
        return _pillow("ImageOps").exif_transpose(found)
    except BROKEN:  # EXIF that makes no sense turns nothing
        return found


def _rgb(found: Any, form: str) -> Any:
    try:
        if found.mode in {"F", "I"} or found.mode.startswith("I;16"):
            return _eight_bits(found)
        if found.mode in CLEAR or "transparency" in found.info:
            return _on_white(found.convert("RGBA"))
        return found.convert("RGB")
    except BROKEN:
        raise ValueError(
            f"expected a picture, found a {form} picture in {found.mode}, which has no red, green "
            "and blue."
        ) from None


def _eight_bits(found: Any) -> Any:
    """Return a grey picture of 16 bits, or of floats between 0 and 1, as one of 8 bits."""
    values = np.asarray(found, dtype=np.float64)
    values = np.nan_to_num(values) * (255 if found.mode == "F" else 1 / 257)
    grey = np.clip(np.rint(values), 0, 255).astype(np.uint8)
    return _pillow("Image").fromarray(grey).convert("RGB")


def _on_white(found: Any) -> Any:
    white = _pillow("Image").new("RGBA", found.size, "white")
    white.alpha_composite(found)
    return white.convert("RGB")
