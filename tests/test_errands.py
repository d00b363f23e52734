"""Errands: a process beside this one that does one thing at a time."""

import os
import signal
import subprocess
import sys
import time

import pytest

from allrounder.errands import Errands

SIDE = """
import os, sys, time
from allrounder import errands
from allrounder.errors import DataError

def act(told):
    print(os.getpid(), flush=True)
    {does}

errands.run(act, idle={idle})
"""


def side(does: str, idle: float = 60) -> list[str]:
    """Return a process that does something with what it is `told`."""
    return [sys.executable, "-c", SIDE.format(does=does, idle=idle)]


@pytest.fixture
def sends(tmp_path):
    made = []

    def send(does: str, **options) -> Errands:
        made.append(Errands(side(does, **options), tmp_path / "log"))
        return made[-1]

    yield send
    for one in made:
        one.close()


def back(one: Errands) -> Errands:
    until = time.monotonic() + 20
    while one.is_out:
        assert time.monotonic() < until
        time.sleep(0.01)
    return one


def numbers(tmp_path) -> list[str]:
    return (tmp_path / "log").read_text(encoding="utf-8").split()


def test_errands_are_run_one_after_the_other_by_one_process(sends, tmp_path):
    one = sends("time.sleep(0.1)")
    for _ in range(3):
        one.send({})
        assert one.is_out
        assert back(one).failure is None
    assert len(numbers(tmp_path)) == 3
    assert len(set(numbers(tmp_path))) == 1


def test_an_errand_is_not_begun_while_another_is_being_run(sends, tmp_path):
    one = sends("time.sleep(0.3)")
    for _ in range(3):
        one.send({})
    back(one)
    assert len(numbers(tmp_path)) == 1


def test_what_it_is_told_arrives_whole(sends, tmp_path):
    one = sends("open(told['path'], 'w', encoding='utf-8').write(told['word'])")
    one.send({"path": str(tmp_path / "found"), "word": "两行\nand more"})
    back(one)
    assert (tmp_path / "found").read_text(encoding="utf-8") == "两行\nand more"


def test_an_error_of_ours_is_its_sentence_and_the_next_errand_goes_well(sends):
    one = sends("if told['bad']: raise DataError('There is no disk left.')")
    one.send({"bad": True})
    assert back(one).failure == "There is no disk left."
    one.send({"bad": False})
    assert back(one).failure is None


def test_any_other_error_is_one_line_and_stands_in_full_in_the_log(sends, tmp_path):
    one = sends("raise ValueError('odd')")
    one.send({})
    assert back(one).failure == "ValueError: odd"
    assert "Traceback" in (tmp_path / "log").read_text(encoding="utf-8")


def test_a_killed_process_is_told_and_a_new_one_takes_the_next_errand(sends, tmp_path):
    one = sends("if told['dies']: os.kill(os.getpid(), 9)")
    one.send({"dies": True})
    found = back(one).failure
    assert found.startswith("The process was killed by signal 9;")
    assert str(tmp_path / "log") in found
    one.send({"dies": False})
    assert back(one).failure is None


def test_a_process_without_errands_ends_and_is_started_again(sends, tmp_path):
    one = sends("pass", idle=0.1)
    one.send({})
    back(one)
    (first,) = numbers(tmp_path)
    until = time.monotonic() + 20
    while one._process.poll() is None and time.monotonic() < until:
        time.sleep(0.02)
    one.send({})
    assert back(one).failure is None
    assert numbers(tmp_path) != [first]


def test_closing_ends_it_whatever_it_does(sends):
    one = sends("time.sleep(60)")
    one.send({})
    while one._process is None:
        time.sleep(0.01)
    one.close()
    assert back(one).failure is None
    one.send({})
    assert not one.is_out


PARENT = """
import sys, time
from allrounder.errands import Errands
one = Errands({command!r})
one.send({{"path": {path!r}}})
time.sleep(60)
"""


def test_it_ends_when_the_one_that_sends_is_killed(tmp_path):
    path = tmp_path / "pid"
    command = side("open(told['path'], 'w').write(str(os.getpid())); time.sleep(60)")
    code = PARENT.format(command=command, path=str(path))
    parent = subprocess.Popen([sys.executable, "-c", code])
    until = time.monotonic() + 20
    while not (path.exists() and path.read_text()):
        assert time.monotonic() < until
        time.sleep(0.02)
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    while _lives(int(path.read_text())):
        assert time.monotonic() < until
        time.sleep(0.02)


def _lives(number: int) -> bool:
    try:
        os.kill(number, 0)
        with open(f"/proc/{number}/stat", encoding="utf-8") as file:
            return file.read().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False
