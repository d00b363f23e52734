"""A model is trained beside the page at milestones, in a process of its own."""

import json
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from allrounder.errands import Errands
from allrounder.labeling.chooser import described
from allrounder.plan import Plan
from allrounder.runs import write_text

COMMAND = (sys.executable, "-m", "allrounder.running")

GROWTH = 0.5
"""By how much labels have to grow from one training to the next, where that is more than `every`:
so all trainings together take a few times what the last one does."""


class Milestones:
    """Trains a model whenever there are labels enough more than at the last time.

    Args:
        told: what the process is told: a project.
        every: how many labels more are enough.
        path: where it is kept how many labels there were at the last time.
        command: the process.
        log: where what it writes to standard error is kept.
    """

    def __init__(
        self,
        told: Mapping[str, Any],
        every: int,
        path: Path,
        command: Sequence[str] = COMMAND,
        log: Path | None = None,
    ) -> None:
        self._told, self._every, self._path = told, every, path
        self._errands = Errands(command, log)
        self._since = _kept(path)

    @classmethod
    def of(cls, plan: Plan) -> "Milestones | None":
        """Return what trains for a project, if its file says that something should."""
        if plan.label.train is None:
            return None
        path, log = plan.cache / "milestones.json", plan.cache / "training.log"
        return cls(described(plan), plan.label.train, path, log=log)

    @property
    def is_working(self) -> bool:
        """Whether a model is being trained right now."""
        return self._errands.is_out

    @property
    def failure(self) -> str | None:
        """Why the last training failed, in a sentence; None where it did not."""
        return self._errands.failure

    def nudge(self, labels: int) -> None:
        """Begin to train if there are labels enough, and no training is going on.

        Args:
            labels: how many there are.
        """
        more = labels - self._since
        if self.is_working or more < max(self._every, GROWTH * self._since):
            return
        self._since = labels
        with suppress(OSError):  # then it is trained once more after a start
            write_text(self._path, json.dumps({"labels": labels}))
        self._errands.send(self._told)

    def close(self) -> None:
        """Stop training; what was begun is kept as an interrupted run."""
        self._errands.close()


def _kept(path: Path) -> int:
    with suppress(OSError, ValueError, KeyError, TypeError):
        return int(json.loads(path.read_text(encoding="utf-8"))["labels"])
    return 0
