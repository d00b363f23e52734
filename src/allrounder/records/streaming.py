"""Read a file for prediction, in constant memory."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import BinaryIO

import pyarrow as pa

from allrounder.records.field import Field
from allrounder.records.opening import Opened, opened
from allrounder.records.reading import Reader, reader
from allrounder.records.source import Source
from allrounder.records.sources import File

STDIN = "standard input"


def stream(
    path: str | Path | BinaryIO,
    *,
    fields: Mapping[str, Field],
    format: str | None = None,
    map: Mapping[str, str] | None = None,
    encoding: str = "utf-8",
    batch: int = 4096,
) -> Iterator[pa.RecordBatch]:
    """Yield the records of a file in its order, every column as it is, and the fields.

    Args:
        path: A file or folder, or an open stream such as `sys.stdin`, which is JSONL by default.
        fields: Input field → how its values are read; each becomes a column.
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


def _stream(records: Reader, size: int) -> Iterator[pa.RecordBatch]:
    for raw in records.batches():
        values = records.values(raw)
        records.check_blank()
        columns = dict(zip(raw.schema.names, raw.columns, strict=True)) | values
        whole = pa.RecordBatch.from_pydict(columns)
        for start in range(0, whole.num_rows, size):
            yield whole.slice(start, size)
