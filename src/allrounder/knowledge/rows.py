"""Facts as the rows of a store's database, and back."""

from collections.abc import Sequence
from datetime import date
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from allrounder.errors import DataError
from allrounder.knowledge.facts import SCHEMA, Fact, identities


def checked(table: pa.Table) -> pa.Table:
    """Return facts that can be valid on some day."""
    never = pc.less_equal(table["valid_to"], table["valid_from"])
    for row in pc.indices_nonzero(pc.fill_null(never, False)).to_pylist()[:1]:
        fact = Fact(*[column[row].as_py() for column in table.columns])
        raise DataError(f"`valid_to` must be after `valid_from`. Found: {fact}.")
    return table


def strongest(table: pa.Table) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the number of each fact, sorted, its row and its confidence; of equals the surest."""
    ids, confidence = identities(table), table["confidence"].to_numpy()
    order = np.lexsort([-confidence, ids])
    known, first = np.unique(ids[order], return_index=True)
    rows = order[first]
    return known, rows, confidence[rows]


def values_at(known: np.ndarray, values: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Return the value of each wanted number among sorted ones, NaN where it is not known."""
    places = np.searchsorted(known, wanted)
    found = np.append(values, np.float32("nan"))[places]
    found[np.append(known, 0)[places] != wanted] = np.nan
    return found


def fact_of(row: tuple) -> Fact:
    """Return a row of the database as a fact."""
    *words, is_entity, since, until, source, confidence, _ = row
    return Fact(*words, bool(is_entity), _day(since), _day(until), source, confidence)


def _day(written: str | None) -> date | None:
    return date.fromisoformat(written) if written else None


def columns_of(rows: Sequence[tuple]) -> pa.Table:
    """Return rows of the database as columns."""
    columns = list(zip(*rows, strict=True)) or [()] * (len(SCHEMA) + 1)
    arrays = [
        pa.array(values, pa.string()).cast(field.type)
        if field.type == pa.date32()
        else pa.array(values, pa.int64()).cast(field.type)
        if field.type == pa.bool_()
        else pa.array(values, field.type)
        for values, field in zip(columns[:-1], SCHEMA, strict=True)
    ]
    return pa.table([*arrays, pa.array(columns[-1], pa.int64())], names=[*SCHEMA.names, "id"])


def written(column: pa.ChunkedArray) -> list[Any]:
    """Return a column as the database keeps it."""
    if column.type == pa.date32():
        return column.cast(pa.string()).to_pylist()
    return column.to_pylist()
