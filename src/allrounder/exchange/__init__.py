"""Labels of people in files of other programs and for them: one file per format."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from allrounder.errors import ProjectError, did_you_mean, listed
from allrounder.exchange import conll, label_studio, prodigy, tables
from allrounder.exchange.placing import Placing
from allrounder.exchange.rows import Asked, Row

__all__ = ["FORMATS", "Asked", "Format", "Placing", "Row", "format_of"]


@dataclass(frozen=True)
class Format:
    """How labels are written in a format, and read from it.

    Args:
        write: gives the bytes of a file, from rows in the order of their records.
        read: gives the rows of a file.
    """

    write: Callable[[Iterable[Row], Mapping[str, Asked]], Iterable[bytes]]
    read: Callable[[Path], Iterator[Row]]


FORMATS = {
    "jsonl": Format(tables.write_jsonl, tables.read_jsonl),
    "csv": Format(tables.write_csv, tables.read_csv),
    "parquet": Format(tables.write_parquet, tables.read_parquet),
    "conll": Format(conll.write, conll.read),
    "label-studio": Format(label_studio.write, label_studio.read),
    "prodigy": Format(prodigy.write, prodigy.read),
}

SUFFIXES = {
    ".jsonl": "jsonl",
    ".csv": "csv",
    ".parquet": "parquet",
    ".conll": "conll",
    ".iob": "conll",
    ".json": "label-studio",
}


def format_of(path: Path, named: str | None = None) -> str:
    """Return the name of a file's format: as named, else as the suffix says.

    JSON lines that are there already and look like Prodigy's are taken for such.

    Raises:
        ProjectError: there is no such format, or the suffix says none.
    """
    if named is not None and named not in FORMATS:
        raise ProjectError(
            f"--format {named!r} is none for labels.{did_you_mean(named, FORMATS)} "
            f"Formats: {listed(FORMATS)}."
        )
    found = named or SUFFIXES.get(path.suffix.lower())
    if found is None:
        raise ProjectError(
            f"{path}: the suffix names no format for labels. Name it by --format: "
            f"{listed(FORMATS)}."
        )
    if named is None and found == "jsonl" and path.exists() and prodigy.looks_like(path):
        return "prodigy"
    return found
