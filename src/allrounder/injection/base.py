"""The injection protocol."""

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, ClassVar, Self

from allrounder.errors import ProjectError
from allrounder.kinds import Kind
from allrounder.knowledge import Base, Linked, Ragged

if TYPE_CHECKING:
    from allrounder.injection.modules import Injecting


@dataclass(frozen=True)
class Items:
    """What each entity lends to a text that mentions it.

    Args:
        by_entity: numbers of items.
        texts: of every item, where it is a text that the encoder has to read.
        names: of every item, as a person would say it.
    """

    by_entity: Ragged
    texts: list[str] | None = None
    names: list[str] = field(default_factory=list)


@dataclass(kw_only=True)
class Injection(Kind, ABC):
    """How what is known of the entities that a text mentions reaches the features of that text.

    Args:
        of: the input whose texts are searched for mentions; by default every text.
    """

    learned: ClassVar[tuple[str, ...]] = ()
    """The settings that `learn` fills in where the project file leaves them out."""

    of: str | None = None

    def __post_init__(self) -> None:
        """Refuse settings that cannot be; kinds add their own."""

    def check(self, base: Base) -> None:
        """Refuse settings that name what a knowledge base does not have."""

    def learn(self, base: Base, linked: Sequence[Linked]) -> Self:
        """Return the injection with what only knowledge base and training texts can tell."""
        return self

    def continued(self, old: Self) -> Self:
        """Return the injection with what an older run learned of it, where the file leaves it."""
        unsaid = [key for key in self.learned if getattr(self, key) is None]
        return replace(self, **{key: getattr(old, key) for key in unsaid})

    @abstractmethod
    def items(self, base: Base) -> Items:
        """Return what each entity of a knowledge base lends."""


@dataclass(kw_only=True)
class Gated(Injection):
    """Adds to the features of a text, through a gate.

    At first it changes nothing: a model that has just begun answers as it would without.

    Args:
        of: the input whose texts are searched for mentions; by default every text.
        dropout: how often, in training, a mention is passed over, so that the model learns to do
            without.
        rate: its learning rate in `training.head_lr`: what starts closed has a long way to go.
    """

    reads_texts: ClassVar[bool] = False
    """Whether what an entity lends are texts, which the encoder has to read."""

    dropout: float = 0.3
    rate: float = 3.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 <= self.dropout < 1:
            raise ProjectError(
                f"`knowledge.injection.dropout` is {self.dropout}. Expected 0 or more, and less "
                "than 1."
            )
        if not 0 < self.rate < math.inf:
            raise ProjectError(
                f"`knowledge.injection.rate` is {self.rate}. Expected a number above 0."
            )

    @abstractmethod
    def module(self, width: int) -> "Injecting":
        """Build the module for features of this width."""


def named(injections: Sequence[Injection]) -> dict[str, Injection]:
    """Return injections by names of their own: input and kind, and a number from the second on."""
    found: dict[str, Injection] = {}
    for injection in injections:
        plain = f"{injection.of}_{type(injection).__name__.lower()}"
        same = sum(name.rstrip("0123456789") == plain for name in found)
        found[f"{plain}{same + 1}" if same else plain] = injection
    return found


def one_or_more(injection: Injection, *keys: str) -> None:
    """Refuse sizes below 1."""
    for key in keys:
        if getattr(injection, key) < 1:
            raise ProjectError(
                f"`knowledge.injection.{key}` is {getattr(injection, key)}. Expected 1 or more."
            )
