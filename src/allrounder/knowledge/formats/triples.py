"""Triples in cells: subject, predicate, object, and if wanted two dates and a confidence.

A first line that names the columns may be there or not. An object that is itself a subject in the
file is an entity, any other a text.
"""

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from operator import itemgetter

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv as arrow_csv

from allrounder.errors import did_you_mean, listed
from allrounder.knowledge.facts import LITERAL, SCHEMA, Fact, as_table
from allrounder.knowledge.formats.reading import Reading

COLUMNS = ("subject", "predicate", "object", "valid_from", "valid_to", "confidence")
NEEDED = COLUMNS[:3]

WHITE = "".join(character for character in map(chr, range(0x3001)) if character.isspace())
"""Every character that `str.strip` takes off."""


@dataclass(frozen=True)
class Triples:
    """Cells between delimiters; in TSV a quotation mark is a character like any other."""

    delimiter: str
    quoted: bool

    def facts(self, reading: Reading) -> Iterator[Fact]:
        """Return the facts of the file."""
        stated = [_fact(reading, line, cells) for line, cells in self._cells(reading)]
        subjects = {fact.subject for fact in stated}
        for fact in stated:
            known = fact.object in subjects and fact.predicate not in LITERAL
            yield fact._replace(is_entity=True) if known else fact

    def table(self, reading: Reading) -> pa.Table:
        """Return what `facts` gives as columns, far quicker where the file is plain."""
        data = reading.file.open().read()
        is_plain = data.count(b"\r") == data.count(b"\r\n") and not (self.quoted and b'"' in data)
        first = next(self._rows(reading), None) if is_plain else None
        found = _quick(reading, data, self.delimiter, *first) if first else None
        return as_table(self.facts(reading)) if found is None else found

    def _cells(self, reading: Reading) -> Iterator[tuple[int, Sequence[str]]]:
        """Yield every line's cells in the order of `COLUMNS`."""
        order, least, width = None, 3, len(COLUMNS)
        for line, cells in self._rows(reading):
            if order is None:
                header = _header(reading, line, cells)
                order = itemgetter(*(header or range(width)))
                if header:
                    least, width = max(header[:3]) + 1, len(cells)
                    continue
            if not least <= len(cells) <= width:
                raise reading.wrong(line, self._short(cells))
            yield line, order(cells + [""] * (width + 1 - len(cells)))

    def _rows(self, reading: Reading) -> Iterator[tuple[int, list[str]]]:
        quoting = csv.QUOTE_MINIMAL if self.quoted else csv.QUOTE_NONE
        rows = csv.reader(
            reading.file.lines(), delimiter=self.delimiter, quoting=quoting, strict=True
        )
        before = 0
        try:
            for cells in rows:
                line, before = before + 1, rows.line_num
                if any(cells):
                    yield line, cells
        except csv.Error as error:
            raise reading.wrong(
                before + 1, f'the row cannot be read: {error}. Is a " left open?'
            ) from None

    def _short(self, cells: Sequence[str]) -> str:
        between = "tabs" if self.delimiter == "\t" else "commas"
        return (
            f"expected {listed(NEEDED)} and at most {listed(COLUMNS[3:])} between {between}, found "
            f"{len(cells)} cells: {listed(map(repr, cells), 4)}."
        )


def _header(reading: Reading, line: int, cells: Sequence[str]) -> list[int] | None:
    """Return the place of each column of `COLUMNS`, -1 where there is none; None: no header."""
    names = [cell.strip().lower() for cell in cells]
    if "subject" not in names and "predicate" not in names:
        return None
    missing = [name for name in NEEDED if name not in names]
    if missing:
        hint = did_you_mean(missing[0], names)
        raise reading.wrong(
            line, f"the header lacks the column {missing[0]!r}, found {listed(names)}.{hint}"
        )
    return [names.index(name) if name in names else -1 for name in COLUMNS]


def _fact(reading: Reading, line: int, cells: Sequence[str]) -> Fact:
    subject, predicate, object, since, until, confidence = cells
    subject = subject.strip() or reading.word(subject, line, "a subject")
    predicate = predicate.strip() or reading.word(predicate, line, "a predicate")
    predicate = reading.predicates.get(predicate, predicate)
    object = object.strip() or reading.word(object, line, "an object")
    if not (since or until or confidence):
        return Fact(subject, predicate, object, False, None, None, reading.source)
    fact = Fact(
        subject,
        predicate,
        object,
        False,
        reading.day(since, line, "valid_from"),
        reading.day(until, line, "valid_to"),
        reading.source,
        reading.confidence(confidence, line),
    )
    return reading.checked(fact, line)


def _quick(
    reading: Reading, data: bytes, delimiter: str, line: int, first: Sequence[str]
) -> pa.Table | None:
    """Return the facts of a file without quotation marks; None where a line needs a closer look."""
    header = _header(reading, line, first)
    if not header and not len(NEEDED) <= len(first) <= len(COLUMNS):
        return None
    names = list(map(str, range(len(first))))
    try:
        rows = arrow_csv.read_csv(
            pa.BufferReader(data),
            arrow_csv.ReadOptions(column_names=names),
            arrow_csv.ParseOptions(delimiter=delimiter, quote_char=False),
            arrow_csv.ConvertOptions(column_types=dict.fromkeys(names, pa.string())),
        )
        order = header or [*range(len(first)), -1, -1, -1]
        empty = pa.chunked_array([pa.repeat("", len(rows))])
        columns = [rows[i] if i >= 0 else empty for i in order[: len(COLUMNS)]]
        return _quick_facts(reading, [column[bool(header) :] for column in columns])
    except pa.ArrowInvalid:
        return None


def _quick_facts(reading: Reading, cells: Sequence[pa.ChunkedArray]) -> pa.Table | None:
    subject, predicate, object = (pc.utf8_trim(column, WHITE) for column in cells[:3])
    blank = any(pc.any(pc.equal(column, "")).as_py() for column in (subject, predicate, object))
    since, until = (_filled(column).cast(pa.date32()) for column in cells[3:5])
    sure = pc.fill_null(_filled(cells[5]).cast(pa.float64()), 1.0)
    never = pc.any(pc.less_equal(until, since)).as_py()
    possible = pc.and_(pc.greater_equal(sure, 0.0), pc.less_equal(sure, 1.0))
    if blank or never or not pc.all(possible).as_py():
        return None
    predicate = predicate.combine_chunks().dictionary_encode()
    called = [reading.predicates.get(word, word) for word in predicate.dictionary.to_pylist()]
    predicate = pa.array(called, pa.string()).take(predicate.indices)
    is_text = pc.is_in(predicate, pa.array(LITERAL))
    is_entity = pc.and_not(pc.is_in(object, pc.unique(subject)), is_text)
    source = pa.repeat(reading.source, len(subject))
    columns = [subject, predicate, object, is_entity, since, until, source, sure.cast(pa.float32())]
    return pa.table(columns, schema=SCHEMA)


def _filled(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return cells, null where nothing is written."""
    return pc.if_else(pc.equal(column, ""), pa.scalar(None, pa.string()), column)
