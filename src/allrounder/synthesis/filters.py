"""What of the made records is kept: nothing that judges, that was there before, or that is bad."""

from collections import Counter
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from allrounder.records import SPLITS
from allrounder.synthesis.base import Made, Making, Writing, identity
from allrounder.synthesis.material import Material
from allrounder.synthesis.near import Index
from allrounder.synthesis.quality import fault

Dropped = dict[str, Counter]
"""By task, how many were dropped for which reason."""


@dataclass
class Filters:
    """What is kept of what one kind makes. The leak check cannot be switched off.

    Args:
        settings: of the kind.
        material: what it makes from.
    """

    settings: Making
    material: Material

    def kept(self, made: Sequence[Made], before: Container[str] = ()) -> tuple[list[Made], Dropped]:
        """Return what of a block is kept, and by task how many were dropped, and why.

        Args:
            made: the block.
            before: the identities of what was kept before.
        """
        looks = [self._judging]
        if isinstance(self.settings, Writing):
            looks += [self._faulty, self._known, self._repeated]
        made, dropped = list(made), {}
        for look in looks:
            made = _sifted(made, look(made) if made else [], dropped)
        if isinstance(self.settings, Writing) and self.settings.agreement is not None and made:
            made, why = self._asked(made, self.settings.agreement)
            made = _sifted(made, why, dropped)
        made = _sifted(made, self._again(made, before), dropped)
        return _sifted(made, self._beyond(made), dropped), dropped

    def _again(self, made: Sequence[Made], before: Container[str]) -> list[str]:
        """Look for what is the same as what was made of another record of the same content."""
        ids, why = [identity(self.settings, one) for one in made], []
        for place, one in enumerate(ids):
            why.append("made before" if one in before or one in ids[:place] else "")
        return why

    def _beyond(self, made: Sequence[Made]) -> list[str]:
        """Look for what is beyond the most that are kept, the surest first."""
        most = self.settings.most if isinstance(self.settings, Writing) else None
        if most is None:
            return [""] * len(made)
        order = sorted(range(len(made)), key=lambda at: -(made[at].confidence or 0.0))
        kept = set(order[:most])
        return ["less sure than others" if at not in kept else "" for at in range(len(made))]

    def _texts(self, made: Sequence[Made]) -> list[str]:
        return [self.material.text(one.fields) for one in made]

    @cached_property
    def _judged(self) -> tuple[Index, np.ndarray]:
        splits = self.material.records.numbers("split")
        rows = np.flatnonzero(splits > 0)
        return Index(self.material.every_text(rows), self.settings.similarity), splits[rows]

    def _judging(self, made: Sequence[Made]) -> list[str]:
        """Look for what validation and test hold: whole, in part, or nearly.

        What was made from such a record goes too: it is a copy once removed.
        """
        index, splits = self._judged
        parents = [self.material.text(one.parent.fields) for one in made]
        found = (index.alike(texts, either=True) for texts in (self._texts(made), parents))
        both = [np.concatenate(pair) for pair in zip(*found, strict=True)]
        return [f"in {SPLITS[splits[at].max()]}" if len(at) else "" for at in both]

    def _faulty(self, made: Sequence[Made]) -> list[str]:
        """Look for what is no good text beside its parent's."""
        texts, stretch = self._texts(made), self.settings.stretch  # type: ignore[attr-defined]
        parents = [self.material.text(one.parent.fields) for one in made]
        return [fault(*pair, stretch) or "" for pair in zip(texts, parents, strict=True)]

    @cached_property
    def _trained(self) -> tuple[Index, np.ndarray]:
        rows = self.material.records.indices("train")
        index = Index(self.material.every_text(rows), self.settings.similarity)
        return index, self.material.records.numbers("key")[rows]

    def _known(self, made: Sequence[Made]) -> list[str]:
        """Look for what training records say already; a variation may be like its parent."""
        index, keys = self._trained
        own = [one.parent.key for one in made]
        found = index.alike(self._texts(made), either=False)
        if not self.settings.varies:  # type: ignore[attr-defined]
            return ["in train" if len(at) else "" for at in found]
        return [
            "in train" if (keys[at] != key).any() else ""
            for at, key in zip(found, own, strict=True)
        ]

    def _repeated(self, made: Sequence[Made]) -> list[str]:
        """Look for what is its parent's text unchanged, or was made before in the block."""
        texts = self._texts(made)
        if not self.settings.varies:  # type: ignore[attr-defined]
            found = Index(texts, self.settings.similarity).alike(texts, either=False)
            return ["made before" if (at < place).any() else "" for place, at in enumerate(found)]
        seen, why = {_folded(self.material.text(one.parent.fields)) for one in made}, []
        for text in map(_folded, texts):
            why.append("made before" if text in seen else "")
            seen.add(text)
        return why

    def _asked(self, made: list[Made], least: float) -> tuple[list[Made], list[str]]:
        """Ask the latest complete run: what it says otherwise, or hardly believes, is dropped."""
        judge = self.material.judge
        if judge is None:
            return made, [""] * len(made)
        answers = judge.answers(self.material.columns([one.fields for one in made]))
        said = [
            [_chance(answer[task], label) for task, label in one.labels.items() if task in answer]
            for one, answer in zip(made, answers, strict=True)
        ]
        known = [[chance for chance in some if chance is not None] for some in said]
        sure = [
            replace(one, confidence=round(min(some), 6)) if some else one
            for one, some in zip(made, known, strict=True)
        ]
        wrong = "answered otherwise"
        return sure, [wrong if some and min(some) < max(least, TINY) else "" for some in known]


TINY = 1e-9
"""Stands between a label that is not the answer and one that is, however unlikely."""


def _chance(answer: Mapping[str, Any], label: Any) -> float | None:
    """Return how likely a run finds a label: 0 where it answers otherwise, None if not asked."""
    if "labels" in answer:
        return answer["probability"] if set(answer["labels"] or []) == set(label) else 0.0
    chances = answer.get("probabilities", {})
    if label not in chances:
        return None
    said = answer.get("label") or max(chances, key=chances.get)
    return max(chances[label], TINY) if said == label else 0.0


def _folded(text: str) -> str:
    return " ".join(text.casefold().split())


def _sifted(made: Sequence[Made], why: Sequence[str], dropped: Dropped) -> list[Made]:
    """Return what has no reason against it, and count the reasons against the rest."""
    for one, reason in zip(made, why, strict=True):
        for task in one.labels if reason else ():
            dropped.setdefault(task, Counter())[reason] += 1
    return [one for one, reason in zip(made, why, strict=True) if not reason]
