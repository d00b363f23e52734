"""Log-mel spectrograms in NumPy, as the feature extractors of Whisper and AST compute them.

The banks of filters come from transformers.audio_utils, which needs nothing but NumPy.
"""

from functools import lru_cache
from typing import TYPE_CHECKING, Literal

import numpy as np

from allrounder.lazy import lazy

if TYPE_CHECKING:
    from transformers import audio_utils
else:
    audio_utils = lazy("transformers.audio_utils")


@lru_cache(maxsize=16)
def filters(
    num_mels: int, num_bins: int, rate: int, kind: Literal["slaney", "kaldi"]
) -> np.ndarray:
    """Return the weight of each frequency in each band: [num_bins, num_mels]."""
    own = (
        {"min_frequency": 0.0, "max_frequency": min(8000.0, rate / 2), "norm": "slaney"}
        if kind == "slaney"
        else {"min_frequency": 20, "max_frequency": rate // 2, "triangularize_in_mel_space": True}
    )
    return audio_utils.mel_filter_bank(
        num_frequency_bins=num_bins, num_mel_filters=num_mels, sampling_rate=rate,
        mel_scale=kind, **own,
    )  # fmt: skip


def frames(wave: np.ndarray, size: int, hop: int) -> np.ndarray:
    """Return overlapping pieces of a sound, as views: [T, size]."""
    return np.lib.stride_tricks.sliding_window_view(wave, size)[::hop]


def whisper_mel(wave: np.ndarray, *, rate: int, num_mels: int, hop: int, size: int) -> np.ndarray:
    """Return log-mel energies as Whisper reads them: [num_mels, len(wave) // hop].

    Decades below the loudest, at most eight, scaled to about -1 to 1 (Radford et al. 2022, 2.2).
    """
    padded = np.pad(wave.astype(np.float64), size // 2, mode="reflect")
    window = np.hanning(size + 1)[:-1]
    power = np.abs(np.fft.rfft(frames(padded, size, hop)[:-1] * window)) ** 2
    energy = (power @ filters(num_mels, size // 2 + 1, rate, "slaney")).T
    found = np.log10(np.maximum(energy, 1e-10))
    found = np.maximum(found, found.max() - 8.0)
    return ((found + 4.0) / 4.0).astype(np.float32)


def kaldi_mel(wave: np.ndarray, *, rate: int, num_mels: int) -> np.ndarray:
    """Return log-mel energies as Kaldi and AST compute them: [T, num_mels].

    Frames of 25 ms every 10 ms at 16 kHz, each without its mean, pre-emphasized by 0.97.
    """
    wave = np.pad(wave.astype(np.float64), (0, max(0, 400 - len(wave))))
    pieces = frames(wave, 400, 160)
    pieces = pieces - pieces.mean(1, keepdims=True)
    before = np.concatenate([pieces[:, :1], pieces[:, :-1]], 1)
    power = np.abs(np.fft.rfft((pieces - 0.97 * before) * np.hanning(400), n=512)) ** 2
    energy = power @ filters(num_mels, 257, rate, "kaldi")
    return np.log(np.maximum(energy, np.finfo(np.float32).eps)).astype(np.float32)
