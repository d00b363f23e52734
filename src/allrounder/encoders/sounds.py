"""Sounds of any format and rate, as libsndfile reads them."""

from collections.abc import Mapping
from io import BytesIO
from typing import Any

import numpy as np

from allrounder.encoders.extras import extra
from allrounder.encoders.found import what_it_is
from allrounder.records import FileField

SLOWEST, FASTEST = 1_000, 1_000_000
"""Samples a second; what says less or more is no sound that anybody hears."""

CLICK = bytes.fromhex(
    "524946462c00000057415645666d74201000000001000100401f0000803e00000200100064617461080000000000"
    "004000c00000"
)
"""The smallest sound: a WAV file of four samples."""


def _soundfile() -> Any:
    return extra("soundfile", name="audio", package="soundfile")


def _soxr() -> Any:
    return extra("soxr", name="audio", package="soxr")


def check_sound(held: bytes) -> None:
    """Read a file to its end.

    Raises:
        ValueError: what it holds is no sound, or none that can be heard.
    """
    _soxr()  # missing, it is better missed now than in the middle of a training
    with _opened(held) as file:
        if not SLOWEST <= file.samplerate <= FASTEST:
            raise ValueError(
                f"expected a sound of {SLOWEST:,} to {FASTEST:,} samples a second, found one of "
                f"{file.samplerate:,}."
            )
        count = 0
        for block in _blocks(file):
            count += len(block)
            if not np.isfinite(block).all():
                raise ValueError("expected a sound, found samples that are no numbers.")
    if not count:
        raise ValueError("expected a sound, found one without a single sample.")


SOUND = FileField("a sound", check_sound)


def _opened(held: bytes) -> Any:
    library = _soundfile()
    try:
        return library.SoundFile(BytesIO(held))
    except library.LibsndfileError:
        raise ValueError(f"expected a sound, found {what_it_is(held, 'sound')}.") from None


def _blocks(file: Any) -> Any:
    try:
        yield from file.blocks(1 << 16, dtype="float32", always_2d=True)
    except _soundfile().LibsndfileError:
        raise ValueError(
            f"expected a sound, found a {file.format} sound that is cut short or damaged."
        ) from None


def seconds(value: Mapping[str, Any]) -> float:
    """Return how long a sound lasts; only the head of the file is read."""
    place = value["path"] if value["bytes"] is None else BytesIO(value["bytes"])
    about = _soundfile().info(place)
    return about.frames / about.samplerate


def sound(held: bytes, *, rate: int, num_samples: int) -> np.ndarray:
    """Return the beginning of a sound: float32, [num_samples].

    Channels are averaged, and soxr brings the sound to the wanted rate. The rest is silence where
    the sound is shorter.

    Args:
        held: the content of a file.
        rate: samples a second.
        num_samples: how many of them.
    """
    with _opened(held) as file:
        wanted = 1 + num_samples * file.samplerate // rate
        waves, theirs = file.read(wanted, dtype="float32", always_2d=True), file.samplerate
    wave = np.ascontiguousarray(waves.mean(1))
    if theirs != rate:
        wave = _soxr().resample(wave, theirs, rate)
    found = np.zeros(num_samples, np.float32)
    found[: len(wave)] = wave[:num_samples]
    return found
