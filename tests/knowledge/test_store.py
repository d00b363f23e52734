import sqlite3
import subprocess
import sys
import threading
import time
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from allrounder import databases
from allrounder.errors import DataError, RunError
from allrounder.knowledge import Fact, Store

A = Fact("acme", "led_by", "ada", True)
B = Fact("acme", "led_by", "bob", True, date(2024, 1, 1), date(2025, 1, 1))
C = Fact("ada", "name", "Ada")


@pytest.fixture
def store(tmp_path):
    with Store(tmp_path / "kb.sqlite") as store:
        yield store


def held(store, version=None):
    """Return what a version holds, without its sources."""
    return {fact._replace(source="") for fact in store.facts(version=version)}


def test_a_new_store_knows_nothing(store):
    assert (store.active, store.newest, store.versions()) == (0, 0, [])
    assert store.facts() == []
    assert len(store.snapshot()) == 0


def test_what_goes_in_comes_out(store):
    change = store.replace([A, B, C], source="a.tsv")
    assert change == (1, 3, 0, 0, 0)
    assert set(store.facts()) == {fact._replace(source="a.tsv") for fact in (A, B, C)}
    assert [fact.object for fact in store.facts(subject="ada")] == ["Ada"]


def test_importing_again_replaces_what_this_source_said(store):
    store.replace([A, B], source="a.tsv")
    store.replace([C], source="b.tsv")
    change = store.replace([B, C], source="a.tsv")
    assert change == (3, 1, 1, 0, 1)
    assert held(store) == {B, C}
    assert held(store, 2) == {A, B, C}
    assert held(store, 0) == set()


def test_importing_the_same_again_makes_no_version(store):
    store.replace([A, B], source="a.tsv")
    assert store.replace([B, A], source="a.tsv") == (1, 0, 0, 0, 2)
    assert [version.version for version in store.versions()] == [1]


def test_a_changed_confidence_is_a_new_version(store):
    store.replace([A], source="a.tsv")
    change = store.replace([A._replace(confidence=0.5)], source="a.tsv")
    assert change == (2, 0, 0, 1, 0)
    assert store.diff(1).changed == [(A._replace(confidence=0.5), 1.0)]


def test_what_two_sources_say_holds_until_both_take_it_back(store):
    store.replace([A], source="a.tsv")
    store.replace([A], source="b.tsv")
    store.replace([], source="a.tsv")
    assert held(store) == {A}
    store.replace([], source="b.tsv")
    assert held(store) == set()


def test_single_facts_are_added_and_retracted(store):
    store.add([A])
    store.add([C, B])
    assert held(store) == {A, B, C}
    assert store.retract("acme", "led_by", "bob") == (3, 0, 1, 0, 0)
    assert held(store) == {A, C}
    with pytest.raises(DataError, match=r"holds no fact with subject 'acme', predicate 'led_bi'\."):
        store.retract("acme", "led_bi")
    assert store.newest == 3


def test_a_staged_version_does_not_answer_until_it_is_activated(store):
    store.replace([A], source="a.tsv")
    store.replace([B], source="a.tsv", stage=True)
    assert (store.active, store.newest, held(store)) == (1, 2, {A})
    store.activate(2)
    assert held(store) == {B}


def test_staged_versions_are_built_one_on_the_other(store):
    store.replace([A], source="a.tsv", stage=True)
    store.replace([B], source="b.tsv", stage=True)
    assert held(store) == set()
    assert held(store, 2) == {A, B}


def test_importing_what_was_staged_activates_it(store):
    store.replace([A], source="a.tsv", stage=True)
    assert store.replace([A], source="a.tsv") == (1, 0, 0, 0, 1)
    assert store.active == 1


def test_rolling_back_goes_to_what_answered_before_again_and_again(store):
    for facts in ([A], [B], [C]):
        store.replace(facts, source="a.tsv")
    assert (store.rollback(), held(store)) == (2, {B})
    assert (store.rollback(), held(store)) == (1, {A})
    with pytest.raises(RunError, match="cannot be rolled back: no other version answered before"):
        store.rollback()


def test_after_rolling_back_the_next_version_is_built_on_the_old_one(store):
    store.replace([A], source="a.tsv")
    store.replace([B], source="a.tsv")
    store.rollback()
    store.replace([C], source="b.tsv")
    assert held(store) == {A, C}
    assert held(store, 2) == {B}
    assert store.versions()[-1].base == 1


def test_activating_what_answers_already_leaves_the_way_back(store):
    store.replace([A], source="a.tsv")
    store.replace([B], source="a.tsv")
    store.activate(2)
    assert store.rollback() == 1


def test_a_fact_that_is_never_valid_is_refused(store):
    with pytest.raises(
        DataError, match=r"must be after `valid_from`\. Found: acme led_by bob from"
    ):
        store.add([A, B._replace(valid_to=B.valid_from)])
    assert store.newest == 0


