"""The fusion protocol."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from allrounder.kinds import Kind

if TYPE_CHECKING:
    from torch import nn


@dataclass(kw_only=True)
class Fusion(Kind, ABC):
    """How the vectors of a record's inputs become one.

    The module it builds takes `{input: (present [k], vectors [k, D])}` and the number of records
    n, where `present` holds the places of the records that have the input, and gives [n, width].
    """

    reads_tokens: ClassVar[bool] = False
    """Whether it wants the tokens of every input, not only its vector."""

    @abstractmethod
    def module(self, widths: Mapping[str, int]) -> "nn.Module":
        """Build the module for inputs of these widths."""

    @abstractmethod
    def width(self, widths: Mapping[str, int]) -> int:
        """Return the width of the joint vector."""
