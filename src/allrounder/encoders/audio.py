"""Sounds through a pretrained speech or sound model."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

import numpy as np
import pyarrow as pa

from allrounder.encoders.clips import Clips
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
        max_seconds: longer sounds are cut.
        window: seconds that are read at once; by default 30 for Whisper, 20 for models over
            waveforms. Whisper fills its window with silence, so a shorter one is faster, and no
            longer quite what it was trained on (docs/inputs.md).
        pool: how frames become one vector: their `mean`, the token before them (`cls`), or what
            the model itself makes of them (`pooler`).
        augment: what training does to sounds at random: `noise`, `shift`, `mask` (SpecAugment;
            Park et al. 2019), or `true` for all three. Answers are never given on changed sounds.
    """

    values: ClassVar[str] = "sounds"

    max_seconds: float = 30.0
    window: float | None = None
    pool: Literal["mean", "cls", "pooler"] = "mean"
    augment: bool | list[Change] = False

    def __post_init__(self) -> None:
        super().__post_init__()
        one_file(self.fields, "sound")
        at_random(self.augment, self.tune)
        positive("max_seconds", self.max_seconds)
        positive("window", self.window)

    def at(self, folder: Path) -> Self:
        """Return the encoder with `model` as the folder it lies in; refuse a model unlike it."""
        located = super().at(folder)
        _ = located.hearing
        return located

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
        return read_hearing(self.model, window=self.window)

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
        return self.hearing.listen(values[0], max_seconds=self.max_seconds)

    def length(self, tokens: Clips, whole: np.ndarray) -> np.ndarray:
        """Return how many tokens of each row are read."""
        return self.hearing.lengths(tokens)

    def collate(self, tokens: Clips, rows: Sequence[int], whole: Sequence[bool]) -> Any:
        """Decode the sounds of some rows, in windows."""
        return sounding.windowed(tokens, rows, self.hearing)

    def module(self) -> "modules.Encoding":
        """Load the pretrained model."""
        return speech.Speech(self)

    def save(self, folder: Path) -> None:
        """Copy the configuration and the preprocessing of the model."""
        copy_settings(self.folder, folder, ("preprocessor_config.json",))


def positive(name: str, seconds: float | None) -> None:
    """Refuse a stretch of time without length."""
    if seconds is not None and not seconds >= 0.1:
        raise ValueError(f"has `{name}: {seconds:g}`. Expected 0.1 seconds or more.")
