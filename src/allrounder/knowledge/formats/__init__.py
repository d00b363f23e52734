"""Files of facts, one module per format."""

import gzip
from collections.abc import Collection, Mapping
from functools import partial
from pathlib import Path

import pyarrow as pa

from allrounder.errors import DataError, did_you_mean, listed
from allrounder.knowledge.facts import Fact, as_table
from allrounder.knowledge.formats.entities import Entities
from allrounder.knowledge.formats.graphs import Graph
from allrounder.knowledge.formats.rdf import Rdf
from allrounder.knowledge.formats.reading import Reading
from allrounder.knowledge.formats.triples import Triples
from allrounder.knowledge.formats.writing import as_entities, as_triples
from allrounder.records.sources.file import File
from allrounder.runs import written_whole

FORMATS = {
    "csv": Triples(",", quoted=True),
    "tsv": Triples("\t", quoted=False),
    "jsonl": Entities(),
    "turtle": Rdf("TURTLE", "Turtle"),
    "ntriples": Rdf("N_TRIPLES", "N-Triples"),
    "rdfxml": Rdf("RDF_XML", "RDF/XML"),
    "jsonld": Rdf("JSON_LD", "JSON-LD"),
}

WRITTEN = {
    "csv": partial(as_triples, delimiter=",", quoted=True),
    "tsv": partial(as_triples, delimiter="\t", quoted=False),
    "jsonl": as_entities,
    "turtle": Graph("TURTLE"),
    "ntriples": Graph("N_TRIPLES"),
    "rdfxml": Graph("RDF_XML"),
    "jsonld": Graph("JSON_LD"),
}

UNDATED = ("turtle", "ntriples", "rdfxml", "jsonld")
"""Formats without room for the days on which a fact holds."""

SUFFIXES = {
    ".csv": "csv",
    ".tsv": "tsv",
    ".spo": "tsv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".ttl": "turtle",
    ".nt": "ntriples",
    ".rdf": "rdfxml",
    ".owl": "rdfxml",
    ".xml": "rdfxml",
    ".jsonld": "jsonld",
}


def read(
    path: str | Path,
    *,
    format: str | None = None,
    source: str | None = None,
    predicates: Mapping[str, str] | None = None,
    encoding: str = "utf-8",
    language: str | None = None,
) -> list[Fact]:
    """Return the facts of a file.

    Args:
        path: the file, compressed where its name ends in .gz.
        format: a name from `FORMATS`; by default the suffix tells.
        source: who says so; by default the name of the file.
        predicates: what predicates of the file are called here, as in ``{"类别": "type"}``.
        encoding: of the file's text.
        language: such as "en"; names in other languages are aliases (RDF only).

    Raises:
        DataError: in one sentence with file and line, where something is not as it must be.
    """
    kind, reading = _opened(path, format, source, predicates, encoding, language)
    return list(kind.facts(reading))


def read_table(
    path: str | Path,
    *,
    format: str | None = None,
    source: str | None = None,
    predicates: Mapping[str, str] | None = None,
    encoding: str = "utf-8",
    language: str | None = None,
) -> pa.Table:
    """Return what `read` gives as columns (`facts.SCHEMA`), plain triples six times as quickly."""
    kind, reading = _opened(path, format, source, predicates, encoding, language)
    return kind.table(reading) if isinstance(kind, Triples) else as_table(kind.facts(reading))


def _opened(
    path: str | Path,
    format: str | None,
    source: str | None,
    predicates: Mapping[str, str] | None,
    encoding: str,
    language: str | None,
) -> tuple[Triples | Entities | Rdf, Reading]:
    path = Path(path)
    reading = Reading(
        file=File(path, str(path), encoding),
        source=path.name if source is None else source,
        predicates=predicates or {},
        language=language,
    )
    return FORMATS[format_of(path, format)], reading


def write(facts: Collection[Fact], path: str | Path, *, format: str | None = None) -> None:
    """Write facts into a file, whole or not at all.

    Args:
        facts: what to write; RDF goes over them twice, one by one.
        path: the file, compressed where its name ends in .gz.
        format: a name from `WRITTEN`; by default the suffix tells.

    Raises:
        DataError: where the format is none of these, or has no room for a fact.
        MissingExtra: where RDF is to be written without pyoxigraph.
        RunError: where the file cannot be written.
    """
    path = Path(path)
    kind = format_of(path, format)
    with written_whole(path) as file:
        if path.suffix.lower() != ".gz":
            WRITTEN[kind](facts, file)
            return
        with gzip.GzipFile(path.stem, "wb", fileobj=file, mtime=0) as packed:
            WRITTEN[kind](facts, packed)


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
