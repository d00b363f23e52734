"""Log-mel spectrograms in NumPy, as the feature extractors of Whisper and AST compute them."""

from functools import lru_cache
from typing import Literal

import numpy as np

Scale = Literal["slaney", "kaldi"]


@lru_cache(maxsize=16)
def filters(num_mels: int, num_bins: int, rate: int, scale: Scale) -> np.ndarray:
    """Return the weight of each frequency in each band, triangles: [num_bins, num_mels].

    Slaney's (1998) are drawn over hertz, up to 8 kHz, and have equal areas. Kaldi's are drawn over
    mels, from 20 Hz up, and have equal heights.
    """
    hertz = np.linspace(0, rate / 2, num_bins)
    if scale == "kaldi":
        ends = np.log1p(np.array([20, rate / 2]) / 700)
        return _triangles(np.log1p(hertz / 700), np.linspace(*ends, num_mels + 2))
    edges = _slaney_hertz(np.linspace(0, _slaney_mels(min(8000.0, rate / 2)), num_mels + 2))
    return _triangles(hertz, edges) * (2.0 / (edges[2:] - edges[:-2]))


def _triangles(points: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """Return how high each point lies under each triangle over three edges in a row."""
    left, middle, right = edges[:-2], edges[1:-1], edges[2:]
    up = (points[:, None] - left) / (middle - left)
    down = (right - points[:, None]) / (right - middle)
    return np.maximum(0, np.minimum(up, down))


def _slaney_mels(hertz: float) -> float:
    return 3 * hertz / 200 if hertz < 1000 else 15 + np.log(hertz / 1000) * 27 / np.log(6.4)


def _slaney_hertz(mels: np.ndarray) -> np.ndarray:
    return np.where(mels < 15, 200 * mels / 3, 1000 * np.exp((mels - 15) * np.log(6.4) / 27))


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
