"""What a search hears from outside its own process."""

import os
import queue
import signal

import pytest

from allrounder.tuning.crew import interrupts_to


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
