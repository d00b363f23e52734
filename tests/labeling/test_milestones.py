"""Training beside the page, in a process of its own."""

import json
import sys
import time

import pytest

from allrounder.labeling.milestones import Milestones

SIDE = """
from allrounder import errands
errands.run(lambda told: open(told["path"], "a").write("x"))
"""


@pytest.fixture
def training(tmp_path):
    """Return what trains after every 10 labels, and how often it has."""
    made = []

    def start() -> Milestones:
        told = {"path": str(tmp_path / "marks")}
        command = [sys.executable, "-c", SIDE]
        made.append(Milestones(told, 10, tmp_path / "kept" / "milestones.json", command))
        return made[-1]

    def times() -> int:
        path = tmp_path / "marks"
        return len(path.read_text()) if path.exists() else 0

    yield start, times
    for one in made:
        one.close()


def waited(one: Milestones) -> None:
    until = time.monotonic() + 20
    while one.is_working:
        assert time.monotonic() < until
        time.sleep(0.01)


def reached(one: Milestones, *labels: int) -> None:
    for n in labels:
        one.nudge(n)
        waited(one)


def test_it_trains_after_so_many_labels_and_then_after_so_many_more(training):
    start, times = training
    one = start()
    reached(one, 0, 5, 9)
    assert times() == 0
    reached(one, 10, 11, 19)
    assert times() == 1
    reached(one, 20)
    assert times() == 2
    assert one.failure is None


def test_it_trains_the_more_rarely_the_more_labels_there_are(training):
    start, times = training
    one = start()
    reached(one, 100, 110, 149)
    assert times() == 1
    reached(one, 150)
    assert times() == 2


def test_a_new_start_remembers_the_last_milestone(training, tmp_path):
    start, times = training
    reached(start(), 12)
    assert json.loads((tmp_path / "kept" / "milestones.json").read_text()) == {"labels": 12}
    reached(start(), 13)
    assert times() == 1
    (tmp_path / "kept" / "milestones.json").write_text("no JSON")
    reached(start(), 13)
    assert times() == 2
