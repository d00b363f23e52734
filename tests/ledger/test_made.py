"""Made labels: only added to, whole batches."""

import os
import signal
import sqlite3
import subprocess
import sys
from dataclasses import replace

import pytest

from allrounder.errors import RunError
from allrounder.ledger.made import LEDGER, Entry, Ledger


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
from test_made import entry
from pathlib import Path
from allrounder.ledger.made import Ledger
with Ledger(Path(sys.argv[1])) as ledger:
    for block in range(10**6):
        ledger.add([entry(10 * block + n) for n in range(10)], work="w", said={"done": block + 1})
        print(block, flush=True)
"""


def test_killed_it_loses_no_batch_that_was_added_and_has_no_half_one(tmp_path):
    path = tmp_path / "ledger.db"
    words = [sys.executable, "-c", KILLED, str(path), os.path.dirname(__file__)]
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
