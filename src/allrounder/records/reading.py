"""From the columns of a file to the fields and labels of a project."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import reduce

import pyarrow as pa
import pyarrow.compute as pc

from allrounder.errors import DataError, did_you_mean, listed
from allrounder.records.column import BadValue, Column
from allrounder.records.field import Field, TextField, as_strings, filled
from allrounder.records.opening import Opened
from allrounder.records.wiring import wired


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

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Yield the batches of the file as they are.

        Raises:
            DataError: at the end, where the source as a whole is not as it should be.
        """
        for batch in self.opened.reader.batches(self.opened.file):
            if not batch.num_rows:
                continue
            first = not self.names
            self.names |= dict.fromkeys(batch.schema.names)
            if first:
                self._check_fields()
            yield batch
            self.num_rows += batch.num_rows
        self._check_end()

    def values(self, batch: pa.RecordBatch) -> dict[str, pa.Array]:
        """Return every field of a batch, null where blank or not in the file."""
        values = {name: self._values(batch, name) for name in self.fields}
        blank = _all([column.is_null() for column in values.values()])
        num_blank = pc.sum(blank).as_py()
        if num_blank and self.first_blank is None:
            self.first_blank = self.num_rows + pc.index(blank, True).as_py()
        self.num_blank += num_blank
        return values

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
        names = " and ".join(f"`{name}`" for name in self.fields)
        more = f" The same holds for {self.num_blank - 1} more." if self.num_blank > 1 else ""
        kind = "text" if all(isinstance(f, TextField) for f in self.fields.values()) else "a value"
        raise DataError(
            f"{self.opened.places([self.first_blank])[0]}: expected {kind} in {names}, found none."
            f"{more} Fill in the {kind.split()[-1]} or remove the record."
        )

    def _values(self, batch: pa.RecordBatch, target: str) -> pa.Array:
        name, kind = self.named(batch, target), self.fields[target]
        if name is None:
            return pa.nulls(batch.num_rows, kind.type)
        with self._at(name):
            found = kind.read(batch[name], self.opened.file.folder)
        for index, why in found.aside.items():
            raise self.opened.error(self.num_rows + index, name, why)
        return found.values

    @contextmanager
    def _at(self, name: str) -> Iterator[None]:
        """Name file and line where a value of the column is refused."""
        try:
            yield
        except BadValue as error:
            raise self.opened.error(self.num_rows + error.index, name, str(error)) from None

    def _labels(self, batch: pa.RecordBatch, task: str, fields: Mapping) -> pa.Array:
        column, name = self.columns[task], self.named(batch, task)
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
        if not self.num_rows:
            raise DataError(
                f"{self.opened.file.shown}: expected records, found none. Fill the file or take "
                "the source out of the project."
            )
        self._check_wires()

    def _unknown(self, name: str) -> str:
        return (
            f"{self.opened.file.shown}: the source names the column {name!r}, which is not in the "
            f"file.{did_you_mean(name, self.names)} Columns found: {listed(self.names)}. Correct "
            "the name in the source."
        )


def reader(source: Opened, fields: Mapping[str, Field], columns: Mapping[str, Column]) -> Reader:
    """Return the reader of one source."""
    wires = wired(source.source, source.format, list(fields), columns)
    return Reader(source, fields, columns, wires)


def _all(masks: Iterable[pa.Array]) -> pa.Array:
    return reduce(pc.and_, masks)
