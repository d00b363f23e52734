from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from allrounder.errors import DataError
from allrounder.knowledge import Fact
from allrounder.knowledge.facts import as_table
from allrounder.knowledge.formats import read, read_table


@pytest.fixture
def write(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return lambda name, text: (tmp_path / name).write_text(text, encoding="utf-8") and name


def test_lines_without_a_header_are_subject_predicate_object(write):
    name = write("Medical.spo", "眼睛发红\t类别\t症状\n右踝内侧\t类别\t部位\n")
    assert read(name, predicates={"类别": "type"}) == [
        Fact("眼睛发红", "type", "症状", source="Medical.spo"),
        Fact("右踝内侧", "type", "部位", source="Medical.spo"),
    ]


def test_a_header_may_order_the_columns(write):
    name = write(
        "a.csv",
        "Object,subject,predicate,confidence,valid_from,valid_to\n"
        '"Smith, Ada",acme,led_by,0.5,2020-01-01,2024-01-01\n',
    )
    assert read(name, source="web") == [
        Fact("acme", "led_by", "Smith, Ada", False, date(2020, 1, 1), date(2024, 1, 1), "web", 0.5)
    ]


def test_an_object_that_is_a_subject_is_an_entity(write):
    name = write("a.tsv", "acme\tled_by\tada\nada\tname\tacme\n")
    assert [fact.is_entity for fact in read(name)] == [True, False]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (
            "a\tb",
            "a.tsv, line 2: expected subject, predicate, object and at most valid_from, valid_to, "
            "confidence between tabs, found 2 cells: 'a', 'b'.",
        ),
        (
            "a\t\tc",
            "a.tsv, line 2: expected a predicate, found nothing. Fill it in or drop the line.",
        ),
        (
            "a\tb\tc\t2024-02-30",
            "a.tsv, line 2: `valid_from` must be a date such as 2026-11-30. Found '2024-02-30'.",
        ),
        (
            "a\tb\tc\t2024-02-02\t2024-02-02",
            "a.tsv, line 2: `valid_to` must be after `valid_from`. Found 2024-02-02 to 2024-02-02: "
            "swap them, or leave one out.",
        ),
        (
            "a\tb\tc\t\t\tsure",
            "a.tsv, line 2: `confidence` must be a number from 0 to 1. Found 'sure'.",
        ),
    ],
)
def test_a_bad_line_gets_one_sentence(write, line, message):
    with pytest.raises(DataError) as caught:
        read(write("a.tsv", f"x\ty\tz\n{line}\n"))
    assert str(caught.value) == message


def test_a_header_without_a_column_says_which(write):
    with pytest.raises(DataError, match=r"line 1: the header lacks the column 'object', found"):
        read(write("a.csv", "subject,predicate,objects\n"))


def test_an_unknown_suffix_is_named(write):
    with pytest.raises(DataError, match=r"cannot be told from the suffix '\.txt'"):
        read(write("a.txt", "x"))


CELLS = st.sampled_from(
    ["a", "b", "p", "name", " a", "\u3000b\x1f", "维生素", "", "", "2020-01-01", "2021-01-01",
     "0.5", "1", "2", "nan", "20200101", 'say "a"', "subject", "predicate", "object", "confidence",
     "a\rb"]
)  # fmt: skip
EVEN = [st.lists(st.lists(CELLS, min_size=n, max_size=n), max_size=5) for n in (3, 4, 6)]
LINES = st.one_of(st.lists(st.lists(CELLS, min_size=1, max_size=7), max_size=5), *EVEN)
HEADERS = st.sampled_from(
    [[], ["object", "predicate", "subject"], ["subject", "predicate", "object", "x"]]
)


def said(call):
    """Return the facts that a call gives, or what it refuses."""
    try:
        return call()
    except DataError as error:
        return str(error)


@settings(max_examples=300)
@given(
    HEADERS,
    LINES,
    st.sampled_from([("a.tsv", "\t"), ("a.csv", ",")]),
    st.sampled_from(["\n", "\r\n"]),
)
def test_the_quick_way_reads_what_the_slow_way_reads(tmp_path_factory, header, lines, kind, end):
    (name, delimiter), path = kind, tmp_path_factory.mktemp("kb")
    rows = [header, *lines] if header else lines
    text = end.join(delimiter.join(row) for row in rows)
    (path / name).write_bytes(text.encode())
    renamed = {"b": "type"}
    slow = said(lambda: as_table(read(path / name, predicates=renamed)))
    quick = said(lambda: read_table(path / name, predicates=renamed))
    assert quick == slow if isinstance(slow, str) else quick.equals(slow)


@given(
    st.lists(st.tuples(*[st.sampled_from(["a", " b", "name", "维"])] * 3), min_size=1, max_size=6)
)
def test_plain_lines_are_read_the_quick_way(tmp_path_factory, lines):
    path = tmp_path_factory.mktemp("kb") / "a.tsv"
    path.write_text("".join("\t".join(line) + "\n" for line in lines), encoding="utf-8")
    assert read_table(path).equals(as_table(read(path)))
