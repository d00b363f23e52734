"""Questions are chosen in a process of its own: the page never waits for a model."""

import json
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from allrounder.plan import Plan

COMMAND = (sys.executable, "-m", "allrounder.asking")

AGAIN = 10
"""Labels after which a choice that failed, or found nothing to ask, is tried again."""


class Chooser:
    """Chooses the next batch once half of the latest one is answered.

    Args:
        told: what the process is told: a project.
        command: the process, which reads that from its standard input.
        start: starts a process; `subprocess.Popen` by default.
    """

    def __init__(
        self,
        told: Mapping[str, Any],
        command: Sequence[str] = COMMAND,
        start: Callable[..., subprocess.Popen] = subprocess.Popen,
    ) -> None:
        self._told, self._command, self._start = json.dumps(told), list(command), start
        self._process: subprocess.Popen | None = None
        self._since: int | None = None
        self._lock = threading.Lock()
        self.failure: str | None = None
        """Why the last choice failed, in a sentence; None where it did not."""

    @classmethod
    def of(cls, plan: Plan) -> "Chooser":
        """Return what chooses for a project."""
        folder = str(Path(plan.folder).resolve())
        return cls({"sections": dict(plan.sections), "folder": folder, "name": plan.name})

    @property
    def is_working(self) -> bool:
        """Whether questions are being chosen right now."""
        return self._process is not None and self._process.poll() is None

    def nudge(self, *, done: int, asked: int, labels: int) -> None:
        """Begin to choose if the latest batch is half answered and nobody is choosing yet.

        Args:
            done: answered questions of the latest batch.
            asked: all its questions.
            labels: how many labels there are, to notice that nothing has changed since.
        """
        with self._lock:
            if self.is_working or 2 * done < asked:
                return
            if self._since is not None and labels < self._since + AGAIN and not asked - done:
                return
            if self._since == labels:
                return
            self._since = labels
            self._begin()

    def _begin(self) -> None:
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE}
        self._process = self._start(self._command, text=True, encoding="utf-8", **pipes)
        threading.Thread(target=self._watch, args=[self._process], daemon=True).start()

    def _watch(self, process: subprocess.Popen) -> None:
        _, said = process.communicate(self._told)
        lines = said.strip().splitlines()
        self.failure = None if process.returncode <= 0 else (lines or ["it gave no reason"])[-1]

    def close(self) -> None:
        """Stop choosing."""
        if self._process is not None and self.is_working:
            self._process.terminate()
