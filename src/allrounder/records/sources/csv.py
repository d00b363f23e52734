"""Comma- and tab-separated files; every cell is a string.

In CSV a `"` may quote a cell (RFC 4180). In TSV it is a character like any other (IANA
text/tab-separated-values): published TSV files are full of cells that open with one and never
close it, and a reader that takes it for a quote swallows records without a word.
"""

import csv
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO

import pyarrow as pa
from pyarrow import csv as arrow_csv

from allrounder.errors import DataError, listed
from allrounder.records.sources.file import File
from allrounder.records.sources.skipped import Batches

BLOCK = 4 << 20
LONG = 3


@dataclass(frozen=True)
class Csv:
    """Cells between delimiters, under one header row."""

    delimiter: str
    quoted: bool

    def batches(self, file: File) -> Batches:
        """Yield the rows, every column as strings."""
        with file.open() as stream:
            names = self._header(file, stream)
            try:
                yield from self._arrow(stream, names)
            except pa.ArrowInvalid as error:
                self._explain(file, names, str(error))

    def places(self, file: File, rows: Sequence[int]) -> list[str]:
        """Return "path, line n" for each row, exact even after cells of several lines."""
        wanted, found, last = set(rows), {}, max(rows)
        for row, (line, _) in enumerate(self._rows(file)):
            if row in wanted:
                found[row] = file.at(line)
            if row == last:
                break
        return [found[row] for row in rows]

    def _arrow(self, stream: BinaryIO, names: list[str]) -> Iterator[pa.RecordBatch]:
        if not stream.peek(1):
            return
        read = arrow_csv.ReadOptions(column_names=names, block_size=BLOCK)
        parse = arrow_csv.ParseOptions(
            delimiter=self.delimiter,
            quote_char='"' if self.quoted else False,
            newlines_in_values=self.quoted,
        )
        convert = arrow_csv.ConvertOptions(
            column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=False
        )
        with arrow_csv.open_csv(stream, read, parse, convert) as reader:
            yield from reader

    def _header(self, file: File, stream: BinaryIO) -> list[str]:
        lines = (line.decode("utf-8") for line in iter(stream.readline, b""))
        rows = self._reader(lines)
        try:
            names = next((row for row in rows if row), None)
        except csv.Error as error:
            raise DataError(_unreadable(file, 1, error)) from None
        if names is None:
            raise DataError(
                f"{file.shown}: expected a header and records, found an empty file. "
                "Write the names of the columns in the first line and the records below."
            )
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise DataError(
                f"{file.at(1)}: every column needs its own name, found {listed(twice)} more than "
                "once. Rename one of them."
            )
        return names

    def _reader(self, lines: Iterable[str]) -> Any:
        quoting = csv.QUOTE_MINIMAL if self.quoted else csv.QUOTE_NONE
        return csv.reader(lines, delimiter=self.delimiter, quoting=quoting)

    def _rows(self, file: File) -> Iterator[tuple[int, list[str]]]:
        """Yield the first line and the cells of every row below the header."""
        limit = csv.field_size_limit(sys.maxsize)
        try:
            rows = self._reader(file.lines())
            before = 0
            header = False
            for cells in rows:
                line, before = before + 1, rows.line_num
                if cells and header:
                    yield line, cells
                header = header or bool(cells)
        except csv.Error as error:
            raise DataError(_unreadable(file, rows.line_num, error)) from None
        finally:
            csv.field_size_limit(limit)

    def _explain(self, file: File, names: list[str], why: str) -> None:
        """Find the row that Arrow refused and say what is wrong with it."""
        if file.rereadable:
            for line, cells in self._rows(file):
                if len(cells) != len(names):
                    raise DataError(self._malformed(file, line, cells, names))
                if "straddling" in why and sum(map(len, cells)) > BLOCK // 2:
                    raise DataError(
                        f"{file.at(line)}: the row is too long to be read. Give long values as "
                        "paths of files, or write JSON lines."
                    )
        raise DataError(f"{file.shown}: the file cannot be read: {why.rstrip('.')}.")

    def _malformed(self, file: File, line: int, cells: list[str], names: list[str]) -> str:
        num_lines = sum(cell.count("\n") for cell in cells)
        hint = (
            f' The row runs over {num_lines + 1} lines: is a " left open?'
            if num_lines >= LONG
            else ""
        )
        fix = (
            "Put cells that contain a comma in double quotes"
            if self.quoted
            else "Cells cannot contain a tab: replace it"
        )
        return (
            f"{file.at(line)}: expected {len(names)} cells ({listed(names)}), found "
            f"{len(cells)}.{hint} {fix}, or complete the row."
        )


def _unreadable(file: File, line: int, error: csv.Error) -> str:
    return (
        f"{file.at(line)}: the row cannot be read: {error}. Save the file with plain line ends "
        "(LF or CRLF), and cells that hold line ends in double quotes."
    )
