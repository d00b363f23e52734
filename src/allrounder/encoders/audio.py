"""Sounds through a pretrained speech or sound model."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pyarrow as pa

from allrounder.encoders.clips import Clips, clips
from allrounder.encoders.hearing import Hearing, read_hearing
from allrounder.encoders.image import at_random, one_file
from allrounder.encoders.locate import copy_settings
from allrounder.encoders.sounds import CLICK, SOUND
from allrounder.encoders.tuned import Tuned
from allrounder.lazy import lazy
from allrounder.records import Field

if TYPE_CHECKING:
    from allrounder.encoders import modules, sounding, speech
else:
    sounding, speech = lazy("allrounder.encoders.sounding"), lazy("allrounder.encoders.speech")

Change = Literal["noise", "shift", "mask"]
"""What training may do to a sound: add noise, let it begin elsewhere, blank parts out."""


@dataclass(kw_only=True)
class Audio(Tuned):
    """One sound through Whisper's encoder, wav2vec 2.0, HuBERT, AST, or their kin.

    Files are brought to the model's rate, their channels averaged. A sound that is longer than the
    model reads at once is read in windows, whose vectors are averaged.

    Args:
        max_seconds: longer sounds are cut. Whisper's window is cut down to it too: it reads no
            more silence than that after a short sound.
        pool: how frames become one vector: their `mean`, the token before them (`cls`), or what
            the model itself makes of them (`pooler`).
        augment: what training does to sounds at random: `noise`, `shift`, `mask` (SpecAugment;
            Park et al. 2019), or `true` for all three. Answers are never given on changed sounds.
    """

    max_seconds: float = 30.0
    pool: Literal["mean", "cls", "pooler"] = "mean"
    augment: bool | list[Change] = False

    def __post_init__(self) -> None:
        super().__post_init__()
        one_file(self.fields, "sound")
        at_random(self.augment, self.tune)
        positive(self.max_seconds)

    @property
    def field(self) -> Field:
        """Paths of sounds, or their bytes."""
        return SOUND

    @property
    def sample(self) -> bytes:
        """A click."""
        return CLICK

    @cached_property
    def hearing(self) -> Hearing:
        """How the model hears."""
        return read_hearing(self.model, most=self.max_seconds)

    @property
    def changes(self) -> list[str]:
        """What training does to sounds at random."""
        return ["noise", "shift", "mask"] if self.augment is True else list(self.augment or [])

    @property
    def reach(self) -> int:
        """The tokens of a sound of `max_seconds`."""
        return self.hearing.count(round(self.max_seconds * self.hearing.rate))

    def prepare(self, values: Sequence[pa.Array], *, cache: Path | None = None) -> Clips:
        """Measure the sounds; they are decoded when a batch asks for them."""
        rate = self.hearing.rate
        most = round(self.max_seconds * rate)
        return clips(values[0], rate=rate, most=most, tokens=self.hearing.count)

    def length(self, tokens: Clips, whole: np.ndarray) -> np.ndarray:
        """Return how many tokens of each row are read."""
        return tokens.lengths

    def collate(self, tokens: Clips, rows: Sequence[int], whole: Sequence[bool]) -> Any:
        """Decode the sounds of some rows, in windows."""
        return sounding.windowed(tokens, rows, self.hearing)

    def module(self) -> "modules.Encoding":
        """Load the pretrained model."""
        return speech.Speech(self)

    def save(self, folder: Path) -> None:
        """Copy the configuration and the preprocessing of the model."""
        copy_settings(self.folder, folder, ("preprocessor_config.json",))


def positive(seconds: float) -> None:
    """Refuse a longest sound without length."""
    if not seconds > 0:
        raise ValueError(f"has `max_seconds: {seconds}`. Expected more than 0.")
