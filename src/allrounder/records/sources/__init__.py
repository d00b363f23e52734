"""File formats: one file each, all with the same two methods."""

from collections.abc import Iterator, Sequence
from typing import Protocol

import pyarrow as pa

from allrounder.records.sources.conll import Conll
from allrounder.records.sources.csv import Csv
from allrounder.records.sources.file import File
from allrounder.records.sources.folder import Folder, files_in
from allrounder.records.sources.jsonl import Jsonl
from allrounder.records.sources.ledger import Made
from allrounder.records.sources.parquet import Parquet


class Format(Protocol):
    """How the records of one kind of file are read."""

    def batches(self, file: File) -> Iterator[pa.RecordBatch]:
        """Yield all records in the order of the file, a few thousand at a time."""
        ...

    def places(self, file: File, rows: Sequence[int]) -> list[str]:
        """Return where each row stands, as a person would look for it."""
        ...


FORMATS: dict[str, Format] = {
    "csv": Csv(",", quoted=True),
    "tsv": Csv("\t", quoted=False),
    "jsonl": Jsonl(),
    "parquet": Parquet(),
    "conll": Conll(),
    "folder": Folder(texts=True),
    "files": Folder(texts=False),
    "ledger": Made(),
}

FILLS = {"conll": ("text", "spans"), "folder": ("text", "label"), "files": ("path", "label")}
"""Formats without named columns: what they call the input and its label."""

__all__ = ["FILLS", "FORMATS", "File", "Format", "files_in"]
