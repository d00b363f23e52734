"""Pictures and sounds of records in formats that browsers show."""

import hashlib
from collections.abc import Mapping
from io import BytesIO
from typing import Any
from wave import open as wave_file

import numpy as np

from allrounder.encoders.pictures import picture
from allrounder.encoders.sounds import seconds, sound
from allrounder.errors import DataError
from allrounder.records.media import content

SIGNS = (
    (0, b"\x89PNG\r\n", "image/png"),
    (0, b"\xff\xd8\xff", "image/jpeg"),
    (0, b"GIF8", "image/gif"),
    (0, b"BM", "image/bmp"),
    (8, b"WEBP", "image/webp"),
    (4, b"ftypavif", "image/avif"),
    (8, b"WAVE", "audio/wav"),
    (0, b"OggS", "audio/ogg"),
    (0, b"fLaC", "audio/flac"),
    (0, b"ID3", "audio/mpeg"),
    (0, b"\xff\xfb", "audio/mpeg"),
)
"""Where a file has which bytes, and what it then is; nothing else is sent as it is."""

RATE = 24_000
"""Samples a second of a sound that had to be converted."""

LONGEST = 600
"""Seconds of it, at most."""


def shown(value: Mapping[str, Any], kind: str) -> tuple[str, bytes]:
    """Return the media type and the bytes of a file of a record.

    Args:
        value: digest, and path or bytes.
        kind: `picture` or `sound`.

    Raises:
        DataError: the file is gone, or not what was read.
    """
    try:
        held = content(value)
    except OSError as error:
        raise DataError(f"The file cannot be read: {error.strerror}.") from None
    if hashlib.blake2b(held, digest_size=16).hexdigest() != value["digest"]:
        raise DataError("The file has changed since it was read. Start the page again.")
    wanted = {"picture": "image/", "sound": "audio/"}[kind]
    for at, sign, type in SIGNS:
        if held[at : at + len(sign)] == sign and type.startswith(wanted):
            return type, held
    return _converted(held, kind)


def _converted(held: bytes, kind: str) -> tuple[str, bytes]:
    try:
        if kind == "sound":
            return "audio/wav", _wave(held)
        target = BytesIO()
        picture(held).save(target, "PNG")
        return "image/png", target.getvalue()
    except ValueError as error:
        raise DataError(str(error)) from None


def _wave(held: bytes) -> bytes:
    """Return a sound of another format as WAV."""
    lasts = min(LONGEST, seconds({"path": None, "bytes": held}))
    samples = sound(held, rate=RATE, num_samples=max(1, round(RATE * lasts)))
    target = BytesIO()
    with wave_file(target, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes((np.clip(samples, -1, 1) * 32767).astype("<i2").tobytes())
    return target.getvalue()
