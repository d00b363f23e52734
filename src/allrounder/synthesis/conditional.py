"""Records written by label."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from allrounder.synthesis.authored import Authored, Pair
from allrounder.synthesis.base import Made
from allrounder.synthesis.classes import classes, fields_of, known_of, single
from allrounder.synthesis.material import Material


@dataclass(kw_only=True)
class Conditional(Authored):
    """New records for each label, by a model tuned to write training texts from their labels.

    LAMBADA (Anaby-Tavor et al. 2020): many texts are written, and of those that the latest complete
    run gives the label too, the ones that it is surest of are kept. Where there is no run yet, the
    first are kept. A label is shown by its name, so that what the model knows of its words helps.

    Args:
        n: records kept of each label, at most.
        times: how many times as many are written.
    """

    varies: ClassVar[bool] = False
    stretch: ClassVar[float] = float("inf")  # a new text has no parent's length to keep to

    n: int = 10
    times: int = 5

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("n", "times"):
            self._at_least(name, 1)

    @property
    def most(self) -> int:
        """How many of a label are kept."""
        return self.n

    def num_blocks(self, material: Material) -> int:
        """Return one block for each label; find the model."""
        self.folder(material)
        return len(self._labels(material))

    def _labels(self, material: Material) -> list[tuple[str, str]]:
        return classes(material, single(material, self.tasks, of="one text"))

    def pairs(self, material: Material) -> list[Pair]:
        """Return the training texts, each asked for by its label."""
        asked = _asked(self._labels(material))
        return [
            (words, one.fields[name])
            for (task, label), words in asked.items()
            for name in fields_of(material, task)
            for one in known_of(material, task, label)
            if name in one.fields
        ]

    def blocks(self, material: Material, start: int = 0) -> Iterator[list[Made]]:
        """Yield what is written for each label that training records have."""
        labels = self._labels(material)
        asked = _asked(labels)
        for task, label in labels[start:]:
            yield self._of_label(material, task, label, asked[task, label])

    def _of_label(self, material: Material, task: str, label: str, words: str) -> list[Made]:
        known, (name,) = known_of(material, task, label), fields_of(material, task)
        if not known:
            return []
        chance = np.random.default_rng([self.seed, *task.encode(), *label.encode()])
        texts = self.written(material, [words] * (self.n * self.times), chance)
        return [
            Made(
                parent=known[int(chance.integers(len(known)))],
                number=number,
                fields={name: text},
                labels={task: label},
            )
            for number, text in enumerate(list(texts))
            if text
        ]


def _asked(labels: list[tuple[str, str]]) -> dict[tuple[str, str], str]:
    """Return how each label is shown: by its words, and its task's name where there are several."""
    several = len({task for task, _ in labels}) > 1
    told = {
        (task, label): f"{task}: {_words(label)}" if several else _words(label)
        for task, label in labels
    }
    alike = len(set(told.values())) < len(told)
    return {pair: f"{pair[0]}: {pair[1]}" for pair in told} if alike else told


def _words(label: str) -> str:
    return label.replace("_", " ").strip()
