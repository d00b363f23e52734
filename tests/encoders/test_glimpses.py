"""Small views of pictures and sounds, for reports."""

import base64
import re
from io import BytesIO

import numpy as np
import pytest
from models import wav
from PIL import Image

from allrounder.encoders.glimpses import thumbnail, waveform


def opened(uri, kind):
    head, _, held = uri.partition(",")
    assert head == f"data:{kind};base64"
    return base64.b64decode(held)


def test_a_thumbnail_is_small_and_keeps_its_shape():
    held = BytesIO()
    Image.new("RGB", (400, 200), "red").save(held, "PNG")
    small = Image.open(BytesIO(opened(thumbnail(held.getvalue()), "image/jpeg")))
    assert small.size == (96, 48)
    assert np.asarray(small).mean((0, 1)) == pytest.approx([254, 0, 0], abs=2)


def test_a_waveform_is_high_where_it_is_loud():
    loud = np.linspace(0, 1, 16_000) > 0.5
    held = wav((np.sin(np.arange(16_000) / 5) * loud)[:, None], 16_000)
    drawn = opened(waveform(held), "image/svg+xml").decode()
    heights = [float(part) for part in re.findall(r"[0-9]v([0-9.]+)", drawn)]
    assert len(heights) == 80
    assert max(heights[:38]) < 3 < 25 < min(heights[42:])


def test_what_is_no_picture_has_no_view():
    with pytest.raises(ValueError, match="expected a picture"):
        thumbnail(b"no picture")
