"""From the columns of a file to the fields and labels of a project."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import reduce

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from allrounder.errors import DataError, did_you_mean, listed
from allrounder.records.column import BadValue, Column, Made
from allrounder.records.field import Field, Read, Stat, TextField, as_strings, filled
from allrounder.records.keys import content_keys
from allrounder.records.opening import Opened
from allrounder.records.sources import Skipped
from allrounder.records.wiring import wired

FILES = 1024
"""Records that name files are read so many at a time, so that progress shows."""


@dataclass(frozen=True)
class Values:
    """The fields of a batch of records, null where missing.

    Args:
        columns: field → its values.
        aside: place → field → what is wrong with its value, in the order of the records.
        blank: which records have no value at all, and none that is set aside either.
        files: absolute path → size and time of change of every other file that was looked at.
    """

    columns: dict[str, pa.Array]
    aside: dict[int, dict[str, str]]
    blank: np.ndarray
    files: dict[str, Stat]

    def whole(self) -> np.ndarray:
        """Return which records have nothing wrong with them."""
        mask = np.ones(len(self.blank), bool)
        mask[list(self.aside)] = False
        return mask


@dataclass
class Reader:
    """Reads one source batch by batch; remembers what only the whole source can tell."""

    opened: Opened
    fields: Mapping[str, Field]
    columns: Mapping[str, Column]
    wires: Mapping[str, str]
    names: dict[str, None] = field(default_factory=dict)
    num_rows: int = 0
    num_blank: int = 0
    first_blank: int | None = None
    skipped: Skipped | None = None

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Yield the batches of the file as they are.

        Raises:
            DataError: at the end, where the source as a whole is not as it should be.
        """
        for batch in self._raw():
            if not batch.num_rows:
                continue
            first = not self.names
            self.names |= dict.fromkeys(batch.schema.names)
            if first:
                self._check_fields()
            for start in range(0, batch.num_rows, self._size(batch)):
                part = batch.slice(start, self._size(batch))
                yield part
                self.num_rows += part.num_rows
        self._check_end()

    def _raw(self) -> Iterator[pa.RecordBatch]:
        self.skipped = yield from self.opened.reader.batches(self.opened.file)

    def _size(self, batch: pa.RecordBatch) -> int:
        """Return how many records are read at a time: few where they name files."""
        files = any(pa.types.is_struct(field.type) for field in self.fields.values())
        return FILES if files else batch.num_rows

    def values(self, batch: pa.RecordBatch) -> Values:
        """Return every field of a batch, null where blank or not in the file."""
        found = {name: self._read(batch, name) for name in self.fields}
        aside: dict[int, dict[str, str]] = {}
        for name, read in found.items():
            for place, why in read.aside.items():
                aside.setdefault(place, {})[name] = why
        blank = np.array(_all([read.values.is_null() for read in found.values()]))
        blank[list(aside)] = False
        self._count_blank(blank)
        return Values(
            columns={name: read.values for name, read in found.items()},
            aside=dict(sorted(aside.items())),
            blank=blank,
            files={path: stat for read in found.values() for path, stat in read.files.items()},
        )

    def labels(self, batch: pa.RecordBatch, values: Mapping[str, pa.Array]) -> dict[str, pa.Array]:
        """Return the labels of every task, null where missing."""
        return {task: self._labels(batch, task, values) for task in self.columns}

    def named(self, batch: pa.RecordBatch, target: str) -> str | None:
        """Return the column of the batch that fills a field, a task or `id`."""
        wired = [name for name, other in self.wires.items() if other == target]
        own = [target] if target not in self.wires and target != "id" else []
        return next((name for name in wired or own if name in batch.schema.names), None)

    def string_column(self, batch: pa.RecordBatch, name: str) -> pa.Array:
        """Return a column of the file as strings.

        Raises:
            DataError: where there is no such column, or it holds lists or objects.
        """
        if name not in self.names:
            raise DataError(self._unknown(name))
        if name not in batch.schema.names:
            return pa.nulls(batch.num_rows, pa.string())
        with self._at(name):
            return as_strings(batch[name])

    def check_blank(self) -> None:
        """Refuse records that have no input at all.

        Raises:
            DataError: naming the first one.
        """
        if self.first_blank is None:
            return
        more = f" The same holds for {self.num_blank - 1} more." if self.num_blank > 1 else ""
        raise DataError(
            f"{self.opened.places([self.first_blank])[0]}: {self.nothing}{more} Fill in the "
            f"{'text' if self.reads_text else 'value'} or remove the record."
        )

    @property
    def reads_text(self) -> bool:
        """Whether every field is a text."""
        return all(isinstance(field, TextField) for field in self.fields.values())

    @property
    def nothing(self) -> str:
        """What is wrong with a record without any input."""
        names = " and ".join(f"`{name}`" for name in self.fields)
        return f"expected {'text' if self.reads_text else 'a value'} in {names}, found none."

    def refusal(self, values: Values) -> DataError:
        """Return the error for the first bad value of a batch."""
        place, reasons = next(iter(values.aside.items()))
        target, why = next(iter(reasons.items()))
        name = next((name for name, to in self.wires.items() if to == target), target)
        return self.opened.error(
            self.num_rows + place,
            name,
            f"{why} Mend or remove the record; without `on_error: fail` it would be set aside.",
        )

    def _count_blank(self, blank: np.ndarray) -> None:
        if blank.any() and self.first_blank is None:
            self.first_blank = self.num_rows + int(blank.argmax())
        self.num_blank += int(blank.sum())

    def _read(self, batch: pa.RecordBatch, target: str) -> Read:
        name, kind = self.named(batch, target), self.fields[target]
        if name is None:
            return Read(pa.nulls(batch.num_rows, kind.type))
        with self._at(name):
            return kind.read(batch[name], self.opened.file.folder)

    @contextmanager
    def _at(self, name: str) -> Iterator[None]:
        """Name file and line where a value of the column is refused."""
        try:
            yield
        except BadValue as error:
            raise self.opened.error(self.num_rows + error.index, name, str(error)) from None

    def _labels(self, batch: pa.RecordBatch, task: str, fields: Mapping) -> pa.Array:
        column, name = self.columns[task], self.named(batch, task)
        if column.made_of is not None:
            return column.read(_hashed(column.made_of, fields), None)
        if name is None:
            return pa.nulls(batch.num_rows, column.type)
        values = filled(batch[name]) if pa.types.is_string(batch[name].type) else batch[name]
        if values.null_count == batch.num_rows:
            return pa.nulls(batch.num_rows, column.type)
        text = fields[column.of] if column.of else None
        if text is not None:
            self._check_pointed(values, text, name, column.of)
        with self._at(name):
            labels = column.read(values, text)
        assert labels.type == column.type, f"{task} promised {column.type}, read {labels.type}"
        return labels

    def _check_pointed(self, values: pa.Array, text: pa.Array, name: str, of: str) -> None:
        lost = pc.and_(values.is_valid(), text.is_null())
        if pc.any(lost).as_py():
            row = self.num_rows + pc.index(lost, True).as_py()
            raise self.opened.error(row, name, f"the label points into `{of}`, which is empty.")

    def _check_fields(self) -> None:
        given = {target for name, target in self.wires.items() if name in self.names}
        own = self.names.keys() - self.wires.keys() - set(self.wires.values())
        if (given | own) & set(self.fields):
            return
        self._check_wires()
        hint = next((h for h in (did_you_mean(f, self.names) for f in self.fields) if h), "")
        raise DataError(
            f"{self.opened.file.shown}: expected a column for at least one input "
            f"({listed(self.fields)}), found the columns {listed(self.names)}.{hint} Say in the "
            f"source which column holds it, such as `map: {{{next(iter(self.names), 'column')}: "
            f"{next(iter(self.fields))}}}`."
        )

    def _check_wires(self) -> None:
        for name in self.wires:
            if name not in self.names:
                raise DataError(self._unknown(name))

    def _check_end(self) -> None:
        if not self.num_rows and self.opened.format == "ledger":
            return  # all of it expired
        if not self.num_rows:
            raise DataError(self._none())
        self._check_wires()

    def _none(self) -> str:
        shown = self.opened.file.shown
        if self.skipped:
            return (
                f"{shown}: expected lines of text, found only lines that are skipped: "
                f"{self.skipped.reasons}. Name the `encoding` of the file, or its `format` if it "
                "does not hold one text a line."
            )
        return (
            f"{shown}: expected records, found none. Fill the file or take the source out of the "
            "project."
        )

    def _unknown(self, name: str) -> str:
        return (
            f"{self.opened.file.shown}: the source names the column {name!r}, which is not in the "
            f"file.{did_you_mean(name, self.names)} Columns found: {listed(self.names)}. Correct "
            "the name in the source."
        )


