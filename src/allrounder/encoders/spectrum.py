"""Sounds without pretrained weights: a log-mel spectrogram and a few convolutions over time."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from allrounder.encoders.heard import Heard
from allrounder.encoders.hearing import Hearing
from allrounder.encoders.mel import kaldi_mel
from allrounder.lazy import lazy

if TYPE_CHECKING:
    from allrounder.encoders import bands, modules
else:
    bands = lazy("allrounder.encoders.bands")


@dataclass(frozen=True, kw_only=True)
class Bands(Hearing):
    """A log-mel spectrogram as long as the sound; eight columns of 10 ms become one token."""

    num_mels: int

    def tokens(self, num_samples: int) -> int:
        """Return the columns of a window, halved three times."""
        return -(-(1 + max(0, num_samples - 400) // 160) // 8)

    def heard(self, wave: np.ndarray) -> np.ndarray:
        """Return the spectrogram, [M, N], with the mean and spread of everyday sounds taken out."""
        found = kaldi_mel(wave, rate=self.rate, num_mels=self.num_mels)
        return ((found + 4.27) / 9.14).T


@dataclass(kw_only=True)
class Spectrum(Heard):
    """Sounds by their spectrogram: no pretrained weights, nothing to download.

    An honest baseline beside a pretrained model; enough where pitch and loudness decide.

    Args:
        width: width of the vectors.
        num_mels: bands of frequencies up to 8 kHz.
    """

    width: int = 64
    num_mels: int = 64

    @property
    def hearing(self) -> Bands:
        """How sounds become spectrograms."""
        reach = round(self.max_seconds * 16_000)
        return Bands(rate=16_000, reach=reach, num_mels=self.num_mels)

    def module(self) -> "modules.Encoding":
        """Build the convolutions, at random."""
        return bands.SpectrumFrames(self)
