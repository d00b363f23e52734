"""Questions are chosen in a process of its own: the page never waits for a model."""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from allrounder.errands import Errands
from allrounder.plan import Plan

COMMAND = (sys.executable, "-m", "allrounder.asking")

AGAIN = 10
"""Labels after which a choice that failed, or found nothing to ask, is tried again."""


class Chooser:
    """Chooses the next batch once half of the latest one is answered.

    Args:
        told: what the process is told: a project.
        command: the process.
        log: where what it writes to standard error is kept.
    """

    def __init__(
        self, told: Mapping[str, Any], command: Sequence[str] = COMMAND, log: Path | None = None
    ) -> None:
        self._told, self._errands = told, Errands(command, log)
        self._since: int | None = None

    @classmethod
    def of(cls, plan: Plan) -> "Chooser":
        """Return what chooses for a project."""
        return cls(described(plan), log=plan.cache / "choosing.log")

    @property
    def is_working(self) -> bool:
        """Whether questions are being chosen right now."""
        return self._errands.is_out

    @property
    def failure(self) -> str | None:
        """Why the last choice failed, in a sentence; None where it did not."""
        return self._errands.failure

    def nudge(self, *, done: int, asked: int, labels: int) -> None:
        """Begin to choose if the latest batch is half answered and nobody is choosing yet.

        Args:
            done: answered questions of the latest batch.
            asked: all its questions.
            labels: how many labels there are, to notice that nothing has changed since.
        """
        if self.is_working or 2 * done < asked:
            return
        if self._since is not None and labels < self._since + AGAIN and not asked - done:
            return
        if self._since == labels:
            return
        self._since = labels
        self._errands.send(self._told)

    def close(self) -> None:
        """Stop choosing."""
        self._errands.close()


def described(plan: Plan) -> dict[str, Any]:
    """Return a project as a process is told of it."""
    folder = str(Path(plan.folder).resolve())
    return {"sections": dict(plan.sections), "folder": folder, "name": plan.name}
