"""File formats: one file each, all with the same two methods."""

from collections.abc import Sequence
from typing import Protocol

from allrounder.records.sources.conll import Conll
from allrounder.records.sources.csv import Csv
from allrounder.records.sources.file import File
from allrounder.records.sources.folder import Folder, files_in
from allrounder.records.sources.jsonl import Jsonl
from allrounder.records.sources.ledger import Made
from allrounder.records.sources.lines import Lines
from allrounder.records.sources.parquet import Parquet
from allrounder.records.sources.skipped import Batches, Skipped


class Format(Protocol):
    """How the records of one kind of file are read."""

    def batches(self, file: File) -> Batches:
        """Yield all records in the order of the file; return what was skipped, if anything."""
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
    "lines": Lines(),
    "folder": Folder(texts=True),
    "files": Folder(texts=False),
    "ledger": Made(),
}

FILLS: dict[str, tuple[str, str | None]] = {
    "conll": ("text", "spans"),
    "lines": ("text", None),
    "folder": ("text", "label"),
    "files": ("path", "label"),
}
"""Formats without named columns: what they call the input and its label, if they have one."""

__all__ = ["FILLS", "FORMATS", "File", "Format", "Skipped", "files_in"]
