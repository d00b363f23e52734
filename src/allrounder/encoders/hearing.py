"""What a speech or sound model hears: its rate, its windows, and the numbers it is given.

One class per family of models, each with the steps of the feature extractor that transformers has
for it, in NumPy.
"""

import json
import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from allrounder.encoders.clips import Clips, cuts
from allrounder.encoders.files import in_order, known
from allrounder.encoders.locate import read_config
from allrounder.encoders.mel import kaldi_mel, whisper_mel
from allrounder.encoders.sounds import seconds
from allrounder.errors import ProjectError


@dataclass(frozen=True, kw_only=True)
class Hearing(ABC):
    """How one family of models hears.

    Args:
        rate: samples a second.
        reach: the most samples that are read at once.
    """

    rate: int
    reach: int

    @abstractmethod
    def tokens(self, num_samples: int) -> int:
        """Return how many tokens one window of so many samples becomes."""

    @abstractmethod
    def heard(self, wave: np.ndarray) -> np.ndarray:
        """Return what the model is given for one window: steps come last."""

    def read(self, num_samples: int) -> int:
        """Return how many tokens the model reads in one window, the padding that it wants too."""
        return self.tokens(num_samples)

    def windows(self, num_samples: int) -> list[int]:
        """Return the lengths of the windows in which a sound is read."""
        return [end - start for start, end in cuts(num_samples, self.reach)]

    def count(self, num_samples: int) -> int:
        """Return how many tokens a sound becomes, in as many windows as it takes."""
        return sum(map(self.tokens, self.windows(num_samples)))

    def listen(self, values: pa.Array | pa.ChunkedArray, *, max_seconds: float) -> Clips:
        """Return sounds measured by the heads of their files.

        Args:
            values: one value of a `FileField` per row, null where missing.
            max_seconds: longer sounds are cut.
        """
        rows = np.flatnonzero(known(values)).tolist()
        lasting = in_order(lambda row: seconds(values[row].as_py()), rows)
        whole = np.zeros(len(values), np.int64)
        whole[rows] = [max(1, round(length * self.rate)) for length in lasting]
        samples = np.minimum(whole, round(max_seconds * self.rate))
        mark = f"{self!r} {max_seconds}"
        return Clips(values, samples, self._each(self.count, samples), mark,
                     self._each(self.count, whole))  # fmt: skip

    def lengths(self, clips: Clips) -> np.ndarray:
        """Return how many tokens of each sound the model reads."""
        return self._each(lambda count: sum(map(self.read, self.windows(count))), clips.samples)

    @staticmethod
    def _each(count: Callable[[int], int], samples: np.ndarray) -> np.ndarray:
        return np.array([count(one) if one else 0 for one in samples.tolist()], np.int64)


