"""The fusion protocol."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from allrounder.errors import ProjectError
from allrounder.kinds import Kind, dump

if TYPE_CHECKING:
    from allrounder.fusion.joining import Joining


@dataclass(kw_only=True)
class Fusion(Kind, ABC):
    """How what is known of a record's inputs becomes one vector; any subset may be missing.

    Args:
        modality_dropout: how often, in training, an input is taken for missing, record by record;
            never the last one that a record has.
    """

    reads_tokens: ClassVar[bool] = False
    """Whether it reads the tokens of every input, not only its vector."""

    modality_dropout: float = 0.2

    def __post_init__(self) -> None:
        if not 0 <= self.modality_dropout < 1:
            raise ProjectError(
                f"`fusion.modality_dropout` is {self.modality_dropout}. Expected 0 or more, and "
                "less than 1."
            )

    @abstractmethod
    def module(self, widths: Mapping[str, int]) -> "Joining":
        """Build the module for inputs of these widths."""

    @abstractmethod
    def joint_width(self, widths: Mapping[str, int]) -> int:
        """Return the width of the joint vector."""

    def columns(self, widths: Mapping[str, int]) -> dict[str, int]:
        """Return the parts of the joint vector in their order, by name, with their widths.

        Two joint vectors mean the same where their parts have the same name, so that a head goes
        on from one to the other. By default there is one part, named by the kind and its settings.
        """
        return {str(self.shape): self.joint_width(widths)}

    @property
    def shape(self) -> dict[str, Any]:
        """The settings that the weights depend on."""
        return {name: value for name, value in dump(self).items() if name != "modality_dropout"}


def above_zero(fusion: Fusion, *keys: str) -> None:
    """Refuse sizes that are not above zero."""
    for key in keys:
        if getattr(fusion, key) < 1:
            raise ProjectError(f"`fusion.{key}` is {getattr(fusion, key)}. Expected 1 or more.")
