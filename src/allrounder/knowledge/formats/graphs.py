"""Facts written as Turtle, N-Triples, RDF/XML or JSON-LD by pyoxigraph.

Plain RDF says that something holds, not since when, how surely or who says so: days, confidence and
sources are left out.
"""

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, BinaryIO

from allrounder.errors import DataError, MissingExtra
from allrounder.knowledge.facts import LITERAL, Fact
from allrounder.knowledge.formats.iris import (
    ELEMENT,
    IDS,
    PREDICATES,
    RDFS,
    SKOS,
    id_iri,
    predicate_iris,
)
from allrounder.lazy import lazy

if TYPE_CHECKING:
    import pyoxigraph
else:
    pyoxigraph = lazy("pyoxigraph")

PREFIXES = {"rdfs": RDFS, "skos": SKOS, "id": IDS, "predicate": PREDICATES}

_NOT_XML = re.compile("[\0-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")
"""Characters that XML has no way to say."""


@dataclass(frozen=True)
class Graph:
    """A format of RDF, to be written.

    Args:
        name: what pyoxigraph calls it.
    """

    name: str

    def __call__(self, facts: Collection[Fact], stream: BinaryIO) -> None:
        """Write facts one by one; those that differ only in what RDF cannot say are written once.

        Raises:
            DataError: RDF/XML has no way to write a predicate or a text.
            MissingExtra: pyoxigraph is not installed.
        """
        try:
            kind = getattr(pyoxigraph.RdfFormat, self.name)
        except ImportError:
            raise MissingExtra(
                "Writing RDF needs pyoxigraph. Try: pip install 'allrounder[knowledge]'"
            ) from None
        iris = predicate_iris({fact.predicate for fact in facts})
        if self.name == "RDF_XML":
            _check_elements(iris)
        pyoxigraph.serialize(self._triples(facts, iris), stream, kind, prefixes=PREFIXES)

    def _triples(self, facts: Collection[Fact], iris: dict[str, str]) -> Iterator[Any]:
        nodes = {name: pyoxigraph.NamedNode(iri) for name, iri in iris.items()}
        before = None
        for fact in facts:
            said = fact[:4]
            if said != before:
                yield pyoxigraph.Triple(
                    pyoxigraph.NamedNode(id_iri(fact.subject)),
                    nodes[fact.predicate],
                    self._object(fact),
                )
            before = said

    def _object(self, fact: Fact) -> Any:
        if fact.is_entity and fact.predicate not in LITERAL:
            return pyoxigraph.NamedNode(id_iri(fact.object))
        if self.name == "RDF_XML" and (found := _NOT_XML.search(fact.object)):
            raise DataError(
                f"RDF/XML cannot hold the character {found[0]!r}, found in: {fact}. "
                "Write Turtle or N-Triples."
            )
        return pyoxigraph.Literal(fact.object)


def _check_elements(iris: dict[str, str]) -> None:
    for name, iri in iris.items():
        if not ELEMENT.search(iri):
            raise DataError(
                f"RDF/XML cannot hold the predicate {name!r}, which must end with a name that "
                "begins with a letter. Write Turtle or N-Triples."
            )
