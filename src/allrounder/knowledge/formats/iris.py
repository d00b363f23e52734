"""Ids and predicates as IRIs, and back.

What is an IRI already is written as it is. Anything else goes, percent-encoded, behind
`urn:allrounder:id:` or `urn:allrounder:predicate:`, and comes back from there as it was. The five
reserved predicates are written as terms of RDF, RDFS and SKOS.
"""

import re
from collections import defaultdict
from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote

from allrounder.knowledge.facts import (
    ALIAS,
    DESCRIPTION,
    IS_A,
    LITERAL,
    MEANINGS,
    NAME,
    TYPE,
    local_name,
)
from allrounder.lazy import lazy

if TYPE_CHECKING:
    import pyoxigraph
else:
    pyoxigraph = lazy("pyoxigraph")

OURS = "urn:allrounder:"
IDS, PREDICATES = OURS + "id:", OURS + "predicate:"

RDFS = "http://www.w3.org/2000/01/rdf-schema#"
SKOS = "http://www.w3.org/2004/02/skos/core#"

TERMS = {
    NAME: RDFS + "label",
    ALIAS: SKOS + "altLabel",
    TYPE: "http://www.w3.org/1999/02/22-rdf-syntax-ns#type",
    IS_A: RDFS + "subClassOf",
    DESCRIPTION: RDFS + "comment",
}
"""How the reserved predicates are written."""

_START = "A-Za-z_\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u02ff\u0370-\u037d\u037f-\u1fff\u3001-\ud7ff"

ELEMENT = re.compile(f"[{_START}][{_START}0-9-]*$")
"""What an IRI must end with to be a predicate in RDF/XML, where it becomes an element."""

_FILLER = ";_"
"""Stands behind a predicate that does not end so; a semicolon is never left in what is encoded."""


def id_iri(id: str) -> str:
    """Return the IRI of an entity."""
    return id if _is_iri(id) else IDS + _encoded(id)


def predicate_iris(predicates: Collection[str]) -> dict[str, str]:
    """Return an IRI for each predicate, such that `called` gives the predicates back."""
    found = {
        name: TERMS.get(name) or (name if _is_iri(name) else _ours(name)) for name in predicates
    }
    while True:
        back = called(found.values())
        wrong = [name for name, iri in found.items() if back[iri] != name]
        if not wrong:
            return found
        found |= {name: _ours(name) for name in wrong}


def called(iris: Iterable[str]) -> dict[str, str]:
    """Return what each predicate of a file is called here.

    It is called what `facts.MEANINGS` says, else by the end of its IRI; where two end alike, both
    keep the whole.
    """
    iris = set(iris)
    own = {iri: named(iri) for iri in iris if iri.startswith(PREDICATES)}
    taken = {*LITERAL, *own.values()}
    alike = defaultdict(list)
    for iri in iris - own.keys():
        alike[local_name(iri)].append(iri)
    return own | {
        iri: MEANINGS.get(iri) or (short if len(same) == 1 and short not in taken else iri)
        for short, same in alike.items()
        for iri in same
    }


def named(iri: str) -> str:
    """Return the id or predicate that was written as this IRI."""
    for space in (IDS, PREDICATES):
        if iri.startswith(space):
            return unquote(iri.removeprefix(space).removesuffix(_FILLER)) or iri
    return iri


def _is_iri(name: str) -> bool:
    """Return whether a name is an IRI that is read back as it is."""
    if ":" not in name or name.startswith(OURS):
        return False
    try:
        pyoxigraph.NamedNode(name)
    except ValueError:
        return False
    return True


def _ours(predicate: str) -> str:
    iri = PREDICATES + _encoded(predicate)
    return iri if ELEMENT.search(iri.removeprefix(PREDICATES)) else iri + _FILLER


def _encoded(name: str) -> str:
    """Return a name with all but letters and digits of any script, - . _ ~ percent-encoded."""
    return "".join(mark if _stays(mark) else quote(mark, safe="") for mark in name)


def _stays(mark: str) -> bool:
    return (mark.isalnum() and mark < "\ufb00") or mark in "-._~"
