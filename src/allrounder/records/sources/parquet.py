"""Parquet files."""

from collections.abc import Sequence

import pyarrow as pa
from pyarrow import parquet

from allrounder.errors import DataError
from allrounder.records.sources.file import File
from allrounder.records.sources.skipped import Batches

BLOCK = 16384
BLOCK_OF_FILES = 64
"""Rows that are read at a time where a column holds whole files."""


class Parquet:
    """Columns as they lie in the file; dictionaries become plain values."""

    def batches(self, file: File) -> Batches:
        """Yield the rows in the order of the file."""
        try:
            with parquet.ParquetFile(file.path) as reader:
                held = any(map(_holds_bytes, reader.schema_arrow.types))
                for batch in reader.iter_batches(BLOCK_OF_FILES if held else BLOCK):
                    yield _plain(batch)
        except (pa.ArrowInvalid, OSError) as error:
            raise DataError(
                f"{file.shown}: expected a Parquet file, which cannot be read: {error}. Write it "
                "again, or name the right `format` in the source."
            ) from error

    def places(self, file: File, rows: Sequence[int]) -> list[str]:
        """Return "path, row n" for each row, counted from one."""
        return [f"{file.shown}, row {row + 1}" for row in rows]


def _holds_bytes(kind: pa.DataType) -> bool:
    if pa.types.is_struct(kind):
        return any(_holds_bytes(child.type) for child in kind)
    return pa.types.is_binary(kind) or pa.types.is_large_binary(kind)


def _plain(batch: pa.RecordBatch) -> pa.RecordBatch:
    columns = [
        column.dictionary_decode() if pa.types.is_dictionary(column.type) else column
        for column in batch.columns
    ]
    return pa.RecordBatch.from_arrays(columns, names=batch.schema.names)
