"""Turtle, N-Triples, RDF/XML and JSON-LD, read by pyoxigraph.

Entities keep their whole IRI, and predicates are called what `iris.called` says. Blank nodes are
numbered in the order in which they appear, so that reading a file again gives the same facts.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from xml.parsers import expat

from allrounder.errors import DataError, MissingExtra
from allrounder.knowledge.facts import ALIAS, LITERAL, NAME, Fact
from allrounder.knowledge.formats.iris import called, named
from allrounder.knowledge.formats.reading import Reading
from allrounder.lazy import lazy

if TYPE_CHECKING:
    import pyoxigraph
else:
    pyoxigraph = lazy("pyoxigraph")


@dataclass(frozen=True)
class Rdf:
    """A format of RDF.

    Args:
        name: what pyoxigraph calls it.
        title: what people call it.
    """

    name: str
    title: str

    def facts(self, reading: Reading) -> Iterator[Fact]:
        """Return the facts of the file."""
        blank = _Blanks(reading.source)
        triples = [
            (blank(quad.subject), quad.predicate.value, quad.object)
            for quad in self._quads(reading)
        ]
        names = _called({predicate for _, predicate, _ in triples}, reading)
        for subject, predicate, object in triples:
            yield _fact(subject, names[predicate], object, blank, reading)

    def _quads(self, reading: Reading) -> Iterator[Any]:
        try:
            kind = getattr(pyoxigraph.RdfFormat, self.name)
        except ImportError:
            raise MissingExtra(
                f"{reading.file.shown}: reading RDF needs pyoxigraph. "
                "Try: pip install 'allrounder[knowledge]'"
            ) from None
        with reading.file.open() as stream:
            try:
                yield from pyoxigraph.parse(stream, kind)
            except SyntaxError as error:
                raise self._malformed(reading, error) from None

    def _malformed(self, reading: Reading, error: SyntaxError) -> DataError:
        if "LoadDocumentCallback" in str(error):
            return DataError(
                f"{reading.file.shown}: the `@context` lies on the network, where nothing is read "
                "from. Write the context itself into the file."
            )
        line = error.lineno or (_broken_xml(reading) if self.name == "RDF_XML" else None)
        place = reading.file.at(line) if line else reading.file.shown
        return DataError(
            f"{place}: expected {self.title}, found a mistake: "
            f"{_shortened(str(error.msg))}. Correct the file or name its format."
        )


class _Blanks:
    """Names of subjects and objects; blank nodes are numbered as they appear."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.numbers: dict[str, int] = {}

    def __call__(self, node: Any) -> str:
        if not isinstance(node, pyoxigraph.BlankNode):
            return named(node.value) if isinstance(node, pyoxigraph.NamedNode) else str(node)
        number = self.numbers.setdefault(node.value, len(self.numbers) + 1)
        return f"_:{self.source}#{number}"


def _fact(
    subject: str, predicate: str, object: Any, blank: Callable[[Any], str], reading: Reading
) -> Fact:
    if not isinstance(object, pyoxigraph.Literal):
        return Fact(
            subject, predicate, blank(object), predicate not in LITERAL, source=reading.source
        )
    if predicate == NAME and not reading.speaks(object.language):
        predicate = ALIAS
    return Fact(subject, predicate, object.value, source=reading.source)


def _called(iris: Iterable[str], reading: Reading) -> dict[str, str]:
    """Return what each predicate is called here, renamed by its IRI or by its name."""
    return {
        iri: reading.predicates.get(iri, reading.predicate(name))
        for iri, name in called(iris).items()
    }


def _broken_xml(reading: Reading) -> int | None:
    """Return the line at which a file stops to be XML."""
    with reading.file.open() as stream:
        try:
            expat.ParserCreate().ParseFile(stream)
        except expat.ExpatError as error:
            return error.lineno
    return None


def _shortened(message: str) -> str:
    """Return pyoxigraph's words without the place, which is said already."""
    return re.sub(r"^Parser error [^:]*: ", "", message)
