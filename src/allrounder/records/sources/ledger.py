"""The ledger as a source: records with labels that were made and that still count."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

import pyarrow as pa

from allrounder.errors import DataError
from allrounder.ledger.made import Entry, Ledger
from allrounder.records.sources.file import File
from allrounder.records.sources.jsonl import arrow_column

BLOCK = 4096

PARENT = "key"
"""The column with the hash of the record that each was made from; no field is called so."""


class Made:
    """Fields and labels of what a ledger holds and what has not expired."""

    def batches(self, file: File) -> Iterator[pa.RecordBatch]:
        """Yield the records in the order in which they were made."""
        with _opened(file) as ledger:
            entries = ledger.live()
            while block := list(islice(entries, BLOCK)):
                yield _batch(block)

    def places(self, file: File, rows: Sequence[int]) -> list[str]:
        """Return of each row who made it, from what."""
        wanted = set(rows)
        with _opened(file) as ledger:
            live = enumerate(islice(ledger.live(), max(rows) + 1))
            found = {row: entry for row, entry in live if row in wanted}
        return [
            f"{file.shown}, made by {found[row].generator} from {found[row].place}" for row in rows
        ]


def _opened(file: File) -> Ledger:
    if not file.rereadable:
        raise DataError(f"{file.shown}: a ledger is a file. Name it by its path.")
    return Ledger(file.path, read_only=True)  # type: ignore[arg-type]


def _batch(entries: Sequence[Entry]) -> pa.RecordBatch:
    rows: list[Mapping[str, Any]] = [{**one.fields, **one.labels} for one in entries]
    names = dict.fromkeys(name for row in rows for name in row)
    arrays = [arrow_column([row.get(name) for row in rows]) for name in names]
    parents = pa.array([one.parent for one in entries], pa.string())
    return pa.RecordBatch.from_arrays([*arrays, parents], names=[*names, PARENT])
