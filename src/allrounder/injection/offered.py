"""Facts of the entities that a text mentions, as texts."""

from dataclasses import dataclass

import numpy as np

from allrounder.errors import ProjectError, did_you_mean, listed
from allrounder.injection.base import Injection, Items, one_or_more
from allrounder.knowledge import ALIAS, NAME, Base, Ragged


@dataclass(kw_only=True)
class Offered(Injection):
    """Offers the facts of what a text mentions, each as a text.

    Args:
        of: the input whose texts are searched for mentions; by default every text.
        predicates: the predicates that are told; by default all but names and aliases.
        most: how many facts of an entity are offered at most: the surest, then the first.
    """

    predicates: list[str] | None = None
    most: int = 16

    def __post_init__(self) -> None:
        super().__post_init__()
        one_or_more(self, "most")

    def check(self, base: Base) -> None:
        """Refuse predicates that the knowledge base does not have."""
        known = base.snapshot.predicates
        for name in self.predicates or ():
            if name not in known:
                raise ProjectError(
                    f"`knowledge.injection.predicates` names {name!r}, which is no predicate of "
                    f"the knowledge base.{did_you_mean(name, known)} Predicates: {listed(known)}."
                )

    def items(self, base: Base) -> Items:
        """Return for each entity its facts; entities of which the same is said share them."""
        snapshot, names = base.snapshot, base.names
        told = [p for p in snapshot.predicates if self._is_told(p)]
        parts = [(at, *snapshot.pairs(predicate)) for at, predicate in enumerate(told)]
        if not parts:
            nothing = Ragged(np.zeros(len(snapshot.entities) + 1, np.int64), np.zeros(0, np.int64))
            return Items(nothing, texts=[])
        which = np.concatenate([np.full(len(part[1]), part[0]) for part in parts])
        subjects, objects, is_entity, sure = (
            np.concatenate([part[column] for part in parts]) for column in (1, 2, 3, 4)
        )
        said, number = np.unique(
            np.stack([which, objects, is_entity], 1).astype(np.int64), axis=0, return_inverse=True
        )
        order = np.lexsort([number.ravel(), -sure, subjects])
        subjects, number = subjects[order], number.ravel()[order]
        first = np.searchsorted(subjects, subjects)
        kept = np.arange(len(subjects)) - first < self.most
        counts = np.bincount(subjects[kept], minlength=len(snapshot.entities))
        texts = [
            f"{told[p]}: {names[o] if e else snapshot.literals[o]}" for p, o, e in said.tolist()
        ]
        starts = np.concatenate([[0], np.cumsum(counts)])
        return Items(Ragged(starts, number[kept]), texts=texts, names=texts)

    def _is_told(self, predicate: str) -> bool:
        if self.predicates is not None:
            return predicate in self.predicates
        return predicate not in (NAME, ALIAS)
