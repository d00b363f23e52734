"""Knowledge bases that know nothing true: what a real one has to be better than.

A model gains from many things beside what a fact says: from being told where a term stands, from
more weights, from noise. A knowledge base helps by what it says only as far as it beats these
(Fu et al. 2023, "Revisiting the Knowledge Injection Frameworks").
"""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from allrounder.knowledge.facts import ALIAS, NAME, TYPE, Fact, as_table
from allrounder.knowledge.snapshot import Snapshot


def empty() -> Snapshot:
    """Return a knowledge base without facts."""
    return Snapshot.of([])


def shuffled(snapshot: Snapshot, chance: np.random.Generator) -> Snapshot:
    """Return the same entities under the same names, the objects of each predicate shuffled.

    As many entities have each type, and each fact is said as often, but of whom is chance.
    """
    table = as_table(snapshot.facts())
    predicates = np.array(table["predicate"].to_pylist(), dtype=object)
    places = np.arange(len(table))
    for predicate in set(predicates) - {NAME, ALIAS}:
        rows = np.flatnonzero(predicates == predicate)
        places[rows] = chance.permutation(rows)
    for column in ("object", "is_entity"):
        table = _with(table, column, table[column].take(pa.array(places)))
    return Snapshot.of_table(table, version=snapshot.version)


def renamed(snapshot: Snapshot, texts: Sequence[str], chance: np.random.Generator) -> Snapshot:
    """Return the same facts of entities whose names are stretches of texts, drawn at random.

    A name is as long as the one that it replaces.

    Args:
        snapshot: the facts.
        texts: where the stretches are taken from.
        chance: the source of randomness.
    """
    table = as_table(_named(snapshot))
    is_name = pc.is_in(table["predicate"], pa.array([NAME, ALIAS])).to_numpy()
    objects = np.array(table["object"].to_pylist(), dtype=object)
    long = [text for text in texts if text]
    for row in np.flatnonzero(is_name) if long else ():
        objects[row] = _stretch(long, len(objects[row]), chance)
    return Snapshot.of_table(_with(table, "object", pa.array(objects, pa.string())))


def untyped(snapshot: Snapshot, *, type: str = "entity") -> Snapshot:
    """Return the same entities under the same names, all of one type: only where terms stand."""
    table = as_table(_named(snapshot))
    names = table.filter(pc.is_in(table["predicate"], pa.array([NAME, ALIAS])))
    same = names.set_column(1, "predicate", pa.array([TYPE] * len(names), pa.string()))
    same = _with(same, "object", pa.array([type] * len(names), pa.string()))
    return Snapshot.of_table(pa.concat_tables([names, same]))


def _named(snapshot: Snapshot) -> list[Fact]:
    """Return all facts, and a name for each entity that goes by its id."""
    names = snapshot.names()
    plain = [Fact(snapshot.entities[i], NAME, names[i]) for i in snapshot.nameless().tolist()]
    return snapshot.facts() + plain


def _stretch(texts: Sequence[str], length: int, chance: np.random.Generator) -> str:
    text = texts[chance.integers(len(texts))]
    start = chance.integers(max(1, len(text) - length + 1))
    return text[start : start + length]


def _with(table: pa.Table, column: str, values: pa.Array | pa.ChunkedArray) -> pa.Table:
    return table.set_column(table.schema.get_field_index(column), column, values)
