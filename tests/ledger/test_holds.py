"""Who is at work on what, agreed between servers that share a file or a database."""

import sqlite3
import threading
import time

import pytest

from allrounder.errors import RunError
from allrounder.labeling.locks import GOING, SILENT, Locks
from allrounder.ledger import Answers, Hold

MINUTES = 900


@pytest.fixture
def clock():
    return [1000.0]


@pytest.fixture
def opened(where, clock):
    """Return what opens the ledger as one more server does."""
    ledgers = []

    def made() -> Locks:
        ledgers.append(Answers(where))
        return Locks(ledgers[-1], seconds=MINUTES, now=lambda: clock[0])

    yield made
    for answers in ledgers:
        answers.close()


def test_what_is_held_is_seen_by_others_and_outlives_who_held_it(opened):
    one, other = opened(), opened()
    assert one.take("a", "ada", "tab") and one.save() == set()
    assert other.others("a", "bob") == set()
    other.refresh()
    assert other.others("a", "bob") == {"ada"} and other.others("a", "ada") == set()
    assert opened().held("ada", "tab") == ["a"]


def test_the_first_of_two_servers_gets_a_record(opened):
    one, other = opened(), opened()
    for key in "ab":
        one.take(key, "ada", "tab")
    for key in "bc":
        other.take(key, "bob", "tab")
    assert one.save() == set()
    assert other.save() == {"b"}
    assert other.held("bob", "tab") == ["c"] and other.others("b", "bob") == {"ada"}
    one.take("a", "ada", "tab")  # goes on with it
    assert one.save() == set() and one.others("c", "ada") == {"bob"}


def test_a_page_of_the_same_person_on_another_server_is_another_page(opened, clock):
    one, other = opened(), opened()
    one.take("a", "ada", "tab")
    other.take("a", "ada", "other tab")
    assert (one.save(), other.save()) == (set(), {"a"})
    assert not other.take("a", "ada", "other tab")
    one.leave("ada", "tab")
    one.save()
    other.refresh()
    assert not other.take("a", "ada", "other tab")  # it may only be loaded anew
    clock[0] += GOING + 1
    assert other.take("a", "ada", "other tab") and other.save() == set()
    one.refresh()
    assert one.held("ada", "tab") == []


def test_two_may_hold_a_record_that_both_know_of(opened):
    one, other = opened(), opened()
    one.take("a", "ada", "tab")
    one.save()
    other.refresh()
    other.take("a", "bob", "tab")
    assert other.save() == set()
    one.release("a", "ada")
    one.save()
    assert one.others("a", "ada") == {"bob"}


def test_a_hold_runs_out_and_leaves_the_ledger(opened, clock, where):
    one = opened()
    one.take("a", "ada", "tab")
    one.save()
    clock[0] += MINUTES - 1
    assert one.others("a", "bob") == {"ada"}
    clock[0] += 2
    assert one.others("a", "bob") == set()
    one.take("b", "bob", "tab")
    one.save()
    assert {hold.key for hold in one.answers.holds()} == {"b"}
    clock[0] -= SILENT + 1  # a clock that was set back lengthens nothing
    assert one.others("b", "ada") == set()


def test_records_keep_their_order(opened, clock):
    one = opened()
    for key in "cab":
        one.take(key, "ada", "tab")
        clock[0] += 1
    one.save()
    one.take("c", "ada", "tab")
    one.save()
    assert one.held("ada", "tab") == ["c", "a", "b"]
    assert opened().held("ada", "tab") == ["a", "b", "c"]  # the last heard of is the last


def test_a_ledger_that_is_away_costs_nothing_but_what_others_see(opened):
    one, other = opened(), opened()
    kept, one.answers = one.answers, Broken()
    assert one.take("a", "ada", "tab") and one.save() == set()
    one.refresh()
    assert one.held("ada", "tab") == ["a"]
    one.answers = kept
    one.save()
    other.refresh()
    assert other.others("a", "bob") == {"ada"}


class Broken:
    """A ledger on a disk that is full."""

    def holds(self):
        raise RunError("could not be read")

    def hold(self, change):
        raise RunError("could not be written")


def test_of_many_at_once_each_record_goes_to_one(opened):
    servers = [opened() for _ in range(6)]
    ready = threading.Barrier(len(servers))

    def take(number: int) -> None:
        ready.wait()
        for key in range(40):
            if not servers[number].others(str(key), f"person {number}"):
                servers[number].take(str(key), f"person {number}", "tab")
                servers[number].save()

    threads = [threading.Thread(target=take, args=(n,)) for n in range(len(servers))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    held = [sorted(one.held(f"person {n}", "tab")) for n, one in enumerate(servers)]
    assert sorted(key for keys in held for key in keys) == sorted(map(str, range(40)))
    assert len(servers[0].answers.holds()) == 40


def test_all_go_by_one_clock(where):
    with Answers(where) as one, Answers(where) as other:
        assert abs(one.clock() - other.clock()) < 5
        assert one.hold(lambda _: {Hold("a", "ada", "tab", one.clock())}) == one.holds()


def test_a_clock_that_is_wrong_is_set_right_by_the_servers(database, monkeypatch):
    with Answers(database) as answers:
        right = answers.clock()
        monkeypatch.setattr(time, "time", lambda: right + 5000)
        assert answers.clock() > right + 4000
        answers.hold(lambda held: held)
        assert abs(answers.clock() - right) < 60


def test_a_ledger_from_before_gets_the_table(tmp_path):
    path = tmp_path / "ledger.db"
    Answers(path).close()
    with sqlite3.connect(path) as link:
        link.execute("DROP TABLE holds")
    with Answers(path) as answers:
        assert answers.holds() == set()
