"""What kinds share that label training records as they are."""

import json
from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from allrounder.synthesis.base import Made, Making, Parent
from allrounder.synthesis.material import Material, blocks_of, num_blocks


class Guess(NamedTuple):
    """A label of one record, and how likely it is right."""

    row: int
    label: Any
    confidence: float


@dataclass(kw_only=True)
class Labelling(Making):
    """Labels of training records that have none.

    Args:
        confidence: how likely a label has to be.
        per_label: how many records each label is given to at most, the likeliest first; `null` sets
            no bound.
    """

    confidence: float = 0.9
    per_label: int | None = 100

    def __post_init__(self) -> None:
        super().__post_init__()
        self._within("confidence", 0, 1)
        if self.per_label is not None:
            self._at_least("per_label", 1)

    @abstractmethod
    def able(self, material: Material) -> list[str]:
        """Return the tasks that labels can be made of; refuse where that cannot be."""

    @abstractmethod
    def guesses(self, material: Material, task: str) -> Iterator[Guess]:
        """Yield what is said of training records that have no label of a task."""

    @abstractmethod
    def model(self, material: Material) -> str | None:
        """Return the fingerprint of the run that makes the labels, if one does."""

    def num_blocks(self, material: Material) -> int:
        """Return how many blocks the records are that get a label."""
        return num_blocks(self._rows(self._labels(material)))

    def blocks(self, material: Material, start: int = 0) -> Iterator[list[Made]]:
        """Yield training records with the labels they get."""
        labels, model = self._labels(material), self.model(material)
        rows = self._rows(labels)
        for block, parents in zip(
            blocks_of(rows, start), material.parents(rows, start), strict=True
        ):
            pairs = zip(block.tolist(), parents, strict=True)
            yield [_labelled(parent, labels[row], model) for row, parent in pairs]

    def _rows(self, labels: Mapping[int, Any]) -> np.ndarray:
        return np.array(sorted(labels), np.int64)

    def _labels(self, material: Material) -> dict[int, dict[str, Guess]]:
        """Return by record the labels that it gets, found once."""
        return material.once(self.mark, lambda: self._found(material))

    def _found(self, material: Material) -> dict[int, dict[str, Guess]]:
        able = self.able(material)
        found: dict[int, dict[str, Guess]] = {}
        for task in material.chosen(self.tasks, able, "that it can label"):
            sure = [one for one in self.guesses(material, task) if self._is_sure(one)]
            for guess in self._balanced(sure, material.records.numbers("key")):
                found.setdefault(guess.row, {})[task] = guess
        return found

    def _is_sure(self, guess: Guess) -> bool:
        return guess.confidence >= self.confidence

    def _balanced(self, guesses: Sequence[Guess], keys: np.ndarray) -> Iterator[Guess]:
        """Yield the likeliest of each label; among equals the content decides, not the order."""
        counts: dict[str, int] = {}
        for guess in sorted(guesses, key=lambda one: (-one.confidence, int(keys[one.row]))):
            name = _name(guess.label)
            counts[name] = counts.get(name, 0) + 1
            if self.per_label is None or counts[name] <= self.per_label:
                yield guess


def _labelled(parent: Parent, guesses: Mapping[str, Guess], model: str | None) -> Made:
    """Return a training record with the labels that are guessed."""
    return Made(
        parent=parent,
        number=0,
        fields=parent.fields,
        labels={task: guess.label for task, guess in guesses.items()},
        confidence=round(min(guess.confidence for guess in guesses.values()), 6),
        model=model,
    )


def _name(label: Any) -> str:
    """Return what labels are counted by: spans by their kinds."""
    if isinstance(label, list):
        label = sorted({one["label"] if isinstance(one, dict) else one for one in label})
    return json.dumps(label)
