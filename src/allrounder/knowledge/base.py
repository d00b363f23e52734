"""A knowledge base, ready to be asked."""

from dataclasses import dataclass, replace
from datetime import date
from functools import cached_property

import pyarrow as pa

from allrounder.knowledge.facts import Fact
from allrounder.knowledge.hierarchy import Types
from allrounder.knowledge.lexicon import Lexicon, Mention
from allrounder.knowledge.linking import Linked
from allrounder.knowledge.snapshot import Snapshot
from allrounder.knowledge.strings import Strings


@dataclass(frozen=True)
class Base:
    """What is known at one version, and where it is named.

    Args:
        whole: all facts.
        min_length: aliases with fewer characters name nothing.
        day: only what holds on this day is told; None tells of all days.
        without: predicates that are not told.
    """

    whole: Snapshot
    min_length: int = 1
    day: date | None = None
    without: tuple[str, ...] = ()

    def at(self, day: date) -> "Base":
        """Return only what holds on a day."""
        return replace(self, day=day)

    def dropping(self, *predicates: str) -> "Base":
        """Return the same without the facts of some predicates; entities keep their numbers."""
        return replace(self, without=(*self.without, *predicates))

    @cached_property
    def snapshot(self) -> Snapshot:
        """The facts that are told."""
        held = self.whole if self.day is None else self.whole.at(self.day)
        return held.without(self.without) if self.without else held

    @property
    def predicates(self) -> list[str]:
        """The predicates, and those that are IRIs by their last part too."""
        known = self.snapshot.predicates
        return list(dict.fromkeys([*known, *map(last_part, known)]))

    @cached_property
    def lexicon(self) -> Lexicon:
        """The names and aliases of all entities."""
        return Lexicon.of(self.snapshot, min_length=self.min_length)

    @cached_property
    def types(self) -> Types:
        """The types of all entities."""
        return self.snapshot.types()

    @cached_property
    def kinds(self) -> Types:
        """What all entities are instances or kinds of."""
        return self.snapshot.kinds()

    @cached_property
    def names(self) -> Strings:
        """What each entity is called."""
        return self.snapshot.names()

    def link(self, texts: pa.Array | pa.ChunkedArray) -> Linked:
        """Find every mention in a column of texts."""
        return Linked.of(self.lexicon, texts)

    def find(self, text: str) -> list[Mention]:
        """Return the mentions in one text."""
        return self.lexicon.find(text)

    def facts_of(self, mention: Mention) -> list[Fact]:
        """Return all that is known of what a mention may mean."""
        return [fact for entity in mention.candidates for fact in self.snapshot.facts(entity)]


def last_part(iri: str) -> str:
    """Return what stands behind the last `#` or `/`; other names stay whole."""
    return iri.rsplit("#", 1)[-1].rsplit("/", 1)[-1]
