"""Choosing questions beside the page, in a process of its own."""

import sys
import time

import pytest

from allrounder.labeling.chooser import AGAIN, Chooser

SIDE = """
import os
from allrounder import errands
from allrounder.errors import DataError

def choose(told):
    {does}

errands.run(choose)
"""


@pytest.fixture
def chooser():
    made = []

    def make(does: str, **told) -> Chooser:
        made.append(Chooser(told, [sys.executable, "-c", SIDE.format(does=does)]))
        return made[-1]

    yield make
    for one in made:
        one.close()


def waited(one: Chooser) -> Chooser:
    until = time.monotonic() + 20
    while one.is_working and time.monotonic() < until:
        time.sleep(0.02)
    time.sleep(0.05)
    return one


@pytest.fixture
def counting(tmp_path, chooser):
    """A chooser that leaves a mark each time it works, and how many marks there are."""
    path = tmp_path / "marks"
    one = chooser("open(told['path'], 'a').write('x')", path=str(path))
    return one, lambda: len(path.read_text()) if path.exists() else 0


def test_it_begins_where_there_is_no_batch_and_not_twice_for_the_same_labels(counting):
    one, marks = counting
    for _ in range(3):
        one.nudge(done=0, asked=0, labels=0)
        waited(one)
    assert marks() == 1
    assert one.failure is None


def test_it_waits_until_half_of_a_batch_is_answered(counting):
    one, marks = counting
    one.nudge(done=9, asked=20, labels=9)
    assert not one.is_working and marks() == 0
    one.nudge(done=10, asked=20, labels=10)
    assert marks() or waited(one)
    assert marks() == 1


def test_where_nothing_is_left_to_ask_it_looks_again_only_after_some_answers(counting):
    one, marks = counting
    for labels in (20, 21, 29, 30):
        one.nudge(done=20, asked=20, labels=labels)
        waited(one)
    assert marks() == 2


def test_a_failure_is_a_sentence_and_is_forgotten_once_it_works_again(tmp_path, chooser):
    path = tmp_path / "full"
    path.touch()
    does = "if os.path.exists(told['path']): raise DataError('There is no disk left.')"
    one = chooser(does, path=str(path))
    one.nudge(done=0, asked=0, labels=0)
    assert waited(one).failure == "There is no disk left."
    path.unlink()
    one.nudge(done=0, asked=0, labels=AGAIN)
    assert waited(one).failure is None


def test_it_stops_with_the_page(chooser):
    one = chooser("import time; time.sleep(60)")
    one.nudge(done=0, asked=0, labels=0)
    assert one.is_working
    one.close()
    assert not waited(one).is_working
    assert one.failure is None