def test_an_unknown_version_is_refused(store):
    with pytest.raises(DataError, match=r"has no version 3\. It has versions up to 0"):
        store.activate(3)


def test_a_diff_goes_both_ways(store):
    store.replace([A, C], source="a.tsv")
    store.replace([B, C], source="a.tsv")
    there, back = store.diff(1, 2), store.diff(2, 1)
    assert (there.added, there.retracted, there.changed) == ([B], [A], [])
    assert (back.added, back.retracted) == ([A], [B])


def test_what_was_known_at_a_time_is_known_for_ever(store):
    before = datetime.now(UTC) - timedelta(seconds=1)
    store.replace([A], source="a.tsv")
    time.sleep(0.002)
    first = datetime.now(UTC)
    time.sleep(0.002)
    store.replace([B], source="a.tsv")
    second = datetime.now(UTC)
    time.sleep(0.002)
    store.rollback()
    assert [store.version_at(moment) for moment in (before, first, second)] == [0, 1, 2]
    assert store.version_at(datetime.now(UTC)) == 1


def test_the_snapshot_is_kept_beside_the_store(store, monkeypatch):
    store.replace([A, B, C], source="a.tsv")
    made = store.snapshot()
    monkeypatch.setattr(Store, "table", None)
    assert store.snapshot().fingerprint == made.fingerprint
    assert set(made.facts()) == {A, B, C}
    assert made.version == 1


def test_a_damaged_snapshot_is_made_anew(store):
    store.replace([A], source="a.tsv")
    store.snapshot()
    (file,) = store.path.parent.glob("*.snapshots/1-*/entities.arrow")
    file.write_bytes(b"cut")
    assert set(store.snapshot().facts()) == {A}


def test_a_new_store_of_the_same_name_does_not_take_old_snapshots(tmp_path):
    for fact in (A, B):
        with Store(tmp_path / "kb.sqlite") as store:
            store.replace([fact], source="a.tsv")
            assert set(store.snapshot().facts()) == {fact}
        (tmp_path / "kb.sqlite").unlink()


def test_few_snapshots_are_kept(store):
    for i in range(7):
        store.replace([C._replace(object=str(i))], source="a.tsv")
        store.snapshot()
    assert len(list(store.path.with_name("kb.sqlite.snapshots").iterdir())) == 4


def test_facts_read_from_the_snapshot_know_their_days(store):
    store.replace([A, B], source="a.tsv")
    assert set(store.snapshot().at(date(2024, 6, 1)).facts()) == {A, B}
    assert set(store.snapshot().at(date(2025, 1, 1)).facts()) == {A}


KILLED = """
import sys
from allrounder.knowledge import Fact, Store
store = Store(sys.argv[1])
begin = Store._begin
def slow(self, version, source, new, table):
    begin(self, version, source, new, table)
    print("written", flush=True)
    sys.stdin.read()
Store._begin = slow
store.replace((Fact(f"e{i}", "p", "new") for i in range(20_000)), source="a.tsv")
"""


