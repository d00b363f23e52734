from datetime import date

import pytest

from allrounder import kinds
from allrounder.errors import ProjectError
from allrounder.records import Source, Split
from allrounder.records.source import format_of


def build(**fields):
    return kinds.build(Source, {"path": "a.csv", **fields}, at="sources.0")


def test_a_source_needs_only_a_path():
    source = build()
    assert source == Source(path="a.csv")
    assert source.splitting == Split(by="ratio", test=0.2, validation=0.1)


def test_a_source_is_built_from_its_own_dump():
    source = build(split={"by": "date", "test": date(2024, 1, 31)}, map={"a": "text"}, limit=3)
    assert kinds.build(Source, kinds.dump(source), at="sources.0") == source
    assert source.split.test == "2024-01-31"


def test_an_unknown_key_is_named_with_its_place():
    with pytest.raises(ProjectError) as error:
        build(encodin="latin-1")
    assert str(error.value).startswith(
        "`sources.0.encodin` is not a known key. Did you mean 'encoding'?"
    )


@pytest.mark.parametrize(
    ("name", "split"), [("dev", "validation"), ("Test", "test"), ("train", "train")]
)
def test_a_split_may_be_named(name, split):
    assert build(split=name).split == split


def test_an_unknown_split_names_the_choices():
    with pytest.raises(ProjectError) as error:
        build(split="tests")
    assert str(error.value) == (
        "`sources.split` is 'tests', which is no split. Did you mean 'test'? Write one of train, "
        "validation, test, or a mapping such as {by: ratio, test: 0.2}."
    )


@pytest.mark.parametrize(
    ("split", "message"),
    [
        (
            {"by": "column"},
            "`sources.split` needs `column`: the name of the column that holds the split.",
        ),
        (
            {"test": 0.7, "validation": 0.3},
            "`sources.split` leaves nothing to train on: test and validation are [0.7, 0.3].",
        ),
        (
            {"test": 20},
            "`sources.split` needs `test` from 0 up to, but not including, 1. Got 20.0.",
        ),
        (
            {"test": "2024-01-01"},
            "`sources.split` needs a number from 0 to 1 as `test`. Got '2024-01-01'.",
        ),
        (
            {"by": "date", "test": "January"},
            "`sources.split` needs a share or an ISO date such as 2024-01-31 as `test`. "
            "Got 'January'.",
        ),
    ],
)
def test_a_split_that_cannot_work_is_refused(split, message):
    with pytest.raises(ProjectError) as error:
        build(split=split)
    assert str(error.value) == message


def test_an_unknown_encoding_is_refused():
    with pytest.raises(ProjectError) as error:
        build(encoding="latin-one")
    assert str(error.value) == (
        "`sources.0` has the unknown encoding 'latin-one'. Write a name such as utf-8, latin-1, "
        "cp1252, utf-16 or gb18030."
    )


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("a.csv", "csv"),
        ("A.TSV", "tsv"),
        ("a.ndjson", "jsonl"),
        ("a.jsonl.gz", "jsonl"),
        ("a.parquet", "parquet"),
        ("a.bio", "conll"),
        ("a.txt", "lines"),
        ("a.text.gz", "lines"),
    ],
)
def test_the_suffix_tells_the_format(path, name):
    assert format_of(path, is_folder=False) == name


def test_an_unknown_suffix_asks_for_the_format():
    with pytest.raises(ProjectError) as error:
        format_of("notes.docx", is_folder=False)
    assert str(error.value) == (
        "notes.docx: the format cannot be told from the suffix '.docx'. Known suffixes: .csv, "
        ".tsv, .jsonl, .ndjson, .parquet, .conll, .iob, .bio, .txt, .text, each with .gz behind "
        "it or not. Name the format in the source: `format: csv`."
    )
