"""What every kind of learning alongside the tasks has."""

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from allrounder.encoders import Encoder, Text
from allrounder.errors import ProjectError, did_you_mean, listed
from allrounder.kinds import Kind

if TYPE_CHECKING:
    from allrounder.encoders.modules import Encoding
    from allrounder.encoders.telling import Teller

SECTION = "training.pretraining"


@dataclass(kw_only=True)
class Alongside(Kind, ABC):
    """Learning without labels, in every step of the training of tasks.

    Args:
        weight: the factor before its loss, the mean over what is told in a step; 0 leaves it out.
        input: the input whose encoder learns; by default the only one of kind `text`.
        batch_records: texts that a step reads, at most, beside the records of the tasks.
        batch_tokens: tokens of these texts, at most, padding included.
    """

    weight: float = 0.3
    input: str | None = None
    batch_records: int = 32
    batch_tokens: int = 4096

    def __post_init__(self) -> None:
        if not 0 <= self.weight < math.inf:
            raise ValueError(f"has `weight: {self.weight}`. Expected 0 or more.")
        for name in ("batch_records", "batch_tokens"):
            if getattr(self, name) < 1:
                raise ValueError(f"has `{name}: {getattr(self, name)}`. Expected 1 or more.")

    def chosen(self, inputs: Mapping[str, Encoder]) -> str:
        """Return the name of the input whose encoder learns.

        Raises:
            ProjectError: it is no text through a transformer, one has to be chosen, or it is
                frozen.
        """
        name = text_of(inputs, self.input, at=SECTION)
        if getattr(inputs[name], "tune", None) == "frozen":
            raise ProjectError(
                f"`{SECTION}` lets the encoder of `{name}` learn, and it is frozen: nothing would. "
                "Choose `tune: full`, `lora` or `top:N`, or remove it."
            )
        return name

    @abstractmethod
    def teller(self, encoder: Text, encoding: "Encoding") -> "Teller":
        """Return what tells the words of an input from what its encoder says.

        Args:
            encoder: the input, its model found on disk.
            encoding: the module that reads it for the tasks, and learns.

        Raises:
            ProjectError: the model cannot learn in this way.
        """


def text_of(inputs: Mapping[str, Encoder], wanted: str | None, *, at: str) -> str:
    """Return the name of the one input of kind `text` that is wanted.

    Args:
        inputs: all inputs by name.
        wanted: the name, or None where there is only one.
        at: the section that wants it.

    Raises:
        ProjectError: it is no text through a transformer, or one has to be chosen.
    """
    texts = [name for name, encoder in inputs.items() if isinstance(encoder, Text)]
    if wanted is not None and wanted not in texts:
        raise ProjectError(
            f"`{at}.input` is {wanted!r}, which is no input of kind `text`."
            f"{did_you_mean(wanted, texts)} Such inputs: {listed(texts)}."
        )
    if wanted is None and len(texts) != 1:
        raise ProjectError(
            f"`{at}` is for the encoder of one input of kind `text`, and the project has "
            f"{len(texts)}: {listed(texts)}. "
            + (f"Name one as `{at}.input`." if texts else "Add one.")
        )
    return wanted or texts[0]
