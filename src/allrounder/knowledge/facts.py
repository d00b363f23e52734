"""Facts: everything that is known, one statement each.

A fact says that a `subject` (the id of an entity) stands in a `predicate` to an `object`, which is
another entity or a literal text. Names are facts too, under five reserved predicates: `name`,
`alias`, `type`, `is_a` and `description`.
"""

from collections.abc import Iterable
from datetime import date
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from allrounder.knowledge.hashing import hashed, stirred

NAME, ALIAS, TYPE, IS_A, DESCRIPTION = "name", "alias", "type", "is_a", "description"

RESERVED = (NAME, ALIAS, TYPE, IS_A, DESCRIPTION)
"""Predicates with a meaning of their own; every other predicate is the user's."""

LITERAL = (NAME, ALIAS, DESCRIPTION)
"""Reserved predicates whose object is always a text."""

_RDFS = "http://www.w3.org/2000/01/rdf-schema#"
_SKOS = "http://www.w3.org/2004/02/skos/core#"

MEANINGS = {
    _RDFS + "label": NAME,
    _SKOS + "prefLabel": NAME,
    _SKOS + "altLabel": ALIAS,
    "http://www.w3.org/1999/02/22-rdf-syntax-ns#type": TYPE,
    _RDFS + "subClassOf": IS_A,
    _SKOS + "broader": IS_A,
    _RDFS + "comment": DESCRIPTION,
    _SKOS + "definition": DESCRIPTION,
} | {
    f"{scheme}://schema.org/{term}": meaning
    for scheme in ("http", "https")
    for term, meaning in [("name", NAME), ("alternateName", ALIAS), ("description", DESCRIPTION)]
}
"""What terms of RDF, RDFS, SKOS and schema.org are called here."""


class Fact(NamedTuple):
    """One statement.

    Args:
        subject: the id of an entity.
        predicate: what is said of it.
        object: the id of another entity, or a text.
        is_entity: whether `object` is an id.
        valid_from: the first day on which it holds; None: always has.
        valid_to: the first day on which it no longer holds; None: it still does.
        source: who says so, such as the name of a file.
        confidence: how sure that is; of a name or an alias, the prior weight of this meaning.
    """

    subject: str
    predicate: str
    object: str
    is_entity: bool = False
    valid_from: date | None = None
    valid_to: date | None = None
    source: str = ""
    confidence: float = 1.0

    def __str__(self) -> str:
        """Return the fact as a person would write it."""
        shown = self.object if self.is_entity else f"“{self.object}”"
        since = f" from {self.valid_from}" if self.valid_from else ""
        until = f" to {self.valid_to}" if self.valid_to else ""
        return f"{self.subject} {self.predicate} {shown}{since}{until}"


SCHEMA = pa.schema(
    [
        ("subject", pa.string()),
        ("predicate", pa.string()),
        ("object", pa.string()),
        ("is_entity", pa.bool_()),
        ("valid_from", pa.date32()),
        ("valid_to", pa.date32()),
        ("source", pa.string()),
        ("confidence", pa.float32()),
    ]
)
"""Facts as columns: the fields of `Fact`, in this order."""


def as_table(facts: Iterable[Fact]) -> pa.Table:
    """Return facts as columns."""
    columns = list(zip(*facts, strict=True)) or [()] * len(SCHEMA)
    arrays = [pa.array(values, field.type) for values, field in zip(columns, SCHEMA, strict=True)]
    return pa.table(arrays, schema=SCHEMA)


def identities(table: pa.Table) -> np.ndarray:
    """Return 64 bits per fact that tell what it says, whoever says it and however surely.

    The same statement has the same identity in every store and every version.
    """
    parts = [_text_hashes(table[name]) for name in ("subject", "predicate", "object")]
    parts += [_column(table["is_entity"].cast(pa.int8())).astype(np.uint64)]
    parts += [days(table[name], missing=1 << 40).astype(np.uint64) for name in DATES]
    mixed = np.zeros(len(table), np.uint64)
    for part in parts:
        mixed = stirred(mixed ^ part)
    return mixed.view(np.int64)


DATES = ("valid_from", "valid_to")


def days(column: pa.ChunkedArray, *, missing: int) -> np.ndarray:
    """Return days since 1970-01-01, and `missing` where there is no date."""
    numbers = column.cast(pa.int32()).cast(pa.int64())
    return _column(pc.fill_null(numbers, missing))


def _column(column: pa.ChunkedArray) -> np.ndarray:
    return column.combine_chunks().to_numpy(zero_copy_only=False)


def _text_hashes(column: pa.ChunkedArray) -> np.ndarray:
    coded = column.combine_chunks().dictionary_encode()
    return hashed(coded.dictionary.to_pylist())[coded.indices.to_numpy()]


def local_name(iri: str) -> str:
    """Return what stands behind the last ``#``, ``/`` or ``:`` of an IRI; other ids stay whole."""
    if "://" not in iri and not iri.startswith("urn:"):
        return iri
    trimmed = iri.rstrip("#/:") or iri
    mark = next((mark for mark in "#/:" if mark in trimmed), "#")
    return trimmed.rpartition(mark)[2] or iri
