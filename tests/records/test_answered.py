"""Answers of people over the labels of sources: the right rows, in memory, told where unfit."""

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from allrounder.plan import LabelColumn
from allrounder.records import answered
from allrounder.tasks import TASKS

from .columns import Names, Numbers, Spans, rows

TEXTS = [f"text {n} 😀 of it" for n in range(50)]


def keys(records):
    return [f"{key:016x}" for key in records.numbers("key").tolist()]


@pytest.fixture
def records(desk):
    desk.write("news.csv", "text\n" + "".join(f"{text}\n" for text in TEXTS))

    def load(**columns):
        return desk.load("news.csv", trains=False, **columns)

    return load


CASES = {
    "multiclass": ({"labels": ["a", "b"]}, ["a", "b"], ["c", 7, ["a"], {"x": 1}]),
    "multilabel": ({"labels": ["a", "b"]}, [["a", "b"], ["b"], []], [["c"], [["a"]], {"x": 1}]),
    "regression": ({"range": [0, 10]}, [3.5, 4, 0.0], ["many", 11, [1], "x"]),
    "ordinal": ({"labels": ["low", "high"]}, ["low", "high"], ["middle", 5, ["low"]]),
    "generation": ({}, ["a text", "😀"], []),
    "spans": (
        {"labels": ["PER", "ORG"]},
        [[{"start": 0, "end": 4, "label": "PER"}, {"start": 7, "end": 8, "label": "ORG"}], []],
        [
            [{"start": 0, "end": 400, "label": "PER"}],
            [{"start": 0, "end": 4, "label": "LOC"}],
            [{"start": 4, "end": 0, "label": "PER"}],
            [{"start": 0}],
            [{"start": "x", "end": "y", "label": 7}],
            ["PER"],
            "PER",
            7,
        ],
    ),
}


@pytest.mark.parametrize("kind", CASES)
def test_answers_to_a_task_of_every_kind_are_laid_over_its_column(records, kind):
    settings, good, bad = CASES[kind]
    task = TASKS.build({"kind": kind, **settings}, at="tasks.t").over(["text"])
    column = LabelColumn(task, "text" if kind == "spans" else None)
    plain = records(t=column)
    assert plain.indices(task="t").tolist() == []
    said = [*good, *bad]
    answers = {(key, "t"): value for key, value in zip(keys(plain)[5:], said, strict=False)}
    found = answered(plain, answers, {"t": column})
    assert found.take("t", range(5, 5 + len(good))) == good
    assert found.indices(task="t").tolist() == list(range(5, 5 + len(good)))
    assert found.table["t"].type == column.type
    assert found.told[0] == f"Labels that people gave: t {len(good)}."
    if bad:
        were = "1 answer of people was" if len(bad) == 1 else f"{len(bad)} answers of people were"
        assert found.told[1].startswith(f"{were} left out: t does not take the label, such as ")
        assert repr(bad[0]) in found.told[1]
    assert found.fingerprint != plain.fingerprint
    assert found.table.drop_columns("t").equals(plain.table.drop_columns("t"))


@pytest.mark.parametrize("kind", sorted(TASKS.builtin))
def test_every_kind_of_task_that_reads_labels_has_a_row_here(kind):
    spec = {"kind": kind}
    assert kind in CASES or TASKS.build(spec, at="tasks.t").over(["a", "b"]).makes_labels


def test_an_answer_beats_the_label_of_a_source_and_reaches_every_record_like_it(desk):
    desk.write("one.csv", "text,topic\n" + rows(60))
    desk.write("two.csv", "text,topic\nTEXT  NUMBER 1,a\n")
    plain = desk.load("one.csv", "two.csv", topic=Names())
    which = [n for n, key in enumerate(keys(plain)) if keys(plain).count(key) == 2]
    assert len(which) == 2
    found = answered(plain, {(keys(plain)[which[0]], "topic"): "z"}, {"topic": Names()})
    assert found.take("topic", which) == ["z", "z"]
    assert found.told == ["Labels that people gave: topic 1."]
    others = [n for n in range(len(plain)) if n not in which]
    assert found.take("topic", others) == plain.take("topic", others)


def test_what_no_source_holds_and_tasks_that_are_gone_are_counted(records):
    plain = records(topic=Names())
    answers = {
        (keys(plain)[0], "topic"): "a",
        ("f" * 16, "topic"): "b",
        ("no key", "topic"): "b",
        (keys(plain)[0], "mood"): "b",
    }
    found = answered(plain, answers, {"topic": Names()})
    assert found.told == [
        "Labels that people gave: topic 1.",
        "2 answers of people were left out: no source holds the record any more.",
        "1 answer of people was left out: the project has no such task, or makes its labels "
        "itself: mood.",
    ]
    assert found.notes[-3:] == found.told


def test_without_an_answer_that_fits_the_records_are_the_same(records):
    plain = records(topic=Names())
    found = answered(plain, {("f" * 16, "topic"): "b"}, {"topic": Names()})
    assert found.fingerprint == plain.fingerprint
    assert found.table.equals(plain.table)


def test_the_fingerprint_follows_which_record_has_which_label(records):
    plain = records(topic=Names(), score=Numbers())
    columns = {"topic": Names(), "score": Numbers()}
    first, second = keys(plain)[:2]
    each = [
        {(first, "topic"): "a"},
        {(second, "topic"): "a"},
        {(first, "topic"): "b"},
        {(first, "topic"): "a", (second, "topic"): "a"},
        {(first, "topic"): "a", (first, "score"): 1},
    ]
    prints = {answered(plain, answers, columns).fingerprint for answers in each}
    assert len(prints | {plain.fingerprint}) == len(each) + 1
    again = answered(plain, dict(reversed(each[3].items())), columns)
    assert again.fingerprint == answered(plain, each[3], columns).fingerprint


def test_many_chunks_and_only_those_with_an_answer_are_copied(records):
    plain = records(who=Spans())
    table = pa.concat_tables([plain.table.slice(start, 10) for start in range(0, 50, 10)])
    plain = replace(plain, table=table)
    span = [{"start": 0, "end": 4, "label": "PER"}]
    answers = {(keys(plain)[n], "who"): span for n in (9, 10, 49)}
    found = answered(plain, answers, {"who": Spans()})
    assert found.indices(task="who").tolist() == [9, 10, 49]
    assert found.take("who", [10]) == [span]
    same = [
        a.equals(b) for a, b in zip(found.table["who"].chunks, table["who"].chunks, strict=True)
    ]
    assert np.flatnonzero(np.invert(same)).tolist() == [0, 1, 4]
