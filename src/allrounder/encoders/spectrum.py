"""Sounds without pretrained weights: a log-mel spectrogram and a few convolutions over time."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pyarrow as pa

from allrounder.encoders.audio import Change, positive
from allrounder.encoders.base import Encoder
from allrounder.encoders.clips import Clips
from allrounder.encoders.hearing import Hearing
from allrounder.encoders.image import one_file
from allrounder.encoders.mel import kaldi_mel
from allrounder.encoders.sounds import CLICK, SOUND
from allrounder.lazy import lazy
from allrounder.records import Field

if TYPE_CHECKING:
    from allrounder.encoders import bands, modules, sounding
else:
    sounding, bands = lazy("allrounder.encoders.sounding"), lazy("allrounder.encoders.bands")


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
class Spectrum(Encoder):
    """Sounds by their spectrogram: no pretrained weights, nothing to download.

    An honest baseline beside a pretrained model; enough where pitch and loudness decide.

    Args:
        width: width of the vectors.
        num_mels: bands of frequencies up to 8 kHz.
        max_seconds: longer sounds are cut.
        augment: what training does to sounds at random: `noise`, `shift`, `mask`, or `true` for
            all three.
    """

    values: ClassVar[str] = "sounds"

    width: int = 64
    num_mels: int = 64
    max_seconds: float = 30.0
    augment: bool | list[Change] = False

    def __post_init__(self) -> None:
        one_file(self.fields, "sound")
        positive("max_seconds", self.max_seconds)

    @property
    def field(self) -> Field:
        """Paths of sounds, or their bytes."""
        return SOUND

    @property
    def sample(self) -> bytes:
        """A click."""
        return CLICK

    @property
    def hearing(self) -> Bands:
        """How sounds become spectrograms."""
        reach = round(self.max_seconds * 16_000)
        return Bands(rate=16_000, reach=reach, num_mels=self.num_mels)

    @property
    def changes(self) -> list[str]:
        """What training does to sounds at random."""
        return ["noise", "shift", "mask"] if self.augment is True else list(self.augment or [])

    @property
    def reach(self) -> int:
        """The tokens of a sound of `max_seconds`."""
        return self.hearing.tokens(self.hearing.reach)

    def prepare(self, values: Sequence[pa.Array], *, cache: Path | None = None) -> Clips:
        """Measure the sounds; they are decoded when a batch asks for them."""
        return self.hearing.listen(values[0], max_seconds=self.max_seconds)

    def length(self, tokens: Clips, whole: np.ndarray) -> np.ndarray:
        """Return how many tokens of each row are read."""
        return tokens.lengths

    def collate(self, tokens: Clips, rows: Sequence[int], whole: Sequence[bool]) -> Any:
        """Decode the sounds of some rows."""
        return sounding.windowed(tokens, rows, self.hearing)

    def module(self) -> "modules.Encoding":
        """Build the convolutions, at random."""
        return bands.SpectrumFrames(self)
