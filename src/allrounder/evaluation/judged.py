"""What one task was asked and what was said."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from allrounder.tasks.base import Task


@dataclass(kw_only=True)
class Judged:
    """What one task was asked and what was said; lists of equal length, one entry a record.

    Args:
        task: the task, with its labels learned.
        truths: labels as in the file.
        decoded: labels that the model says, in the same form.
        answers: plain answers with calibrated probabilities.
        raw: the same without calibration.
        before: labels that the linear probe on the frozen encoder says.
        baseline: labels that a constant says.
        texts: what was read.
        wheres: file and line of each record.
    """

    task: "Task"
    truths: list[Any]
    decoded: list[Any]
    answers: list[dict[str, Any]]
    raw: list[dict[str, Any]] | None
    before: list[Any] | None
    baseline: list[Any]
    texts: list[str]
    wheres: list[str]

    def labels(self) -> list[str]:
        """Return the labels that the task declares or has learned."""
        return list(getattr(self.task, "labels", None) or [])
