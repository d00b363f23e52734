"""Small views of pictures and sounds for reports, as data URIs."""

import base64
from io import BytesIO

import numpy as np

from allrounder.encoders.pictures import picture
from allrounder.encoders.sounds import seconds, sound

SIDE = 96
"""Pixels of the longer side of a picture."""

BARS = 80
"""Bars of a waveform."""

RATE = 8_000
"""Samples a second of a sound whose waveform is drawn."""

SECONDS = 60
"""How much of a sound is drawn, at most."""


def thumbnail(held: bytes) -> str:
    """Return a small JPEG of a picture.

    Raises:
        ValueError: it is no picture.
    """
    small = picture(held)
    small.thumbnail((SIDE, SIDE))
    target = BytesIO()
    small.save(target, "JPEG", quality=80)
    return _uri("image/jpeg", target.getvalue())


def waveform(held: bytes) -> str:
    """Return the loudness of a sound over time, as bars.

    Raises:
        ValueError: it is no sound.
    """
    lasts = min(SECONDS, seconds({"path": None, "bytes": held}))
    samples = np.abs(sound(held, rate=RATE, num_samples=max(1, round(RATE * lasts))))
    peaks = np.array([part.max(initial=0) for part in np.array_split(samples, BARS)])
    heights = 2 + 26 * peaks / max(float(peaks.max()), 1e-9)
    bars = "".join(
        f"M{2 * at + 1} {15 - height / 2:.1f}v{height:.1f}" for at, height in enumerate(heights)
    )
    drawn = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {2 * BARS} 30" width="{2 * BARS}" '
        f'height="30"><path d="{bars}" stroke="#2157b8"/></svg>'
    )
    return _uri("image/svg+xml", drawn.encode())


def _uri(kind: str, content: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"
