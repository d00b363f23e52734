"""The workers of a search: processes that train trials and talk in lines of JSON.

No object crosses between processes, only JSON, and a worker inherits the lock of the folder. So
nothing is pickled, and a folder is free only when the last worker of a killed search has ended.
"""

import json
import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import Any

from allrounder.errors import RunError

Message = dict[str, Any]
Said = tuple["Worker", Message | None]
"""A worker and its message; None says that it has died."""


UNHEARD = (signal.SIG_IGN, None)
"""Handlers of Ctrl+C that are left as they are: it is ignored, or another language's."""
LOST_STARTS = 3
"""So many workers in a row may be killed from outside before they are ready for a trial."""


class Worker:
    """One worker process.

    Args:
        folder: the folder of the search.
        threads: how many threads it may use.
        lock: the open file that holds the folder.
        messages: where its messages go, each with the worker.
    """

    def __init__(
        self,
        folder: Path,
        *,
        threads: int,
        lock: int,
        messages: "queue.SimpleQueue[Said | None]",
    ) -> None:
        self.number: int | None = None
        """The trial that it trains."""
        self.ready = False
        self.messages = messages
        with open(folder / "workers.log", "ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "allrounder.tuning.worker", str(folder), str(threads)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                env=_environment(threads),
                pass_fds=[lock],
            )
        self._ear = threading.Thread(target=self._listen, daemon=True)
        self._ear.start()

    def _listen(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.messages.put((self, json.loads(line)))
        self.process.wait()
        self.messages.put((self, None))

    def say(self, **message: Any) -> None:
        """Send a message; a worker that has died will be heard of in `messages`."""
        assert self.process.stdin is not None
        with suppress(BrokenPipeError):
            self.process.stdin.write(json.dumps(message).encode() + b"\n")
            self.process.stdin.flush()

    @property
    def killed(self) -> bool:
        """Whether a signal ended the worker, and not its own code."""
        return self.process.returncode < 0

    @property
    def death(self) -> str:
        """What the worker died of."""
        code = self.process.returncode
        return f"killed by signal {-code}" if self.killed else f"ended by code {code}"

    def end(self) -> None:
        """End the process, whatever it is doing."""
        self.process.kill()
        self.process.wait()
        self._ear.join()
        for stream in (self.process.stdin, self.process.stdout):
            assert stream is not None
            with suppress(BrokenPipeError):
                stream.close()


class Crew:
    """The workers that are alive.

    Args:
        folder: the folder of the search.
        size: how many workers there are.
        lock: the open file that holds the folder.
    """

    def __init__(self, folder: Path, *, size: int, lock: int) -> None:
        self.folder, self.lock = folder, lock
        self.lost_starts = 0
        self.threads = max(1, num_cores() // size)
        # A signal handler may put into this kind of queue whatever else is at work on it.
        self.messages: queue.SimpleQueue[Said | None] = queue.SimpleQueue()
        self.workers = [self._new() for _ in range(size)]

    def _new(self) -> Worker:
        return Worker(self.folder, threads=self.threads, lock=self.lock, messages=self.messages)

    def heard(self) -> Said:
        """Wait for the next message of any worker.

        Raises:
            KeyboardInterrupt: Ctrl+C was pressed.
        """
        said = self.messages.get()
        if said is None:
            raise KeyboardInterrupt
        return said

    def replace(self, dead: Worker) -> None:
        """Put a new worker in the place of one that has died.

        Raises:
            RunError: workers cannot be started: one ended by itself before its first trial, or
                one after the other was killed there.
        """
        self.lost_starts = 0 if dead.ready else self.lost_starts + 1
        if not dead.ready and (not dead.killed or self.lost_starts == LOST_STARTS):
            raise RunError(
                f"A worker was {dead.death} before its first trial: "
                f"{self.folder / 'workers.log'} says why."
            )
        dead.end()
        self.workers[self.workers.index(dead)] = self._new()

    def end(self) -> None:
        """End all workers."""
        for worker in self.workers:
            worker.end()


@contextmanager
def crew(folder: Path, *, size: int, lock: int) -> Iterator[Crew]:
    """Start workers, and end them with the block; Ctrl+C is heard between two messages."""
    started = Crew(folder, size=size, lock=lock)
    try:
        with interrupts_to(started.messages):
            yield started
    finally:
        started.end()


@contextmanager
def interrupts_to(messages: "queue.SimpleQueue[Said | None]") -> Iterator[None]:
    """Let the first Ctrl+C be a message and the second what it always is.

    Raised wherever the search happens to be, it is lost where Python can pass no error on: in
    a finalizer or a callback of the database.
    """
    usual = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or usual in UNHEARD:
        yield
        return

    def hear(number: int, frame: FrameType | None) -> None:
        signal.signal(signal.SIGINT, usual)
        messages.put(None)

    signal.signal(signal.SIGINT, hear)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, usual)


def num_cores() -> int:
    """Return the cores that this process may use, or as few as OMP_NUM_THREADS allows."""
    allowed = os.environ.get("OMP_NUM_THREADS", "")
    own = getattr(os, "sched_getaffinity", None)  # not every system has it
    cores = len(own(0)) if own else os.cpu_count() or 1
    return min(cores, int(allowed)) if allowed.isdigit() and int(allowed) else cores


def _environment(threads: int) -> dict[str, str]:
    """Return the environment of a worker: the same modules, its share of the cores."""
    path = os.pathsep.join(entry for entry in sys.path if entry)
    return {**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": str(threads)}
