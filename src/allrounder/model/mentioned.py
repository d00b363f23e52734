"""A knowledge base as rules ask it: by what texts say, not by the ids of entities."""

from collections.abc import Collection
from dataclasses import dataclass

from allrounder.knowledge import Base, last_part


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

    def holds(self, subject: str, predicate: str, object: str) -> bool:
        """Return whether a fact is known between anything that the two texts may mean."""
        objects = {self.base.snapshot.entities[number] for number in self._meant(object)}
        return any(
            predicate in (fact.predicate, last_part(fact.predicate))
            and (fact.object in objects if fact.is_entity else _same(fact.object, object))
            for number in self._meant(subject)
            for fact in self.base.snapshot.facts(number)
        )

    def _meant(self, text: str) -> set[int]:
        """Return the entities that a text as a whole may name."""
        return {
            number
            for mention in self.base.find(text)
            if text[mention.start : mention.end].strip() == text.strip()
            for number in mention.candidates
        }


def _same(one: str, other: str) -> bool:
    return one.casefold() == other.strip().casefold()