def test_a_process_killed_amid_an_import_leaves_the_old_version(tmp_path):
    path = tmp_path / "kb.sqlite"
    with Store(path) as store:
        store.replace([A, B], source="a.tsv")
    worker = subprocess.Popen(
        [sys.executable, "-c", KILLED, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert worker.stdout.readline() == b"written\n"
    worker.kill()
    worker.communicate()
    with Store(path) as store:
        assert held(store) == {A, B}
        assert store.newest == 1
        assert store.replace([C], source="a.tsv").version == 2


def test_readers_see_the_old_version_while_another_process_writes(tmp_path):
    path = tmp_path / "kb.sqlite"
    with Store(path) as writer, Store(path, read_only=True) as reader:
        writer.replace([A], source="a.tsv")
        writer._link.execute("BEGIN IMMEDIATE")
        assert held(reader) == {A}
        writer._link.execute("ROLLBACK")


def test_a_second_writer_waits_and_then_says_why_not(tmp_path, monkeypatch):
    monkeypatch.setattr(databases, "PATIENCE", 0.05)
    path = tmp_path / "kb.sqlite"
    with Store(path) as one, Store(path) as other:
        one._link.execute("BEGIN IMMEDIATE")
        with pytest.raises(RunError, match=r"kb\.sqlite is being written by another process\."):
            other.add([A])
        one._link.execute("ROLLBACK")
        other.add([A])


def test_a_store_can_be_opened_to_read_only(tmp_path):
    with pytest.raises(RunError, match=r"is not there\. Import facts first"):
        Store(tmp_path / "kb.sqlite", read_only=True)
    Store(tmp_path / "kb.sqlite").close()
    with (
        Store(tmp_path / "kb.sqlite", read_only=True) as store,
        pytest.raises(RunError, match=r"can only be read\. Change its permissions"),
    ):
        store.add([A])


def test_what_is_no_store_is_refused(tmp_path):
    (tmp_path / "text").write_text("this is no database at all, but a text")
    with pytest.raises(RunError, match=r"text is no store of facts\. Name another file"):
        Store(tmp_path / "text")
    with sqlite3.connect(tmp_path / "other") as other:
        other.execute("CREATE TABLE x (y)")
    other.close()
    with pytest.raises(RunError, match="other is no store of facts, but another SQLite database"):
        Store(tmp_path / "other")
    with pytest.raises(RunError, match=r"cannot be opened\. Is the folder there"):
        Store(tmp_path / "nowhere" / "kb.sqlite")


def test_a_newer_store_is_refused(tmp_path):
    with Store(tmp_path / "kb.sqlite") as store:
        store._link.execute("PRAGMA user_version = 99")
    with pytest.raises(RunError, match=r"written by a newer Allrounder \(store format 99\)"):
        Store(tmp_path / "kb.sqlite")


def test_two_processes_may_make_a_store_at_once(tmp_path):
    def work():
        Store(tmp_path / "kb.sqlite").close()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with Store(tmp_path / "kb.sqlite") as store:
        assert store.newest == 0


STATED = st.builds(
    Fact,
    st.sampled_from("ab"),
    st.sampled_from(["p", "name"]),
    st.sampled_from("abx"),
    st.booleans(),
    st.sampled_from([None, date(2020, 1, 1)]),
    st.sampled_from([None, date(2021, 1, 1), date(2022, 1, 1)]),
    st.just(""),
    confidence=st.sampled_from([0.5, 1.0]),
)
SOURCES = st.sampled_from(["one", "two"])
STEPS = st.one_of(
    st.tuples(st.just("replace"), st.lists(STATED, max_size=4), SOURCES, st.booleans()),
    st.tuples(st.just("add"), st.lists(STATED, max_size=2), SOURCES, st.booleans()),
    st.tuples(st.just("retract"), STATED),
    st.tuples(st.just("activate"), st.integers(0, 9)),
    st.tuples(st.just("rollback")),
)


class Plain:
    """The same store as anyone would write it: a dictionary per version."""

    def __init__(self):
        self.contents = [{}]
        self.answered = []
        self.tip = 0

    def apply(self, step, *words):
        try:
            getattr(self, step)(*words)
        except LookupError:
            return False
        return True

    def replace(self, facts, source, stage):
        kept = {key: sure for key, sure in self.contents[self.tip].items() if key[1] != source}
        self.make(kept | stated(facts, source), stage)

    def add(self, facts, source, stage):
        self.make(self.contents[self.tip] | stated(facts, source), stage)

    def retract(self, fact):
        now = self.contents[self.tip]
        left = {key: sure for key, sure in now.items() if key[0][:3] != fact[:3]}
        if left == now:
            raise LookupError
        self.make(left, False)

    def make(self, content, stage):
        if content != self.contents[self.tip]:
            self.contents.append(content)
            self.tip = len(self.contents) - 1
        if not stage and self.active != self.tip:
            self.activate(self.tip)

    def activate(self, version):
        self.contents[version]
        if version != self.active:
            self.answered.append(version)
        self.tip = version

    def rollback(self):
        if len(self.answered) < 2:
            raise LookupError
        self.answered.pop()
        self.tip = self.active

    @property
    def active(self):
        return self.answered[-1] if self.answered else 0


def stated(facts, source):
    found = {}
    for fact in facts:
        key = (fact._replace(confidence=1.0), source)
        found[key] = max(found.get(key, 0), fact.confidence)
    return found


def does(store, step, *words):
    try:
        if step in ("replace", "add"):
            facts, source, stage = words
            getattr(store, step)(facts, source=source, stage=stage)
        elif step == "retract":
            store.retract(*words[0][:3])
        else:
            getattr(store, step)(*words)
    except (DataError, RunError):
        return False
    return True


@settings(max_examples=40)
@given(st.lists(STEPS, max_size=12))
def test_any_sequence_of_changes_gives_what_plain_sets_give(tmp_path_factory, steps):
    plain = Plain()
    with Store(tmp_path_factory.mktemp("kb") / "kb.sqlite") as store:
        for step in steps:
            assert does(store, *step) == plain.apply(*step)
            assert store.active == plain.active
        assert store.newest == len(plain.contents) - 1
        for version, content in enumerate(plain.contents):
            found = {
                (fact._replace(source="", confidence=1.0), fact.source): fact.confidence
                for fact in store.facts(version=version)
            }
            assert found == content
        last = store.newest
        difference = store.diff(0, last)
        assert {fact._replace(confidence=1.0) for fact in difference.added} == {
            fact for fact, _ in plain.contents[last]
        }
