"""From the columns of a file to the fields and labels of a project."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import reduce

import pyarrow as pa
import pyarrow.compute as pc

from allrounder.errors import DataError, did_you_mean, listed
from allrounder.records.column import BadValue, Column
from allrounder.records.opening import Opened
from allrounder.records.wiring import wired

SIMPLE = (
    pa.types.is_integer,
    pa.types.is_floating,
    pa.types.is_boolean,
    pa.types.is_temporal,
    pa.types.is_decimal,
    pa.types.is_string,
    pa.types.is_large_string,
    pa.types.is_string_view,
)
"""Values that can be written as text without a doubt."""


@dataclass
class Reader:
    """Reads one source batch by batch; remembers what only the whole source can tell."""

    opened: Opened
    fields: Sequence[str]
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

    def texts(self, batch: pa.RecordBatch) -> dict[str, pa.Array]:
        """Return every field of a batch as strings, null where blank or not in the file."""
        texts = {name: self._text(batch, name) for name in self.fields}
        blank = _all([text.is_null() for text in texts.values()])
        num_blank = pc.sum(blank).as_py()
        if num_blank and self.first_blank is None:
            self.first_blank = self.num_rows + pc.index(blank, True).as_py()
        self.num_blank += num_blank
        return texts

    def labels(self, batch: pa.RecordBatch, texts: Mapping[str, pa.Array]) -> dict[str, pa.Array]:
        """Return the labels of every task, null where missing."""
        return {task: self._labels(batch, task, texts) for task in self.columns}

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
        return self._as_strings(batch[name], name)

    def check_blank(self) -> None:
        """Refuse records without any text.

        Raises:
            DataError: naming the first one.
        """
        if self.first_blank is None:
            return
        names = " and ".join(f"`{name}`" for name in self.fields)
        more = f" The same holds for {self.num_blank - 1} more." if self.num_blank > 1 else ""
        raise DataError(
            f"{self.opened.places([self.first_blank])[0]}: expected text in {names}, found none."
            f"{more} Fill in the text or remove the record."
        )

    def _text(self, batch: pa.RecordBatch, target: str) -> pa.Array:
        name = self.named(batch, target)
        if name is None:
            return pa.nulls(batch.num_rows, pa.string())
        texts = self._as_strings(batch[name], name)
        nul = pc.match_substring(texts, "\0")
        if pc.any(nul).as_py():
            row = self.num_rows + pc.index(nul, True).as_py()
            raise self.opened.error(row, name, "expected text, found a NUL character. Remove it.")
        return filled(texts)

    def _as_strings(self, values: pa.Array, name: str) -> pa.Array:
        if pa.types.is_string(values.type):
            return values
        if pa.types.is_null(values.type) or any(is_simple(values.type) for is_simple in SIMPLE):
            return values.cast(pa.string())
        row = pc.index(values.is_valid(), True).as_py()
        found = repr(values[row].as_py()) if row >= 0 else str(values.type)
        raise self.opened.error(
            self.num_rows + max(row, 0), name, f"expected text, found {found[:80]}."
        )

    def _labels(self, batch: pa.RecordBatch, task: str, texts: Mapping) -> pa.Array:
        column, name = self.columns[task], self.named(batch, task)
        if name is None:
            return pa.nulls(batch.num_rows, column.type)
        values = filled(batch[name]) if pa.types.is_string(batch[name].type) else batch[name]
        if values.null_count == batch.num_rows:
            return pa.nulls(batch.num_rows, column.type)
        text = texts[column.of] if column.of else None
        if text is not None:
            self._check_pointed(values, text, name, column.of)
        try:
            labels = column.read(values, text)
        except BadValue as error:
            raise self.opened.error(self.num_rows + error.index, name, str(error)) from None
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
            f"{self.fields[0]}}}`."
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


def reader(source: Opened, fields: Sequence[str], columns: Mapping[str, Column]) -> Reader:
    """Return the reader of one source."""
    wires = wired(source.source, source.format, fields, columns)
    return Reader(source, fields, columns, wires)


def _all(masks: Iterable[pa.Array]) -> pa.Array:
    return reduce(pc.and_, masks)


def filled(texts: pa.Array) -> pa.Array:
    """Return strings with null where there was nothing but whitespace."""
    blank = pc.equal(pc.binary_length(pc.utf8_trim_whitespace(texts)), 0)
    return (
        pc.if_else(blank, pa.scalar(None, pa.string()), texts) if pc.any(blank).as_py() else texts
    )
