"""Made labels as a source that never judges."""

from dataclasses import replace

import pytest

from allrounder.errors import DataError, ProjectError
from allrounder.ledger.made import Entry, Ledger
from allrounder.records import Source

from .columns import Names, Spans, rows


def entry(number, **changes):
    plain = Entry(
        id=f"id{number}", source="synthesis", generator="noise", seed=0, confidence=0.5,
        place="news.csv, line 2", parent="0" * 16, model=None,
        fields={"text": f"made {number}"}, labels={"topic": "ab"[number % 2]},
    )  # fmt: skip
    return replace(plain, **changes)


@pytest.fixture
def ledger(tmp_path):
    with Ledger(tmp_path / "ledger.db") as found:
        yield found


MADE = {"path": "ledger.db", "format": "ledger", "split": "train"}


def test_what_counts_is_read_as_training_records(desk, ledger):
    name = desk.write("news.csv", "text,topic\n" + rows(60))
    spans = [{"start": 0, "end": 4, "label": "X"}]
    ledger.add([entry(1), entry(2), entry(3, labels={"who": spans})])
    ledger.expire(["id2"], "gone")
    columns = {"topic": Names(), "who": Spans()}
    records = desk.load(name, MADE, **columns)
    mine = [i for i in range(len(records)) if records.numbers("source")[i] == 1]
    assert records.take("text", mine) == ["made 1", "made 3"]
    assert records.take("split", mine) == [0, 0]
    assert records.take("topic", mine) == ["b", None]
    assert records.take("who", mine) == [None, spans]
    assert records.where(mine[0]) == "ledger.db, made by noise from news.csv, line 2"
    assert desk.load(name, {**MADE, "split": None}, **columns).fingerprint == records.fingerprint


def test_a_change_of_the_ledger_is_noticed_while_it_is_open(desk, ledger):
    name = desk.write("news.csv", "text,topic\n" + rows(60))
    ledger.add([entry(1)])
    assert len(desk.load(name, MADE, topic=Names())) == 61
    ledger.add([entry(2)])
    assert len(desk.load(name, MADE, topic=Names())) == 62
    ledger.expire(["id1", "id2"], "gone")
    assert len(desk.load(name, MADE, topic=Names())) == 60


@pytest.mark.parametrize("split", ["test", "validation", {"by": "ratio"}])
def test_a_ledger_never_judges(desk, split):
    with pytest.raises(ProjectError) as caught:
        desk.load({**MADE, "split": split}, topic=Names())
    words = str(caught.value)
    assert words.startswith("ledger.db: a ledger holds labels that were made, which train and")
    assert "Expected `split: train`" in words
    with pytest.raises(ProjectError):
        Source(path="ledger.db", format="ledger", split="test")


def test_what_was_made_from_what_now_judges_is_left_out(desk, ledger):
    name = desk.write("news.csv", "text,topic\n" + rows(60))
    alone = desk.load(name, topic=Names())
    keys = [f"{key:016x}" for key in alone.numbers("key").tolist()]
    train, test, validation = (alone.indices(split)[0] for split in ("train", "test", "validation"))
    ledger.add([
        entry(1, parent=keys[train]),
        entry(2, parent=keys[test]),
        entry(3, parent=keys[validation]),
        entry(4, fields={"text": f" {alone.take('text', [test])[0].upper()}"}),
    ])  # fmt: skip
    records = desk.load(name, MADE, topic=Names())
    assert records.take("text", range(60, len(records))) == ["made 1"]
    assert records.num_leaking == 3
    assert records.notes == [
        "3 made records were left out: they, or what they were made from, stand in validation or "
        "test now."
    ]


def test_a_ledger_that_is_not_there_says_how_to_make_one(desk):
    with pytest.raises(DataError, match="`allrounder synthesize` makes a ledger"):
        desk.load(MADE, topic=Names())
