"""Sounds through a pretrained speech or sound model."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Self

from allrounder.encoders.heard import Heard, positive
from allrounder.encoders.hearing import Hearing, read_hearing
from allrounder.encoders.locate import copy_settings
from allrounder.encoders.tuned import Tuned, at_random
from allrounder.lazy import lazy

if TYPE_CHECKING:
    from allrounder.encoders import modules, speech
else:
    speech = lazy("allrounder.encoders.speech")


@dataclass(kw_only=True)
class Audio(Heard, Tuned):
    """One sound through Whisper's encoder, wav2vec 2.0, HuBERT, AST, or their kin.

    Files are brought to the model's rate, their channels averaged. A sound that is longer than the
    model reads at once is read in windows, whose vectors are averaged.

    Args:
        window: seconds that are read at once; by default 30 for Whisper, 20 for models over
            waveforms. Whisper fills its window with silence, so a shorter one is faster, and no
            longer quite what it was trained on (docs/inputs.md).
        pool: how frames become one vector: their `mean`; of AST also the token before them
            (`cls`), or what the model itself makes of them (`pooler`).
    """

    window: float | None = None
    pool: Literal["mean", "cls", "pooler"] = "mean"

    def __post_init__(self) -> None:
        Tuned.__post_init__(self)
        Heard.__post_init__(self)
        at_random(self.augment, self.tune)
        positive("window", self.window)

    def at(self, folder: Path) -> Self:
        """Return the encoder with `model` as the folder it lies in; refuse a model unlike it."""
        located = super().at(folder)
        _ = located.hearing
        return located

    @cached_property
    def hearing(self) -> Hearing:
        """How the model hears."""
        return read_hearing(self.model, window=self.window)

    def module(self) -> "modules.Encoding":
        """Load the pretrained model."""
        return speech.Speech(self)

    def save(self, folder: Path) -> None:
        """Copy the configuration and the preprocessing of the model."""
        copy_settings(self.folder, folder, ("preprocessor_config.json",))
