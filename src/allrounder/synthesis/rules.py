"""The votes of the rules, as labels."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from allrounder.errors import ProjectError
from allrounder.rules.votes import SoftLabels
from allrounder.synthesis.labelling import Guess, Labelling
from allrounder.synthesis.material import Material


@dataclass(kw_only=True)
class RuleVotes(Labelling):
    """What rules vote of training records without a label, where that is likely enough.

    How far each rule is believed is found from records with and without labels, as for
    `knowledge.votes`, by which training learns from the probabilities themselves. Of a task with
    several labels a record gets them where rules decide on every one.
    """

    def able(self, material: Material) -> list[str]:
        """Return the tasks on which rules vote."""
        return list(self._votes(material))

    def model(self, material: Material) -> None:
        """Return nothing: no run makes these labels."""
        return

    def _votes(self, material: Material) -> dict[str, SoftLabels]:
        if material.vote is None:
            raise ProjectError(
                "`synthesis` of kind rules labels records by what rules vote, and the project has "
                "none. Name a file of rules as `knowledge.rules`."
            )
        return material.once("votes", material.vote)

    def guesses(self, material: Material, task: str) -> Iterator[Guess]:
        """Yield what the rules that speak of a record vote."""
        soft = self._votes(material)[task]
        rows = material.records.indices("train")
        free = np.isin(rows, material.unlabelled(task)) & soft.voted
        several = material.tasks[task].speaks == "labels"
        for place in np.flatnonzero(free).tolist():
            found = (_several if several else _one)(soft, soft.probabilities[place])
            if found is not None:
                yield Guess(int(rows[place]), *found)


def _one(soft: SoftLabels, chances: np.ndarray) -> tuple[Any, float]:
    """Return the likeliest label."""
    best = int(chances.argmax())
    return soft.labels[best], float(chances[best])


def _several(soft: SoftLabels, chances: np.ndarray) -> tuple[Any, float] | None:
    """Return the labels that are likely, and how sure the least sure decision is."""
    if np.isnan(chances).any():
        return None
    labels = [label for label, chance in zip(soft.labels, chances, strict=True) if chance >= 0.5]
    return labels, float(np.maximum(chances, 1 - chances).min())
