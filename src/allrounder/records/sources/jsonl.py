"""One JSON object a line; a key that a record does not have is null."""

import json
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

import pyarrow as pa

from allrounder.errors import DataError
from allrounder.records.sources.file import File
from allrounder.records.sources.skipped import Batches

BLOCK = 4096
MOST = 1 << 25
"""Characters of a block, which may hold whole files as data URIs."""


class Jsonl:
    """JSON lines, parsed in blocks; blank lines are skipped."""

    def batches(self, file: File) -> Batches:
        """Yield the objects, each column with the type of its values in this batch."""
        for block in _blocks(_filled(file)):
            yield _batch(file, [(number, _parsed(file, number, line)) for number, line in block])

    def places(self, file: File, rows: Sequence[int]) -> list[str]:
        """Return "path, line n" for each row."""
        wanted, last = set(rows), max(rows)
        filled = enumerate(islice(_filled(file), last + 1))
        found = {row: file.at(number) for row, (number, _) in filled if row in wanted}
        return [found[row] for row in rows]


def _blocks(lines: Iterator[tuple[int, str]]) -> Iterator[list[tuple[int, str]]]:
    block, size = [], 0
    for number, line in lines:
        block.append((number, line))
        size += len(line)
        if len(block) == BLOCK or size >= MOST:
            yield block
            block, size = [], 0
    if block:
        yield block


def _filled(file: File) -> Iterator[tuple[int, str]]:
    for number, line in enumerate(file.lines(), 1):
        if line.strip():
            yield number, line


def _parsed(file: File, number: int, line: str) -> dict[str, Any]:
    try:
        value = json.loads(line)
    except json.JSONDecodeError as error:
        raise DataError(
            f"{file.at(number)}, column {error.colno}: this is not JSON: {error.msg}. Every line "
            'must be one whole JSON object, such as {"text": "…"}.'
        ) from None
    except RecursionError:
        raise DataError(f"{file.at(number)}: the JSON is nested too deeply.") from None
    if not isinstance(value, dict) or not value:
        raise DataError(
            f"{file.at(number)}: expected a JSON object with keys, found {_short(value)}. Every "
            'line must be one whole JSON object, such as {"text": "…"}.'
        )
    return value


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 60 else text[:60] + "…"


def _batch(file: File, records: list[tuple[int, dict[str, Any]]]) -> pa.RecordBatch:
    names = dict.fromkeys(name for _, record in records for name in record)
    try:
        arrays = [arrow_column([record.get(name) for _, record in records]) for name in names]
        return pa.RecordBatch.from_arrays(arrays, names=list(names))
    except UnicodeEncodeError:
        raise DataError(_surrogate(file, records)) from None


def arrow_column(values: list[Any]) -> pa.Array:
    """Return one Arrow column; values of mixed types become strings, JSON where they were not."""
    try:
        return pa.array(values)
    except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError):
        return pa.array([_string(value) for value in values], pa.string())


def _string(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False)


def _surrogate(file: File, records: list[tuple[int, dict[str, Any]]]) -> str:
    text = json.dumps(records, ensure_ascii=False)
    number = next(number for number, record in records if _broken(record))
    code = next(character for character in text if "\ud800" <= character <= "\udfff")
    return (
        f"{file.at(number)}: found half a character, \\u{ord(code):04x}. Escapes from \\ud800 to "
        "\\udfff only stand in pairs: write the character itself, or drop it."
    )


def _broken(record: dict[str, Any]) -> bool:
    text = json.dumps(record, ensure_ascii=False)
    return text != text.encode("utf-8", "replace").decode()
