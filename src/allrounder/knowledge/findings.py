"""What a store holds, in numbers, and what is odd about it but kept usable."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from allrounder.errors import listed
from allrounder.knowledge.facts import ALIAS, IS_A, NAME, Fact
from allrounder.knowledge.snapshot import Snapshot
from allrounder.lazy import lazy

if TYPE_CHECKING:
    from scipy import sparse
    from scipy.sparse import csgraph
else:
    sparse, csgraph = lazy("scipy.sparse"), lazy("scipy.sparse.csgraph")

SHOWN = 5
"""Cases of each oddity that are named."""


@dataclass(frozen=True)
class Finding:
    """An oddity: how often it occurs, and its first cases."""

    count: int = 0
    cases: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, cases: Sequence[str]) -> "Finding":
        """Return the finding of all its cases."""
        return cls(len(cases), sorted(cases)[:SHOWN])

    def __str__(self) -> str:
        """Return the first cases."""
        return ", ".join(self.cases) + (", …" if self.count > len(self.cases) else "")


@dataclass(frozen=True, kw_only=True)
class Stats:
    """A snapshot in numbers.

    Args:
        version: the version of the store.
        fingerprint: what tells its content.
        facts: distinct statements.
        entities: ids that occur.
        names: names and aliases.
        predicates: facts by predicate, the most first.
        types: entities by type, the most first.
        dated: facts with a day from or to which they hold.
        dangling: ids that occur as objects but of which nothing is known.
        cycles: entities that are, over others, a kind of themselves.
        ambiguous: aliases of several entities.
    """

    version: int
    fingerprint: str
    facts: int
    entities: int
    names: int
    predicates: dict[str, int]
    types: dict[str, int]
    dated: int
    dangling: Finding
    cycles: Finding
    ambiguous: Finding

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return asdict(self)

    def __str__(self) -> str:
        """Return the numbers as a person reads them."""
        lines = [
            f"version {self.version}: {self.facts:,} facts about {self.entities:,} entities, "
            f"{self.names:,} names and aliases, {self.dated:,} facts with dates",
            f"predicates: {_counted(self.predicates)}",
            f"types: {_counted(self.types)}",
        ]
        for words, finding in [
            ("ids of which nothing is known", self.dangling),
            ("entities that are a kind of themselves", self.cycles),
            ("aliases of several entities", self.ambiguous),
        ]:
            if finding.count:
                lines.append(f"{finding.count:,} {words}: {finding}")
        return "\n".join(lines)


def stats_of(snapshot: Snapshot) -> Stats:
    """Return a snapshot in numbers."""
    types = snapshot.types()
    counts = np.bincount(types.numbers, minlength=len(types.names)).tolist()
    return Stats(
        version=snapshot.version,
        fingerprint=snapshot.fingerprint,
        facts=len(snapshot),
        entities=len(snapshot.entities),
        names=sum(len(snapshot.pairs(name).subjects) for name in (NAME, ALIAS)),
        predicates=_most(
            {name: len(snapshot.pairs(name).subjects) for name in snapshot.predicates}
        ),
        types=_most(dict(zip(types.names, counts, strict=True))),
        dated=snapshot.num_dated,
        dangling=Finding.of([snapshot.entities[i] for i in snapshot.unknown()]),
        cycles=Finding.of([snapshot.entities[i] for i in _cyclic(snapshot)]),
        ambiguous=Finding.of(_ambiguous(snapshot)),
    )


def repeated(facts: Sequence[Fact]) -> Finding:
    """Return the statements that are made more than once, whatever their confidence."""
    if len({fact[:6] for fact in facts}) == len(facts):
        return Finding()
    counts = Counter(fact._replace(confidence=1.0) for fact in facts)
    return Finding.of([str(fact) for fact, count in counts.items() if count > 1])


def _cyclic(snapshot: Snapshot) -> list[int]:
    """Return the entities from which `is_a` leads back to themselves."""
    pairs = snapshot.pairs(IS_A)
    edges = np.stack([pairs.subjects, pairs.objects], axis=1)[pairs.is_entity]
    while True:  # what is below or above nothing is in no cycle: peel it off
        inner = np.isin(edges[:, 0], edges[:, 1]) & np.isin(edges[:, 1], edges[:, 0])
        if inner.all():
            break
        edges = edges[inner]
    if not len(edges):
        return []
    nodes, places = np.unique(edges, return_inverse=True)
    below, above = places.reshape(edges.shape).T
    graph = sparse.coo_array((np.ones(len(below)), (below, above)), (len(nodes), len(nodes)))
    _, group = csgraph.connected_components(graph, connection="strong")
    of_itself = np.isin(np.arange(len(nodes)), below[below == above])
    return nodes[(np.bincount(group)[group] > 1) | of_itself].tolist()


def _ambiguous(snapshot: Snapshot) -> list[str]:
    """Return the names and aliases that several entities have."""
    pairs = [snapshot.pairs(predicate) for predicate in (NAME, ALIAS)]
    texts, entities = (
        np.concatenate(
            [column[~some.is_entity] for some, column in zip(pairs, columns, strict=True)]
        )
        for columns in ([some.objects for some in pairs], [some.subjects for some in pairs])
    )
    meant = np.unique(np.stack([texts, entities], axis=1), axis=0)[:, 0]
    numbers, counts = np.unique(meant, return_counts=True)
    return [snapshot.literals[number] for number in numbers[counts > 1].tolist()]


def _most(counts: dict[str, int]) -> dict[str, int]:
    return dict(Counter(counts).most_common())


def _counted(counts: dict[str, int]) -> str:
    return listed((f"{name} {count:,}" for name, count in counts.items()), 12)
