"""Tables with one answer a row: JSON lines, CSV, Parquet. What is written is read back the same."""

import csv
import io
import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from allrounder.errors import DataError
from allrounder.exchange.rows import Asked, Row, encoded
from allrounder.records.sources import File

SAID = ("task", "value", "act", "who", "created", "seconds", "model", "suggested", "source",
        "stands", "key", "id")  # fmt: skip
"""The columns beside those of the record."""

UNPACKED = 1 << 30
"""Bytes of a Parquet file that is unpacked, at most: a small file may repeat a large text."""

FIELD = "fields."
"""Stands before the name of a field that is called like one of them."""


def write_jsonl(rows: Iterable[Row], tasks: Mapping[str, Asked]) -> Iterator[bytes]:
    """Yield one object a line, the inputs of the record under `fields`."""
    for row in rows:
        said = {name: getattr(row, name) for name in SAID}
        yield encoded({"fields": dict(row.fields), **said}) + b"\n"


def read_jsonl(path: Path) -> Iterator[Row]:
    """Yield the answers of JSON lines."""
    for place, found in objects(path):
        fields = found.get("fields")
        known = {name: value for name, value in found.items() if name != "fields"}
        yield _row({**(fields if isinstance(fields, dict) else {}), **known}, place)


def objects(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the objects of JSON lines, each with its place."""
    file = File(path, str(path))
    for number, line in enumerate(file.lines(), 1):
        if not line.strip():
            continue
        try:
            found = json.loads(line)
        except (ValueError, RecursionError):
            raise DataError(f"{file.at(number)}: this is not JSON.") from None
        if not isinstance(found, dict):
            raise DataError(f"{file.at(number)}: expected a JSON object.")
        yield file.at(number), found


def write_csv(rows: Iterable[Row], tasks: Mapping[str, Asked]) -> Iterator[bytes]:
    """Yield a table; a label that is no name is written as JSON."""
    rows = list(rows)
    names = _fields(rows)
    lines = io.StringIO(newline="")
    writer = csv.writer(lines)
    writer.writerow([*names.values(), *SAID])
    for row in rows:
        writer.writerow([*(row.fields.get(name) for name in names), *_cells(row).values()])
        yield lines.getvalue().encode("utf-8", "replace")
        lines.seek(0)
        lines.truncate()
    yield lines.getvalue().encode()


def read_csv(path: Path) -> Iterator[Row]:
    """Yield the answers of a table; an empty cell says nothing."""
    file = File(path, str(path))
    csv.field_size_limit(1 << 30)
    reader = csv.DictReader(file.lines())
    try:
        for found in reader:
            cells = {k: v for k, v in found.items() if isinstance(k, str) and v not in ("", None)}
            yield _row(cells, file.at(reader.line_num))
    except csv.Error as error:
        raise DataError(f"{file.at(reader.line_num)}: this is not CSV: {error}.") from None


def write_parquet(rows: Iterable[Row], tasks: Mapping[str, Asked]) -> Iterator[bytes]:
    """Yield a table with the columns of CSV, numbers as numbers."""
    rows = list(rows)
    names, cells = _fields(rows), [_cells(row) for row in rows]
    columns = {
        new: pa.array([_written(row.fields.get(name)) for row in rows], pa.string())
        for name, new in names.items()
    }
    types = {"seconds": pa.float64(), "stands": pa.bool_()}
    for name in SAID:
        columns[name] = pa.array([one[name] for one in cells], types.get(name, pa.string()))
    into = pa.BufferOutputStream()
    pq.write_table(pa.table(columns), into)
    yield into.getvalue().to_pybytes()


def read_parquet(path: Path) -> Iterator[Row]:
    """Yield the answers of a Parquet file."""
    try:
        with pq.ParquetFile(path) as file:
            number = unpacked = 0
            for batch in file.iter_batches(batch_size=_batch_size(file.metadata)):
                unpacked += batch.nbytes
                if unpacked > UNPACKED:
                    raise DataError(
                        f"{path}: it holds more than {UNPACKED >> 20:,} MiB when it is unpacked."
                    )
                for found in batch.to_pylist():
                    number += 1
                    cells = {name: value for name, value in found.items() if value is not None}
                    yield _row(cells, f"{path}, row {number}")
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"{path}: this is no Parquet file that can be read: {error}.") from None


def _batch_size(about: pq.FileMetaData) -> int:
    """Return how many rows are unpacked at once: none is larger than the part that it lies in."""
    parts = [about.row_group(number).total_byte_size for number in range(about.num_row_groups)]
    return min(10_000, max(1, UNPACKED // max([1, *parts])))


def _fields(rows: Iterable[Row]) -> dict[str, str]:
    """Return the fields of all records, and what each is called in a table."""
    names = dict.fromkeys(name for row in rows for name in row.fields)
    return {name: f"{FIELD}{name}" if name in SAID else name for name in names}


def _cells(row: Row) -> dict[str, Any]:
    found = {name: getattr(row, name) for name in SAID}
    suggested = None if row.suggested is None else json.dumps(row.suggested)
    return {**found, "value": _written(row.value), "suggested": suggested}


def _written(value: Any) -> str | None:
    if value is None:
        return None
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text.encode("utf-8", "replace").decode()


def _row(found: Mapping[str, Any], place: str) -> Row:
    """Return an answer from its columns; all that are not known are fields of the record."""
    known = {name: found[name] for name in SAID if found.get(name) is not None}
    if isinstance(known.get("suggested"), str):
        known["suggested"] = _parsed(known["suggested"])
    texts = {
        name: str(known[name])
        for name in ("task", "act", "who", "created", "model", "key", "id")
        if name in known
    }
    return Row(
        fields={
            name.removeprefix(FIELD): value for name, value in found.items() if name not in SAID
        },
        value=known.get("value"),
        suggested=known.get("suggested"),
        seconds=seconds_of(known.get("seconds")),
        place=place,
        **texts,
    )


def seconds_of(value: Any) -> float | None:
    """Return a time as a number, or None where it is none."""
    try:
        found = float(value)
    except (TypeError, ValueError):
        return None
    return found if 0 <= found < float("inf") else None


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text
