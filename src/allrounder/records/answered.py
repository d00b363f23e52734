"""What people answered, laid over the labels of the sources, in memory.

The table on disk follows from the sources alone, so that an answer costs no second reading.
"""

import dataclasses
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from allrounder.errors import listed
from allrounder.records.column import Column
from allrounder.records.keys import Digest
from allrounder.records.records import Records
from allrounder.records.sources.jsonl import arrow_column

KEY = re.compile(r"[0-9a-f]{16}")

MISFITS = (ValueError, TypeError, LookupError, AttributeError, pa.ArrowException)
"""What reading a value can end in that was a label once, of other labels or another task."""


def answered(
    records: Records, answers: Mapping[tuple[str, str], Any], columns: Mapping[str, Column]
) -> Records:
    """Return records with the labels that people gave in the place of those of the sources.

    Args:
        records: as the sources have them.
        answers: content key, as 16 hexadecimal digits, and task → the label as plain data.
        columns: task → how its labels are read.
    """
    by_task: dict[str, dict[str, Any]] = defaultdict(dict)
    for (key, task), value in answers.items():
        by_task[task][key] = value
    laid = {
        task: _laid(records, task, column, by_task[task])
        for task, column in columns.items()
        if task in by_task and column.made_of is None
    }
    strange = {task: len(given) for task, given in by_task.items() if task not in laid}
    table, digest = records.table, Digest()
    for task, one in sorted(laid.items()):
        place = table.column_names.index(task)
        table = table.set_column(place, task, _replaced(table[task], one.rows, one.labels))
        digest.update(f"{task}.row", pa.array(one.rows))
        digest.update(task, one.labels)
    changed = any(len(one.rows) for one in laid.values())
    both = f"{records.fingerprint}{digest.hexdigest()}".encode()
    return dataclasses.replace(
        records,
        table=table,
        fingerprint=_hashed(both) if changed else records.fingerprint,
        told=[*records.told, *_told(laid, strange)],
    )


@dataclasses.dataclass(frozen=True)
class Laid:
    """The answers to one task on their way into the table.

    Args:
        rows: the records that get a label, rising.
        labels: theirs.
        num_used: how many answers these are from; records with the same content share one.
        num_gone: answers on records that the sources do not hold.
        misfits: labels that the task does not take.
    """

    rows: np.ndarray
    labels: pa.Array
    num_used: int
    num_gone: int
    misfits: list[Any]


def _laid(records: Records, task: str, column: Column, given: Mapping[str, Any]) -> Laid:
    """Find the records that were answered, and read what was said."""
    numbers = _numbers(list(given))
    order = np.argsort(numbers)
    keys = records.numbers("key")
    places = np.searchsorted(numbers[order], keys).clip(max=len(order) - 1)
    rows = np.flatnonzero(numbers[order][places] == keys)
    which = order[places[rows]]
    said = list(given.values())
    values = [said[place] for place in which.tolist()]
    texts = None if column.of is None else records.take(column.of, rows)
    labels = labels_read(column, values, texts)
    fits = np.asarray(labels.is_valid())
    return Laid(
        rows=rows[fits],
        labels=labels.filter(pa.array(fits)),
        num_used=len(np.unique(which[fits])),
        num_gone=len(given) - len(np.unique(which)),
        misfits=[said[place] for place in np.unique(which[~fits]).tolist()],
    )


def _numbers(keys: Sequence[str]) -> np.ndarray:
    return np.array([int(key, 16) if KEY.fullmatch(key) else 0 for key in keys], np.uint64)


def labels_read(column: Column, values: Sequence[Any], texts: Sequence[Any] | None) -> pa.Array:
    """Return labels, null where a value is none; where one is not, halves are tried alone."""
    if not values:
        return pa.array([], column.type)
    try:
        written = None if texts is None else pa.array(texts, pa.string())
        return column.read(_raw(values, column.type), written)
    except MISFITS:
        if len(values) == 1:
            return pa.nulls(1, column.type)
    half = len(values) // 2
    parts = [slice(half), slice(half, None)]
    return pa.concat_arrays(
        [
            labels_read(column, values[part], None if texts is None else texts[part])
            for part in parts
        ]
    )


def _raw(values: Sequence[Any], type: pa.DataType) -> pa.Array:
    """Return values in the type of labels where they are such, else in their own."""
    try:
        return pa.array(values, type)
    except MISFITS:
        return arrow_column(list(values))


def _replaced(column: pa.ChunkedArray, rows: np.ndarray, labels: pa.Array) -> pa.ChunkedArray:
    """Return a column with other labels at some rows; chunks without one stay on disk."""
    chunks, start = [], 0
    for chunk in column.chunks:
        end = start + len(chunk)
        first, last = np.searchsorted(rows, [start, end]).tolist()
        if first < last:
            taken = np.arange(len(chunk))
            taken[rows[first:last] - start] = len(chunk) + np.arange(last - first)
            both = pa.concat_arrays([chunk, labels.slice(first, last - first)])
            chunk = both.take(pa.array(taken))
        chunks.append(chunk)
        start = end
    return pa.chunked_array(chunks, column.type)


def _hashed(content: bytes) -> str:
    digest = Digest()
    digest.update("", pa.array([content.decode()]))
    return digest.hexdigest()


def _told(laid: Mapping[str, Laid], strange: Mapping[str, int]) -> list[str]:
    """Return sentences on what people said, and on what of it could not be used."""
    told = []
    if used := {task: one.num_used for task, one in laid.items() if one.num_used}:
        shares = listed(f"{task} {n:,}" for task, n in used.items())
        told.append(f"Labels that people gave: {shares}.")
    if gone := sum(one.num_gone for one in laid.values()):
        told.append(f"{_answers(gone)} left out: no source holds the record any more.")
    for task, one in laid.items():
        if one.misfits:
            told.append(
                f"{_answers(len(one.misfits))} left out: {task} does not take the label, such as "
                f"{one.misfits[0]!r:.80}."
            )
    if strange:
        told.append(
            f"{_answers(sum(strange.values()))} left out: the project has no such task, or makes "
            f"its labels itself: {listed(strange)}."
        )
    return told


def _answers(n: int) -> str:
    return "1 answer of people was" if n == 1 else f"{n:,} answers of people were"