@dataclass(frozen=True, kw_only=True)
class Waves(Hearing):
    """The waveform itself, with mean 0 and variance 1: wav2vec 2.0, HuBERT and their kin.

    Args:
        kernels: widths of the convolutions that make frames.
        strides: their steps.
        normal: whether mean and variance are set.
        masks: whether the model was trained to look away from padding.
    """

    kernels: Sequence[int]
    strides: Sequence[int]
    normal: bool
    masks: bool

    @property
    def least(self) -> int:
        """The samples that become one frame."""
        field = 1
        for kernel, stride in zip(reversed(self.kernels), reversed(self.strides), strict=True):
            field = (field - 1) * stride + kernel
        return field

    def tokens(self, num_samples: int) -> int:
        """Return the frames of a window."""
        found = max(num_samples, self.least)
        for kernel, stride in zip(self.kernels, self.strides, strict=True):
            found = (found - kernel) // stride + 1
        return found

    def read(self, num_samples: int) -> int:
        """Return the frames of a window with its padding."""
        return self.tokens(self._padded(num_samples))

    def _padded(self, num_samples: int) -> int:
        step = 1 if self.masks else self.rate // 2
        return -(-max(num_samples, self.least) // step) * step

    def heard(self, wave: np.ndarray) -> np.ndarray:
        """Return the waveform, padded with silence.

        A model that looks away from padding gets a sound as it is. Another hears the padding: it
        gets full half seconds whatever its batch, so that its answer is always the same.
        """
        if self.normal:
            wave = (wave - wave.mean()) / np.sqrt(wave.var() + 1e-7)
        return np.pad(wave, (0, self._padded(len(wave)) - len(wave))).astype(np.float32)


@dataclass(frozen=True, kw_only=True)
class Mels(Hearing):
    """Whisper's log-mel spectrogram of a window of fixed length, the rest of it silence.

    Args:
        num_mels: bands of frequencies.
        hop: samples between two columns; two columns become one frame.
        size: samples that a column sees.
    """

    num_mels: int
    hop: int
    size: int

    def tokens(self, num_samples: int) -> int:
        """Return the frames in which there is sound."""
        return max(1, -(-num_samples // (2 * self.hop)))

    def read(self, num_samples: int) -> int:
        """Return the frames of the whole window."""
        return self.reach // (2 * self.hop)

    def heard(self, wave: np.ndarray) -> np.ndarray:
        """Return the spectrogram: [M, N]."""
        wave = np.pad(wave, (0, self.reach - len(wave)))
        return whisper_mel(
            wave, rate=self.rate, num_mels=self.num_mels, hop=self.hop, size=self.size
        )


@dataclass(frozen=True, kw_only=True)
class Kaldi(Hearing):
    """Kaldi's log-mel spectrogram of fixed length, as the Audio Spectrogram Transformer reads it.

    Args:
        num_mels: bands of frequencies.
        num_columns: columns of the spectrogram, one every 10 ms.
        patches: into how many patches it is cut.
        mean: what is subtracted.
        std: half of what it is divided by.
    """

    num_mels: int
    num_columns: int
    patches: int
    mean: float
    std: float

    def tokens(self, num_samples: int) -> int:
        """Return the patches, always as many: the model knows silence by its patches."""
        return self.patches

    def heard(self, wave: np.ndarray) -> np.ndarray:
        """Return the spectrogram: [M, N]."""
        found = kaldi_mel(wave, rate=self.rate, num_mels=self.num_mels)[: self.num_columns]
        found = np.pad(found, ((0, self.num_columns - len(found)), (0, 0)))
        return ((found - self.mean) / (2 * self.std)).T.astype(np.float32)


def read_hearing(folder: str, *, window: float | None) -> Hearing:
    """Return how the model in a folder hears.

    Args:
        folder: the folder of the model.
        window: seconds that are read at once, if other than what the model is made for.

    Raises:
        ProjectError: the model is of no family known here, or cannot read such a window.
    """
    config, said = read_config(folder), _said(Path(folder))
    rate = said.get("sampling_rate", 16_000)
    if config.get("model_type") == "whisper":
        return _mels(config, said, rate, window)
    if config.get("model_type") == "audio-spectrogram-transformer":
        if window is not None:
            raise ProjectError(
                f"`window: {window:g}`: the model in {folder} reads spectrograms of one length. "
                "Leave it out."
            )
        return _kaldi(config, said, rate)
    if "conv_kernel" in config and "conv_stride" in config:
        return _waves(config, said, rate, window or LONGEST)
    raise ProjectError(
        f"{folder} holds a model of type {config.get('model_type')!r}, which hears nothing known "
        "here. Known: whisper, audio-spectrogram-transformer, and models over waveforms such as "
        "wav2vec2 and hubert."
    )


def _said(folder: Path) -> dict[str, Any]:
    path = folder / "preprocessor_config.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}


LONGEST = 20
"""Seconds that a model over waveforms reads at once: its attention grows with their square."""


def _waves(config: Mapping[str, Any], said: Mapping[str, Any], rate: int, window: float) -> Waves:
    return Waves(
        rate=rate,
        reach=round(window * rate),
        kernels=config["conv_kernel"],
        strides=config["conv_stride"],
        normal=said.get("do_normalize", True),
        masks=config.get("feat_extract_norm") == "layer",
    )


def _mels(
    config: Mapping[str, Any], said: Mapping[str, Any], rate: int, window: float | None
) -> Mels:
    hop = said.get("hop_length", 160)
    whole = config.get("max_source_positions", 1500)
    positions = whole if window is None else min(whole, math.ceil(window * rate / (2 * hop)))
    return Mels(
        rate=rate,
        reach=positions * 2 * hop,
        num_mels=config.get("num_mel_bins", 80),
        hop=hop,
        size=said.get("n_fft", 400),
    )


def _kaldi(config: Mapping[str, Any], said: Mapping[str, Any], rate: int) -> Kaldi:
    num_mels, columns = config.get("num_mel_bins", 128), config.get("max_length", 1024)
    side = config.get("patch_size", 16)
    down = (num_mels - side) // config.get("frequency_stride", 10) + 1
    across = (columns - side) // config.get("time_stride", 10) + 1
    plain = not said.get("do_normalize", True)
    return Kaldi(
        rate=rate,
        reach=(columns - 1) * 160 + 400,
        num_mels=num_mels,
        num_columns=columns,
        patches=down * across,
        mean=0.0 if plain else said.get("mean", -4.2677393),
        std=0.5 if plain else said.get("std", 4.5689974),
    )
