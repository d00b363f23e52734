"""Plain text: every line is a record.

Corpora are long and never clean, so a line that holds nothing to read is counted and skipped.
"""

import codecs
import re
from collections.abc import Iterator, Sequence
from itertools import islice

import pyarrow as pa

from allrounder.records.sources.file import File
from allrounder.records.sources.skipped import Batches, Skipped

LONGEST = 1_000_000
"""Bytes, in UTF-8, of a line beyond which it is no text for a person, and is not held."""

BROKEN = "\udcff"
"""Stands for bytes that are no text; no text holds it."""

BINARY = re.compile(r"[\x00-\x08\x0a-\x1f\x7f\ud800-\udfff]")
"""Control characters but for the tab, and bytes that are no text."""

VISIBLE = re.compile(
    r"[^\s\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e"
    r"\u2060-\u206f\u2800\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\U000e0000-\U000e0fff]"
)
"""Any character but white space and those that show nothing by themselves (Unicode's
Default_Ignorable_Code_Point, and the empty Braille cell)."""


class Lines:
    """Lines as column `text`, their numbers as column `line`."""

    def batches(self, file: File) -> Batches:
        """Yield the lines that can be read; return how many were skipped."""
        skipped = Skipped(file.shown)
        for lines in _blocks(file):
            kept = []
            for number, line in enumerate(lines, skipped.num_lines + 1):
                if why := unreadable(line):
                    skipped.add(why, number)
                else:
                    kept.append((number, line))
            skipped.num_lines += len(lines)
            yield _batch(kept)
        return skipped if skipped.counts else None

    def places(self, file: File, rows: Sequence[int]) -> list[str]:
        """Return "path, line n" for each row."""
        wanted, every = set(rows), (line for lines in _blocks(file) for line in lines)
        kept = (number for number, line in enumerate(every, 1) if not unreadable(line))
        first = enumerate(islice(kept, max(rows) + 1))
        found = {row: file.at(number) for row, number in first if row in wanted}
        return [found[row] for row in rows]


def unreadable(line: str) -> str | None:
    """Return why a line is skipped, None where it is a record."""
    if _is_longest(line):
        return f"longer than {LONGEST:,} bytes"
    if BINARY.search(line):
        return "binary"
    return None if VISIBLE.search(line) else "empty"


def _is_longest(line: str) -> bool:
    if len(line) * 4 <= LONGEST:
        return False
    return len(line) > LONGEST or len(line.encode("utf-8", "surrogateescape")) > LONGEST


def _batch(kept: list[tuple[int, str]]) -> pa.RecordBatch:
    numbers, texts = zip(*kept, strict=True) if kept else ((), ())
    return pa.RecordBatch.from_arrays(
        [pa.array(texts, pa.string()), pa.array(numbers, pa.int64())], names=["text", "line"]
    )


def _blocks(file: File) -> Iterator[list[str]]:
    """Yield all lines without their ends, many at a time; of one too long only its beginning."""
    rest = ""
    for text in _texts(file):
        *lines, rest = (rest + text).split("\n")
        rest = rest[: LONGEST + 2]
        yield [line.removesuffix("\r") for line in lines]
    if rest:
        yield [rest.removesuffix("\r")]


def _texts(file: File) -> Iterator[str]:
    """Yield the text block by block, without a byte order mark, `BROKEN` where there is none."""
    escapes = codecs.lookup(file.encoding).name in {"utf-8", "ascii"}
    errors = "surrogateescape" if escapes else "replace"  # others cannot escape every byte
    decoder = codecs.getincrementaldecoder(file.encoding)(errors)
    mark = "\ufeff"
    for block in file.blocks():
        text = decoder.decode(block)
        if text:
            text, mark = text.removeprefix(mark), ""
        yield text if escapes else text.replace("\ufffd", BROKEN)
    if decoder.getstate()[0]:
        yield BROKEN
