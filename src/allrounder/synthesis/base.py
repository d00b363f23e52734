"""What every kind of synthesis has."""

import hashlib
import json
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from allrounder.kinds import Kind, dump

if TYPE_CHECKING:
    from allrounder.synthesis.material import Material


@dataclass(frozen=True, kw_only=True)
class Parent:
    """A training record that others are made from.

    Args:
        place: where it stands.
        key: the hash of its content.
        fields: its inputs; those that it lacks are left out.
        labels: its labels by task.
    """

    place: str
    key: int
    fields: dict[str, Any]
    labels: dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Made:
    """A record with labels that were made.

    Args:
        parent: what it was made from.
        number: which of those made from it.
        fields: its inputs.
        labels: its labels by task.
        confidence: how likely the labels are right, where that is known.
        model: the fingerprint of the run that made the labels, if one did.
    """

    parent: Parent
    number: int
    fields: dict[str, Any]
    labels: dict[str, Any]
    confidence: float | None = None
    model: str | None = None


@dataclass(kw_only=True)
class Synthesis(Kind, ABC):
    """A way to make labels, or to let training make do with few.

    Args:
        seed: of every random choice.
    """

    seed: int = 0

    def _within(self, name: str, low: float, high: float) -> None:
        value = getattr(self, name)
        if not low <= value <= high:
            raise ValueError(f"has `{name}: {value}`. Expected {low} to {high}.")

    def _at_least(self, name: str, low: float) -> None:
        value = getattr(self, name)
        if not value >= low:
            raise ValueError(f"has `{name}: {value}`. Expected {low} or more.")


@dataclass(kw_only=True)
class Making(Synthesis):
    """A way to make records with labels.

    Args:
        tasks: the tasks whose labels are made; by default all that the kind can make.
        similarity: the share of all stretches of characters of two texts from which a made text is
            taken for one of validation, test or training, and dropped; for validation and test
            also that of the shorter one, where it is a sentence or more.
    """

    tasks: list[str] | None = None
    similarity: float = 0.75

    def __post_init__(self) -> None:
        self._within("similarity", 0.3, 1)

    @property
    def mark(self) -> str:
        """What tells its settings from any others."""
        found = json.dumps(dump(self), sort_keys=True)
        return hashlib.blake2b(found.encode(), digest_size=8).hexdigest()

    @abstractmethod
    def num_blocks(self, material: "Material") -> int:
        """Return how many blocks there will be; refuse what cannot be made.

        Raises:
            ProjectError: the project has nothing that the kind could make labels of.
        """

    @abstractmethod
    def blocks(self, material: "Material", start: int = 0) -> Iterator[list[Made]]:
        """Yield what is made, block by block, the same for the same seed wherever it starts.

        Args:
            material: what is made from.
            start: how many blocks were made before.
        """

    def notes(self, material: "Material") -> list[str]:
        """Return what a reader of the numbers has to know, once all is made."""
        return []

    def chance(self, parent: Parent, number: int) -> np.random.Generator:
        """Return the generator of one made record, whatever was made before it."""
        return np.random.default_rng([self.seed, parent.key, number])


@dataclass(kw_only=True)
class Writing(Making):
    """A way to make texts with labels.

    Args:
        agreement: how likely the latest complete run has to find a made label, which has to be its
            answer, too; `null` does not ask it. Where there is no run, none is asked.
    """

    varies: ClassVar[bool] = True
    """Whether a made text is a variation of its parent's, and may be like it."""
    stretch: ClassVar[float] = 2.0
    """How many times longer or shorter than its parent's a made text may be."""

    agreement: float | None = 0.0

    @property
    def most(self) -> int | None:
        """How many of a block are kept, those that the run is surest of; None keeps all."""
        return None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.agreement is not None:
            self._within("agreement", 0, 1)

    def notes(self, material: "Material") -> list[str]:
        """Say whether the labels were held against a run's answers."""
        if self.agreement is None:
            return []
        judge = material.judge
        if judge is None:
            return ["Made labels were held against no answers: there is no complete run yet."]
        return [f"Made labels were held against the answers of {judge.name}."]


def identity(settings: Making, made: Made) -> str:
    """Return what tells a made record from all others: the same whenever it is made again."""
    parts = [settings.kind_name(), settings.mark, format(made.parent.key, "016x"), made.number,
             made.model, made.fields, made.labels]  # fmt: skip
    found = json.dumps(parts, sort_keys=True, ensure_ascii=False)
    return hashlib.blake2b(found.encode(), digest_size=12).hexdigest()
