"""Sounds: every format, rate and number of channels is read; what is none is refused in words."""

import io
import sys

import numpy as np
import pytest
import soundfile
from models import drawing, tone, wav

from allrounder.encoders.clips import cuts
from allrounder.encoders.sounds import CLICK, check_sound, seconds, sound
from allrounder.errors import MissingExtra


def encoded(wave: np.ndarray, rate: int, form: str, subtype: str | None = None) -> bytes:
    held = io.BytesIO()
    soundfile.write(held, wave, rate, format=form, subtype=subtype)
    return held.getvalue()


def sine(hertz: float, rate: int, length: float = 0.5) -> np.ndarray:
    return 0.5 * np.sin(2 * np.pi * hertz * np.arange(int(length * rate)) / rate)


FLAC = encoded(np.random.default_rng(0).normal(0, 0.1, 16_000), 16_000, "FLAC")
NAN = encoded(np.array([0.0, np.nan, 0.1]), 16_000, "WAV", "FLOAT")
INF = encoded(np.array([0.0, np.inf, 0.1]), 16_000, "WAV", "FLOAT")


@pytest.mark.parametrize(
    ("held", "words"),
    [
        (b"", "expected a sound, found an empty file."),
        (b"hello world", "expected a sound, found text that begins with 'hello world'."),
        (drawing(0), "expected a sound, found a PNG picture."),
        (b"\x00\x01\x02\xff" * 9, "expected a sound, found 36 bytes of no known format."),
        (tone(0)[:20], "expected a sound, found a WAV sound that is cut short or damaged."),
        (wav(np.zeros((0, 1)), 16_000), "expected a sound, found one without a single sample."),
        (NAN, "expected a sound, found samples that are no numbers."),
        (INF, "expected a sound, found samples that are no numbers."),
        (wav(np.zeros((9, 1)), 8),
         "expected a sound of 1,000 to 1,000,000 samples a second, found one of 8."),
        (FLAC[: len(FLAC) // 2],
         "expected a sound, found a FLAC sound that is cut short or damaged."),
    ],
    ids=lambda value: value[:50] if isinstance(value, str) else "held",  # bytes hold the time
)  # fmt: skip
def test_what_is_no_sound_is_refused_in_words(held, words):
    with pytest.raises(ValueError) as caught:
        check_sound(held)
    assert str(caught.value) == words


@pytest.mark.parametrize("name", ["soundfile", "soxr"])
def test_without_its_libraries_the_command_is_named(monkeypatch, name):
    monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(MissingExtra) as caught:
        check_sound(CLICK)
    assert str(caught.value) == (
        f"Inputs of kind `audio` need {name}. Try: pip install 'allrounder[audio]'"
    )


@pytest.mark.parametrize("form", ["WAV", "FLAC", "OGG", "MP3", "AIFF"])
@pytest.mark.parametrize("rate", [8_000, 16_000, 44_100])
def test_every_format_and_rate_is_read(form, rate):
    held = encoded(sine(440, rate), rate, form)
    check_sound(held)
    found = sound(held, rate=16_000, num_samples=8_000)
    assert found.dtype == np.float32
    assert len(found) == 8_000
    spectrum = np.abs(np.fft.rfft(found))
    assert abs(spectrum.argmax() * 2 - 440) <= 2, "bins are 2 Hz apart"


@pytest.mark.parametrize("rate", [1_000, 7_919, 11_025, 192_000])
def test_an_odd_rate_is_read(rate):
    found = sound(wav(sine(100, rate)[:, None], rate), rate=16_000, num_samples=8_000)
    assert abs(np.abs(np.fft.rfft(found)).argmax() * 2 - 100) <= 2


def test_channels_are_averaged():
    both = np.stack([np.full(400, 0.5), np.full(400, -0.25)], 1)
    found = sound(wav(both, 16_000), rate=16_000, num_samples=400)
    np.testing.assert_allclose(found, 0.125, atol=1e-4)


def test_a_sound_is_cut_and_filled_up_to_what_is_wanted():
    held = wav(np.full((100, 1), 0.5), 16_000)
    assert sound(held, rate=16_000, num_samples=10).shape == (10,)
    longer = sound(held, rate=16_000, num_samples=150)
    assert (longer[:100] > 0.4).all()
    assert (longer[100:] == 0).all()


def test_a_file_whose_end_is_missing_is_read_as_far_as_it_goes():
    held = tone(0, 1.0)
    check_sound(held[: len(held) // 2])


def test_the_head_of_a_file_tells_how_long_it_lasts(tmp_path):
    (tmp_path / "a.wav").write_bytes(tone(0, 1.5, 44_100))
    assert seconds({"path": str(tmp_path / "a.wav"), "bytes": None}) == 1.5
    assert seconds({"path": None, "bytes": tone(0, 0.25)}) == 0.25
    assert seconds({"path": None, "bytes": CLICK}) == 4 / 8_000


def test_silence_is_a_sound():
    check_sound(wav(np.zeros((100, 1)), 16_000))


@pytest.mark.parametrize(("length", "reach"), [(1, 10), (10, 10), (11, 10), (95, 10), (30, 10)])
def test_windows_are_as_few_as_can_be_and_of_equal_length(length, reach):
    parts = cuts(length, reach)
    assert parts[0][0] == 0
    assert parts[-1][1] == length
    assert [b for _, b in parts[:-1]] == [a for a, _ in parts[1:]]
    sizes = [b - a for a, b in parts]
    assert len(parts) == -(-length // reach)
    assert max(sizes) <= reach
    assert max(sizes) - min(sizes) <= 1
