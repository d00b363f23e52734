"""The records of a project as one table on disk."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from allrounder.errors import did_you_mean, listed
from allrounder.records.aside import Aside, sentence
from allrounder.records.opening import Opened
from allrounder.records.source import SPLITS, Source
from allrounder.records.sources import Skipped


@dataclass(frozen=True, kw_only=True)
class Records:
    """Records that stay on disk, in a memory-mapped Arrow table.

    The columns of `table` are `id`, `source` (its place in `sources`), `row` (counted from zero in
    its file), `split` (its place in `SPLITS`), `key` (a hash of the content), every field and
    every task; a missing field or label is null. Records with a bad value are not in it
    but in `aside`; `num_read` counts them too. `num_leaking` counts made records
    that were left out, because validation or test holds them or what they were made from.
    `skipped` counts lines that gave no record. `columns` has the names of the columns of each
    source, by path. `told` are sentences on what people answered. `fresh` is the file of the
    table where this reading wrote it.
    """

    table: pa.Table
    opened: list[Opened]
    fields: list[str]
    tasks: list[str]
    fingerprint: str
    aside: list[Aside] = field(default_factory=list)
    num_read: int = 0
    num_leaking: int = 0
    skipped: list[Skipped] = field(default_factory=list)
    columns: Mapping[str, Sequence[str]] = field(default_factory=dict)
    told: list[str] = field(default_factory=list)
    fresh: Path | None = None

    def __len__(self) -> int:
        return self.table.num_rows

    @property
    def sources(self) -> list[Source]:
        """The sources in the order of the project file."""
        return [opened.source for opened in self.opened]

    @property
    def notes(self) -> list[str]:
        """Sentences that belong into every report on these records."""
        notes = [sentence(self.aside, self.num_read)] if self.aside else []
        if self.num_leaking:
            notes.append(
                f"{self.num_leaking:,} made records were left out: they, or what they were made "
                "from, stand in validation or test now."
            )
        return [*notes, *map(str, self.skipped), *self.told]

    def indices(self, split: str | None = None, task: str | None = None) -> np.ndarray:
        """Return the records of a split, or those with a label for a task, as rising int64."""
        mask = np.ones(len(self), bool)
        if split is not None:
            mask &= self.numbers("split") == _split_number(split)
        if task is not None:
            mask &= np.asarray(self.labels(task).is_valid())
        return np.flatnonzero(mask).astype(np.int64, copy=False)

    def labeled(self, split: str) -> np.ndarray:
        """Return the records of a split that carry a label of any task."""
        rows = self.indices(split)
        known = [np.asarray(self.labels(task).is_valid())[rows] for task in self.tasks]
        return rows[np.any(known, axis=0)] if known else rows[:0]

    def where(self, index: int) -> str:
        """Return where a record stands, such as "data/news.csv, line 17"."""
        return self.wheres([index])[0]

    def wheres(self, indices: Sequence[int]) -> list[str]:
        """Return where records stand; every file is looked through only once."""
        chosen = self.table.select(["source", "row"]).take(pa.array(indices, pa.int64()))
        sources, rows = (column.to_pylist() for column in chosen.columns)
        found = {}
        for number in set(sources):
            wanted = sorted({r for s, r in zip(sources, rows, strict=True) if s == number})
            places = self.opened[number].places(wanted)
            found |= {(number, row): place for row, place in zip(wanted, places, strict=True)}
        return [found[pair] for pair in zip(sources, rows, strict=True)]

    def values(self, field: str) -> pa.ChunkedArray:
        """Return one field of all records, null where a record does not have it."""
        return self._column(field, self.fields)

    def labels(self, task: str) -> pa.ChunkedArray:
        """Return the labels of one task for all records, null where missing."""
        return self._column(task, self.tasks)

    def numbers(self, column: str) -> np.ndarray:
        """Return `source`, `row`, `split` or `key` of all records."""
        return self.table[column].to_numpy()

    def take(self, column: str, indices: Sequence[int] | np.ndarray) -> list[Any]:
        """Return the Python values of a column at some records, in their order."""
        values = self.table[column]  # its own `take` would first copy all strings into memory
        return [values[index].as_py() for index in map(int, indices)]

    def shown(self, field: str, indices: Sequence[int]) -> list[str | None]:
        """Return values of a field as a person would read them: a file by its path."""
        values = self.values(field)
        if pa.types.is_struct(values.type):
            return [self._file(values, index) for index in map(int, indices)]
        if pa.types.is_string(values.type):
            return self.take(field, indices)
        return [None if v is None else f"{field} {v:g}" for v in self.take(field, indices)]

    def legible(self, fields: Sequence[str], indices: Sequence[int]) -> list[str]:
        """Return the values of several fields as a person would read them, side by side."""
        columns = [self.shown(field, indices) for field in fields]
        return [" ‖ ".join(filter(None, parts)) for parts in zip(*columns, strict=True)]

    def _file(self, values: pa.ChunkedArray, index: int) -> str | None:
        """Return the path of a file from the folder of its source, else the digest of its bytes."""
        file = values[index]
        if not file.is_valid:
            return None
        if not file["path"].is_valid:
            return f"file {file['digest'].as_py()[:8]}"
        source = self.opened[self.table["source"][index].as_py()]
        return os.path.relpath(file["path"].as_py(), os.path.abspath(source.file.folder))

    def _column(self, name: str, known: list[str]) -> pa.ChunkedArray:
        if name not in known:
            raise KeyError(f"{name!r} is not among {listed(known)}.{did_you_mean(name, known)}")
        return self.table[name]


def _split_number(split: str) -> int:
    if split not in SPLITS:
        raise ValueError(
            f"`split` must be one of {listed(SPLITS)}.{did_you_mean(split, SPLITS)} Got {split!r}."
        )
    return SPLITS.index(split)
