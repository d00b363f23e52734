"""A knowledge base as rules ask it: by what texts say, not by the ids of entities."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import numpy as np

from allrounder.knowledge.base import Base, last_part
from allrounder.knowledge.lexicon import Mention

REMEMBERED = 1 << 12
"""Texts whose mentions are kept: several rules ask of each."""


@dataclass(frozen=True)
class MentionFacts:
    """Answers rules from a knowledge base.

    Args:
        base: the knowledge base.
    """

    base: Base

    @property
    def predicates(self) -> Collection[str]:
        """The predicates that rules may name."""
        return self.base.predicates

    @property
    def types(self) -> Collection[str]:
        """The types that rules may name; looked for when one does."""
        return _Types(self.base)

    def holds(self, subject: str, predicate: str, object: str) -> bool:
        """Return whether a fact is known between anything that the two texts may mean."""
        objects = {self.base.snapshot.entities[number] for number in self._meant(object)}
        return any(
            predicate in (fact.predicate, last_part(fact.predicate))
            and (fact.object in objects if fact.is_entity else _same(fact.object, object))
            for number in self._meant(subject)
            for fact in self.base.snapshot.facts(number)
        )

    def mentions(self, text: str, type: str) -> bool:
        """Return whether a text mentions something of a type, or of what is a kind of it.

        Of a name with several meanings the likeliest by prior counts; all of them, where they are
        equally likely.
        """
        return type in self._mentioned(text)

    @cached_property
    def _mentioned(self) -> Any:
        """Return what the mentions in a text are instances or kinds of."""
        kinds, find = self.base.kinds, self.base.find

        def mentioned(text: str) -> frozenset[str]:
            meant = {entity for mention in find(text) for entity in _likeliest(mention)}
            return frozenset(name for entity in meant for name in kinds.of(entity))

        return lru_cache(REMEMBERED)(mentioned)

    def _meant(self, text: str) -> set[int]:
        """Return the entities that a text as a whole may name."""
        return {
            number
            for mention in self.base.find(text)
            if text[mention.start : mention.end].strip() == text.strip()
            for number in mention.candidates
        }


class _Types(Collection[str]):
    """What entities are instances or kinds of, computed when it is first asked for."""

    def __init__(self, base: Base) -> None:
        self._base = base

    def __contains__(self, name: object) -> bool:
        return name in self._base.kinds.names

    def __iter__(self) -> Iterator[str]:
        return iter(self._base.kinds.names)

    def __len__(self) -> int:
        return len(self._base.kinds.names)


def known_words(facts: MentionFacts | None) -> dict[str, Collection[str]]:
    """Return what rules may name of a knowledge base, as `Terms` takes it; nothing of none."""
    if facts is None:
        return {"predicates": (), "types": ()}
    return {"predicates": facts.predicates, "types": facts.types}


def _likeliest(mention: Mention) -> list[int]:
    """Return the candidates of a mention than which none is likelier."""
    best = mention.priors[0]
    pairs = zip(mention.candidates, mention.priors, strict=True)
    return [entity for entity, prior in pairs if np.isclose(prior, best)]


def _same(one: str, other: str) -> bool:
    return one.casefold() == other.strip().casefold()
