"""What all inputs of sounds share."""

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
import pyarrow as pa

from allrounder.encoders import glimpses
from allrounder.encoders.base import Encoder
from allrounder.encoders.clips import Clips
from allrounder.encoders.files import one_file
from allrounder.encoders.hearing import Hearing
from allrounder.encoders.sounds import CLICK, SOUND
from allrounder.lazy import lazy
from allrounder.records import Field, content

if TYPE_CHECKING:
    from allrounder.encoders import sounding
else:
    sounding = lazy("allrounder.encoders.sounding")

Change = Literal["noise", "shift", "mask"]
"""What training may do to a sound: add noise, let it begin elsewhere, blank parts out."""


@dataclass(kw_only=True)
class Heard(Encoder):
    """An encoder that reads one sound.

    Args:
        max_seconds: longer sounds are cut.
        augment: what training does to sounds at random: `noise`, `shift`, `mask` (SpecAugment;
            Park et al. 2019), or `true` for all three. Answers are never given on changed sounds.
    """

    values: ClassVar[str] = "sounds"

    max_seconds: float = 30.0
    augment: bool | list[Change] = False

    def __post_init__(self) -> None:
        one_file(self.fields, "sound")
        positive("max_seconds", self.max_seconds)

    @property
    @abstractmethod
    def hearing(self) -> Hearing:
        """How sounds become what the model is given."""

    @property
    def field(self) -> Field:
        """Paths of sounds, or their bytes."""
        return SOUND

    def glimpse(self, value: Any) -> str | None:
        """Return the waveform of a sound."""
        return glimpses.waveform(content(value))

    @property
    def sample(self) -> bytes:
        """A click."""
        return CLICK

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


def positive(name: str, seconds: float | None) -> None:
    """Refuse a stretch of time without length."""
    if seconds is not None and not seconds >= 0.1:
        raise ValueError(f"has `{name}: {seconds:g}`. Expected 0.1 seconds or more.")
