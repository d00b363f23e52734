"""Records written anew."""

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from allrounder.synthesis.authored import Authored, Pair
from allrounder.synthesis.base import Made, Parent
from allrounder.synthesis.classes import fields_of, single
from allrounder.synthesis.material import Material, num_blocks


@dataclass(kw_only=True)
class Paraphrase(Authored):
    """Records written anew, by a model tuned to turn a text into another one of the same labels.

    Pairs of training texts with the same labels teach it (Hou et al. 2018, without their ranks of
    diversity). Labels of tasks with one label of one text are carried along, no others.

    Args:
        n: records made from each.
        others: how many texts of the same labels each is paired with, at most.
    """

    stretch: ClassVar[float] = 4.0

    n: int = 1
    others: int = 4

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("n", "others"):
            self._at_least(name, 1)

    def num_blocks(self, material: Material) -> int:
        """Return how many blocks the labelled training records are; find the model."""
        self.folder(material)
        return num_blocks(material.labelled(self._tasks(material)))

    def _tasks(self, material: Material) -> list[str]:
        return single(material, self.tasks, of="one text")

    def _field(self, material: Material, parent: Parent, labels: Mapping[str, Any]) -> str | None:
        """Return the text that carries the labels, None where several do."""
        names = {name for task in labels for name in fields_of(material, task)}
        return names.pop() if len(names) == 1 and names <= parent.fields.keys() else None

    def pairs(self, material: Material) -> list[Pair]:
        """Return pairs of training texts with the same labels."""
        alike: dict[str, list[str]] = defaultdict(list)
        tasks = self._tasks(material)
        for parent in material.read(material.labelled(tasks)):
            labels = _carried(parent, tasks)
            name = self._field(material, parent, labels)
            if name:
                alike[json.dumps([name, labels], sort_keys=True)].append(parent.fields[name])
        chance = np.random.default_rng(self.seed)
        return [pair for texts in alike.values() for pair in self._paired(texts, chance)]

    def _paired(self, texts: list[str], chance: np.random.Generator) -> Iterator[Pair]:
        for at, text in enumerate(texts):
            rest = [*texts[:at], *texts[at + 1 :]]
            for other in chance.permutation(len(rest))[: self.others]:
                yield text, rest[other]

    def blocks(self, material: Material, start: int = 0) -> Iterator[list[Made]]:
        """Yield the labelled training records, each written anew."""
        tasks = self._tasks(material)
        for parents in material.parents(material.labelled(tasks), start):
            told = []
            for parent in parents:
                labels = _carried(parent, tasks)
                name = self._field(material, parent, labels)
                told += [(parent, labels, name)] * self.n if name else []
            yield self._anew(material, told)

    def _anew(
        self, material: Material, told: list[tuple[Parent, dict[str, Any], str]]
    ) -> list[Made]:
        if not told:
            return []
        chance = self.chance(told[0][0], 0)
        texts = self.written(material, [one.fields[name] for one, _, name in told], chance)
        return [
            Made(
                parent=parent,
                number=place % self.n,
                fields={**parent.fields, name: text},
                labels=labels,
            )
            for place, ((parent, labels, name), text) in enumerate(zip(told, texts, strict=True))
            if text
        ]


def _carried(parent: Parent, tasks: list[str]) -> dict[str, Any]:
    return {task: parent.labels[task] for task in tasks if task in parent.labels}
