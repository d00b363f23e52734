"""What a search hears from outside its own process."""

import os
import queue
import signal
from types import SimpleNamespace

import pytest

from allrounder.errors import RunError
from allrounder.tuning import crew
from allrounder.tuning.crew import LOST_STARTS, Crew, interrupts_to


def press() -> None:
    os.kill(os.getpid(), signal.SIGINT)


class Finalized:
    def __del__(self):
        press()  # Python can pass on no error that is raised here


@pytest.fixture
def usual():
    heard = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield signal.default_int_handler
    signal.signal(signal.SIGINT, heard)


def test_ctrl_c_during_a_finalizer_is_heard(usual):
    messages = queue.SimpleQueue()
    with interrupts_to(messages):
        Finalized()
        assert messages.get(timeout=10) is None


def test_ctrl_c_twice_stops_at_once(usual):
    with pytest.raises(KeyboardInterrupt), interrupts_to(queue.SimpleQueue()):
        press()
        press()
    assert signal.getsignal(signal.SIGINT) is usual


def test_ctrl_c_that_is_ignored_stays_ignored(usual):
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    messages = queue.SimpleQueue()
    with interrupts_to(messages):
        press()
    assert messages.empty()
    assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN


class Started:
    """A worker that has died as it is told, so that no process is needed."""

    def __init__(self, *_, **__):
        self.ready = False
        self.end = lambda: None

    def died(self, code: int, *, ready: bool = False):
        self.ready, self.process = ready, SimpleNamespace(returncode=code)
        return self

    killed = crew.Worker.killed
    death = crew.Worker.death


@pytest.fixture
def team(monkeypatch, tmp_path):
    monkeypatch.setattr(crew, "Worker", Started)
    return Crew(tmp_path, size=1, lock=0)


def test_a_worker_killed_before_its_first_trial_is_replaced(team):
    first = team.workers[0]
    team.replace(first.died(-signal.SIGKILL))
    assert team.workers[0] is not first


def test_workers_killed_one_after_the_other_before_a_trial_end_the_search(team):
    for _ in range(LOST_STARTS - 1):
        team.replace(team.workers[0].died(-signal.SIGKILL))
    with pytest.raises(RunError, match="killed by signal 9 before its first trial"):
        team.replace(team.workers[0].died(-signal.SIGKILL))


def test_a_worker_that_was_ready_starts_the_count_anew(team):
    for _ in range(2 * LOST_STARTS):
        team.replace(team.workers[0].died(-signal.SIGKILL))
        team.replace(team.workers[0].died(-signal.SIGKILL, ready=True))
        assert team.lost_starts == 0


def test_a_worker_that_ends_by_itself_before_its_first_trial_ends_the_search(team):
    with pytest.raises(RunError, match="ended by code 1 before its first trial"):
        team.replace(team.workers[0].died(1))
