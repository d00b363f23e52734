"""The ledger: only added to, whole batches, read as a source that never judges."""

import os
import signal
import sqlite3
import subprocess
import sys
from dataclasses import replace

import pytest

from allrounder.errors import DataError, ProjectError, RunError
from allrounder.records import Source
from allrounder.records.ledger import LEDGER, Entry, Ledger

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


def test_what_is_added_is_read_back_in_order_and_nothing_twice(ledger):
    assert ledger.add([entry(2), entry(1)]) == 2
    assert ledger.add([entry(1), entry(3)]) == 1
    found = list(ledger.live())
    assert [one.id for one in found] == ["id2", "id1", "id3"]
    assert replace(found[0], created="") == entry(2)
    assert found[0].created.endswith("+00:00")


def test_an_expiry_is_added_and_the_entry_counts_no_longer(ledger):
    ledger.add([entry(1, model="old"), entry(2), entry(3, model="new")])
    assert ledger.retire("new", "run 2 is complete") == 1
    assert ledger.retire("new", "run 2 is complete") == 0
    assert [one.id for one in ledger.live()] == ["id2", "id3"]
    assert ledger.changes() == [("id1", False, "run 2 is complete")]
    assert ledger.expire(["id1", "nobody"], "again") == 0
    assert ledger.has_models
    assert ledger.ids("noise") == ["id2", "id3"]


def test_what_is_made_again_counts_again(ledger):
    ledger.add([entry(1), entry(2)])
    ledger.expire(["id1"], "gone")
    assert ledger.add([entry(1), entry(2)]) == 1
    assert [one.id for one in ledger.live()] == ["id1", "id2"]
    assert ledger.expire(["id1"], "gone") == 1
    assert [one.id for one in ledger.live()] == ["id2"]


def test_nothing_in_it_can_be_changed_or_deleted(ledger):
    ledger.add([entry(1)], work="w", said={"done": 1})
    ledger.expire(["id1"], "gone")
    link = sqlite3.connect(ledger.path)
    for table in ("made", "changes", "notes"):
        for change in (f"UPDATE {table} SET number = 9", f"DELETE FROM {table}"):
            with pytest.raises(sqlite3.IntegrityError, match="only added to"):
                link.execute(change)
    link.close()


def test_a_batch_is_added_whole_or_not_at_all_with_what_is_said_of_it(ledger):
    def broken():
        yield entry(1)
        raise KeyError

    with pytest.raises(KeyError):
        ledger.add(broken(), work="w", said={"done": 1})
    with pytest.raises(RunError):
        ledger.add([entry(1), entry(2, place=None)], work="w", said={"done": 1})
    assert list(ledger.live()) == []
    assert ledger.said("w") == []
    ledger.add([], work="w", said={"done": 1})
    ledger.add([], work="w", said={"done": 2})
    assert ledger.said("w") == [{"done": 1}, {"done": 2}]


KILLED = """
import sys
sys.path.insert(0, sys.argv[2])
from test_ledger import entry
from pathlib import Path
from allrounder.records.ledger import Ledger
with Ledger(Path(sys.argv[1])) as ledger:
    for block in range(10**6):
        ledger.add([entry(10 * block + n) for n in range(10)], work="w", said={"done": block + 1})
        print(block, flush=True)
"""


def test_killed_it_loses_no_batch_that_was_added_and_has_no_half_one(tmp_path):
    path = tmp_path / "ledger.db"
    here = os.path.dirname(__file__)
    code = KILLED.replace("from test_ledger", "from records.test_ledger")
    words = [sys.executable, "-c", code, str(path), os.path.dirname(here)]
    going = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
    for _ in range(20):
        last = int(going.stdout.readline())
    going.send_signal(signal.SIGKILL)
    going.communicate()
    with Ledger(path) as ledger:
        found = len(list(ledger.live()))
        assert found % 10 == 0
        assert found >= 10 * (last + 1)
        assert len(ledger.said("w")) == found // 10


def test_a_file_that_is_no_ledger_is_refused_in_one_sentence(tmp_path):
    (tmp_path / "text.db").write_text("This is no database at all, but a text." * 30)
    with pytest.raises(RunError, match="is no ledger"):
        Ledger(tmp_path / "text.db")
    link = sqlite3.connect(tmp_path / "other.db")
    link.execute("CREATE TABLE x (y)")
    link.close()
    with pytest.raises(RunError, match="is no ledger, but another SQLite database"):
        Ledger(tmp_path / "other.db")


def test_a_newer_format_is_refused(tmp_path):
    with Ledger(tmp_path / "ledger.db"):
        pass
    link = sqlite3.connect(tmp_path / "ledger.db")
    link.execute(f"PRAGMA user_version = {LEDGER.format + 1}")
    link.close()
    with pytest.raises(RunError, match="written by a newer Allrounder"):
        Ledger(tmp_path / "ledger.db")


# ------------------------------------------------------------------ as a source

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