def reader(source: Opened, fields: Mapping[str, Field], columns: Mapping[str, Column]) -> Reader:
    """Return the reader of one source."""
    if source.format == "folder" and _is_file(source.source.input, fields):
        source = replace(source, format="files")
    wires = wired(source.source, source.format, list(fields), columns)
    return Reader(source, fields, columns, wires)


def _is_file(name: str | None, fields: Mapping[str, Field]) -> bool:
    """Return whether the field that a folder fills, the only one if unnamed, holds files."""
    name = name or (next(iter(fields)) if len(fields) == 1 else "")
    return name in fields and pa.types.is_struct(fields[name].type)


def _hashed(made_of: Mapping[str, Made], fields: Mapping[str, pa.Array]) -> pa.Array:
    """Return a hash of the value of each input, 0 where it is missing: a list a record."""
    columns = []
    for made in made_of.values():
        values = {name: fields[name] for name in made.fields}
        nulls = [part.is_null() for part in values.values()]
        missing = np.array(reduce(pc.or_ if made.whole else pc.and_, nulls))
        columns.append(np.where(missing, 0, content_keys(values)))
    table = np.stack(columns, 1).astype(np.uint64)
    lists = pa.FixedSizeListArray.from_arrays(pa.array(table.ravel()), table.shape[1])
    return lists.cast(pa.list_(pa.uint64()))


def _all(masks: Iterable[pa.Array]) -> pa.Array:
    return reduce(pc.and_, masks)
