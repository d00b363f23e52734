"""Plain text, a record a line; lines that hold nothing to read are counted and skipped."""

import gzip

import pytest
from hypothesis import given
from hypothesis import strategies as st

from allrounder.records.sources import FORMATS
from allrounder.records.sources.lines import LONGEST, unreadable

LONG = f"longer than {LONGEST:,} bytes"


def read(reading, content, encoding="utf-8", name="a.txt"):
    """Return the texts by their lines, and what was skipped."""
    batches = FORMATS["lines"].batches(reading.file(content, encoding, name))
    found = {}
    while True:
        try:
            rows = next(batches).to_pylist()
        except StopIteration as end:
            return found, end.value
        found |= {row["line"]: row["text"] for row in rows}


def skipped(reading, content, encoding="utf-8"):
    """Return the first line that was skipped for each reason."""
    _, found = read(reading, content, encoding)
    return found.first if found else {}


@pytest.mark.parametrize(
    "content", ["one\n two\t三 \n", "one\n two\t三 ", "\ufeffone\r\n two\t三 \r\n"]
)
def test_a_line_is_a_record_without_its_end(reading, content):
    assert read(reading, content) == ({1: "one", 2: " two\t三 "}, None)


def test_lines_end_where_editors_end_them(reading):
    found, _ = read(reading, "a\u2028b\u0085c\n\nd\n")
    assert found == {1: "a\u2028b\u0085c", 3: "d"}
    assert reading.lines("lines", "a\u2028b\u0085c\n\nd\n") == [1, 3]


@pytest.mark.parametrize(
    "line", ["", " ", "\t\r", "\u3000\xa0", "\u200b\u200d\ufeff", "\u2800\u00ad"]
)
def test_a_line_that_shows_nothing_is_empty(reading, line):
    assert skipped(reading, f"a\n{line}\nb") == {"empty": 2}


@pytest.mark.parametrize(
    "line", [b"a\0b", b"\x1b[1m", b"caf\xe9", b"\xff\xfe", b"a\rb", b"\x7fELF", b"\xed\xa0\x80"]
)
def test_a_line_that_is_no_text_is_binary(reading, line):
    assert skipped(reading, b"a\n" + line + b"\nb") == {"binary": 2}


def test_a_character_cut_off_at_the_end_is_binary(reading):
    assert skipped(reading, b"a\n\xe4\xb8") == {"binary": 2}
    assert skipped(reading, "a\nb".encode("utf-16-le") + b"\0", "utf-16-le") == {"binary": 2}


def test_a_replacement_character_that_was_written_is_text(reading):
    assert read(reading, "caf\ufffd\n") == ({1: "caf\ufffd"}, None)


def test_a_line_is_too_long_by_its_bytes(reading):
    assert unreadable("x" * LONGEST) is None
    assert unreadable("x" * (LONGEST + 1)) == LONG
    assert unreadable("é" * (LONGEST // 2 + 1)) == LONG
    content = "a\n" + "é" * LONGEST * 3 + "\r\nb\n" + "x" * LONGEST + "\r\n"
    found, told = read(reading, content)
    assert list(found) == [1, 3, 4]
    assert told.first == {LONG: 2}


def test_a_file_of_one_enormous_line_is_read_to_its_end(reading):
    found, told = read(reading, b"x" * 5_000_000)
    assert (found, told.counts, told.num_lines) == ({}, {LONG: 1}, 1)


def test_an_empty_file_has_no_line(reading):
    assert read(reading, "") == ({}, None)


@pytest.mark.parametrize(
    "encoding", ["latin-1", "cp1252", "utf-16", "utf-16-be", "utf-32", "gb18030", "shift-jis"]
)
def test_other_encodings_are_read(reading, encoding):
    text = "one\ntwo\r\n\nfour" if encoding in {"latin-1", "cp1252"} else "one\n二\r\n\nfour"
    found, told = read(reading, text.encode(encoding), encoding)
    assert list(found) == [1, 2, 4]
    assert "\n".join(found.values()) == text.replace("\r\n\n", "\n")
    assert told.first == {"empty": 3}


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "gb18030", "shift-jis", "euc-kr"])
def test_bytes_that_an_encoding_has_not_cost_only_their_line(reading, encoding):
    found, told = read(reading, b"one\ntw\x81\nthree\n", encoding)
    assert (found, told.first) == ({1: "one", 3: "three"}, {"binary": 2})


def test_compressed_lines_are_read(reading):
    found, _ = read(reading, gzip.compress(b"one\ntwo\n"), name="a.txt.gz")
    assert found == {1: "one", 2: "two"}


def test_lines_are_read_across_blocks(reading):
    lines = ["中" * n for n in (200_000, 1, 300_000, 7, 250_000, 333_333)]
    found, told = read(reading, "\r\n".join(lines))
    assert (list(found.values()), told) == (lines, None)


@given(st.lists(st.binary(max_size=8)))
def test_whatever_the_bytes_every_line_is_read_or_counted(lines):
    class Once:
        path, shown, encoding = None, "x", "utf-8"

        def blocks(self):
            whole = b"\n".join(lines)
            yield from (whole[i : i + 3] for i in range(0, len(whole), 3))

    batches, found = FORMATS["lines"].batches(Once()), []
    try:
        while True:
            found += next(batches)["line"].to_pylist()
    except StopIteration as end:
        told = end.value
    n = b"\n".join(lines).count(b"\n")
    assert found == sorted(set(found))
    skipped = sum(told.counts.values()) if told else 0
    assert n <= len(found) + skipped <= n + 1
