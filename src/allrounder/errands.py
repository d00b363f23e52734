"""Errands: what a process beside this one does, one at a time, while this one goes on.

Both speak JSON in lines. The process stays, so that the next errand need not wait until its
modules are loaded, and ends when nobody sends it any more or the one that sends it has died.
"""

import json
import os
import queue
import subprocess
import sys
import threading
import traceback
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

from allrounder.errors import Error

IDLE = 600.0
"""Seconds after which a process without an errand ends."""


class Errands:
    """The side that sends.

    Args:
        command: the process.
        log: the file for what it writes to standard error; by default nothing is kept.
    """

    def __init__(self, command: Sequence[str], log: Path | None = None) -> None:
        self._command, self._log = list(command), log
        self._process: subprocess.Popen | None = None
        self._lock = threading.Lock()
        self._out: threading.Thread | None = None
        self._closed = False
        self.failure: str | None = None
        """Why the last errand failed, in a sentence; None where it did not."""

    @property
    def is_out(self) -> bool:
        """Whether an errand is being run."""
        return self._out is not None and self._out.is_alive()

    def send(self, told: Mapping[str, Any]) -> None:
        """Begin an errand; where one is being run, nothing happens.

        Args:
            told: what the process is told.
        """
        with self._lock:
            if self.is_out or self._closed:
                return
            self._out = threading.Thread(target=self._sent, args=[json.dumps(told)], daemon=True)
            self._out.start()

    def close(self) -> None:
        """End the process, whatever it is doing."""
        self._closed = True
        if (process := self._process) is not None:
            process.terminate()
        if self._out is not None:
            self._out.join()
        if self._process is not None:
            _buried(self._process)

    def _sent(self, line: str) -> None:
        process = self._process
        if process is None or not _told(process, line):
            if process is not None:
                _buried(process)
            process = self._process = self._started()
            if self._closed:
                process.terminate()
            _told(process, line)
        assert process.stdout is not None
        said = process.stdout.readline()
        if said:
            self.failure = json.loads(said)["failure"]
        elif not self._closed:
            self.failure = self._death(process.wait())

    def _started(self) -> subprocess.Popen:
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        with _opened(self._log) as log:
            return subprocess.Popen(self._command, text=True, encoding="utf-8", stderr=log, **pipes)

    def _death(self, code: int) -> str:
        died = f"was killed by signal {-code}" if code < 0 else f"ended with code {code}"
        return f"The process {died}" + (f"; {self._log} says more." if self._log else ".")


def _told(process: subprocess.Popen, line: str) -> bool:
    """Return whether a process took a line."""
    assert process.stdin is not None
    if process.poll() is not None:
        return False
    try:
        process.stdin.write(line + "\n")
        process.stdin.flush()
    except OSError:
        return False
    return True


def _buried(process: subprocess.Popen) -> None:
    """Wait for the end of a process, and close what led to it."""
    with suppress(OSError), process:
        process.wait()


def _opened(path: Path | None) -> IO[bytes]:
    """Return a file to write to; where it cannot be, what is written to it is lost."""
    with suppress(OSError):
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            return open(path, "wb")
    return open(os.devnull, "wb")


def run(act: Callable[[Mapping[str, Any]], None], *, idle: float = IDLE) -> None:
    """Run errands until there are none: the side that is sent.

    What `act` prints goes to standard error. An error of ours is told as its sentence, any other
    by its last line, and stands in full in standard error.

    Args:
        act: what an errand is, from what it is told.
        idle: seconds without an errand after which it ends.
    """
    mouth = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    lines: queue.SimpleQueue[str] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=[lines], daemon=True).start()
    with suppress(queue.Empty):
        while True:
            told = json.loads(lines.get(timeout=idle))
            mouth.write(json.dumps({"failure": _failure(act, told)}) + "\n")
            mouth.flush()


def _listen(lines: "queue.SimpleQueue[str]") -> None:
    """Pass errands on; when the one that sends has died, end at once, as a kill would."""
    for line in sys.stdin:
        lines.put(line)
    os._exit(0)


def _failure(act: Callable[[Mapping[str, Any]], None], told: Mapping[str, Any]) -> str | None:
    try:
        act(told)
    except Error as error:
        return str(error)
    except Exception as error:
        traceback.print_exc()
        return f"{type(error).__name__}: {error}"
    return None
