from datetime import date

import pytest

from allrounder.errors import DataError
from allrounder.knowledge import Fact
from allrounder.knowledge.formats import read


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
