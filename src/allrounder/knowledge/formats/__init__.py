"""Files of facts, one module per format."""

from collections.abc import Mapping
from pathlib import Path

from allrounder.errors import DataError, did_you_mean, listed
from allrounder.knowledge.facts import Fact
from allrounder.knowledge.formats.entities import Entities
from allrounder.knowledge.formats.reading import Reading
from allrounder.knowledge.formats.triples import Triples
from allrounder.records.sources.file import File

FORMATS = {
    "csv": Triples(",", quoted=True),
    "tsv": Triples("\t", quoted=False),
    "jsonl": Entities(),
}

SUFFIXES = {
    ".csv": "csv",
    ".tsv": "tsv",
    ".spo": "tsv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
}


def read(
    path: str | Path,
    *,
    format: str | None = None,
    source: str | None = None,
    predicates: Mapping[str, str] | None = None,
    encoding: str = "utf-8",
) -> list[Fact]:
    """Return the facts of a file.

    Args:
        path: the file, compressed where its name ends in .gz.
        format: a name from `FORMATS`; by default the suffix tells.
        source: who says so; by default the name of the file.
        predicates: what predicates of the file are called here, as in ``{"类别": "type"}``.
        encoding: of the file's text.

    Raises:
        DataError: in one sentence with file and line, where something is not as it must be.
    """
    path = Path(path)
    reading = Reading(
        file=File(path, str(path), encoding),
        source=path.name if source is None else source,
        predicates=predicates or {},
    )
    return list(FORMATS[format_of(path, format)].facts(reading))


def format_of(path: Path, named: str | None = None) -> str:
    """Return the format that is named, or that the suffix tells."""
    if named is not None and named not in FORMATS:
        hint = did_you_mean(named, FORMATS)
        raise DataError(f"{named!r} is no format of facts.{hint} Known: {listed(FORMATS)}.")
    suffix = Path(path.name.lower().removesuffix(".gz")).suffix
    if named is None and suffix not in SUFFIXES:
        raise DataError(
            f"{path}: the format cannot be told from the suffix {suffix!r}. Known suffixes: "
            f"{listed(SUFFIXES, 20)}. Or name one of the formats {listed(FORMATS)}."
        )
    return named or SUFFIXES[suffix]
