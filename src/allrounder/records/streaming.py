"""Read a file for prediction, in constant memory."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pyarrow as pa

from allrounder.records.field import Field, TextField
from allrounder.records.opening import Opened, opened
from allrounder.records.reading import Reader, Values, reader
from allrounder.records.source import Source
from allrounder.records.sources import File

STDIN = "standard input"


@dataclass(frozen=True)
class Part:
    """Some records of a file, in its order.

    Args:
        batch: every column as it is, and beside them every text as it is read.
        values: field → its values as they are read, null where missing.
        wrong: place → why the record cannot be answered.
    """

    batch: pa.RecordBatch
    values: dict[str, pa.Array]
    wrong: dict[int, str]

    def __len__(self) -> int:
        return self.batch.num_rows

    def slice(self, start: int, size: int) -> "Part":
        """Return `size` records from `start` on."""
        places = range(start, start + size)
        return Part(
            self.batch.slice(start, size),
            {name: values.slice(start, size) for name, values in self.values.items()},
            {place - start: why for place, why in self.wrong.items() if place in places},
        )


def stream(
    path: str | Path | BinaryIO,
    *,
    fields: Mapping[str, Field],
    format: str | None = None,
    map: Mapping[str, str] | None = None,
    encoding: str = "utf-8",
    batch: int = 4096,
) -> Iterator[Part]:
    """Yield the records of a file in its order.

    Where every field is a text, a record without any stops the reading. Other values may be bad
    one by one: then the record is `wrong` and the reading goes on.

    Args:
        path: A file or folder, or an open stream such as `sys.stdin`, which is JSONL by default.
        fields: Input field → how its values are read.
        format: The format, where the suffix does not tell it.
        map: Column of the file → input field.
        encoding: The text encoding of the file.
        batch: The most records in one batch.

    Raises:
        DataError: naming file and line, where something is not as it should be.
    """
    wires = {name: target for name, target in (map or {}).items() if target in fields}
    options = {"format": format, "map": wires, "encoding": encoding}
    if hasattr(path, "read"):
        found = _standing(path, options)
    else:
        found = opened(Source(path=str(path), **options), Path())
    return _stream(reader(found, fields, {}), batch)


def _standing(file: BinaryIO, options: dict) -> Opened:
    source = Source(path=STDIN, **{**options, "format": options["format"] or "jsonl"})
    raw = getattr(file, "buffer", file)
    return Opened(source, File(raw, STDIN, source.encoding), source.format)


def _stream(records: Reader, size: int) -> Iterator[Part]:
    for raw in records.batches():
        values = records.values(raw)
        if records.reads_text:
            records.check_blank()
        texts = {
            name: column
            for name, column in values.columns.items()
            if isinstance(records.fields[name], TextField)
        }
        columns = dict(zip(raw.schema.names, raw.columns, strict=True)) | texts
        part = Part(pa.RecordBatch.from_pydict(columns), values.columns, _wrong(records, values))
        for start in range(0, len(part), size):
            yield part.slice(start, size)


def _wrong(records: Reader, values: Values) -> dict[int, str]:
    blank = dict.fromkeys(np.flatnonzero(values.blank).tolist(), records.nothing)
    return blank | {
        place: " ".join(f"`{name}`: {why}" for name, why in reasons.items())
        for place, reasons in values.aside.items()
    }
