"""What came of the trials of a search, as plain data."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

State = Literal["complete", "pruned", "failed", "killed", "repeated", "running", "waiting"]

ENDED = ("complete", "pruned", "failed")
"""Trials in these states count; one whose process was killed is tried again, one that repeats
another is not trained."""


@dataclass(kw_only=True)
class Trial:
    """One trial.

    Args:
        number: its place in the study.
        state: what became of it.
        value: the mean skill of the shipped snapshot on validation records.
        values: by key, the values that were tried; empty where the project file stood as it is.
        as_it_stands: whether this is the project file unchanged.
        scores: by task, the deciding metric of the shipped snapshot.
        curve: pairs of an epoch and the mean skill at it.
        seconds: how long it took.
        error: why it failed.
    """

    number: int
    state: State
    value: float | None = None
    values: dict[str, Any] = field(default_factory=dict)
    as_it_stands: bool = False
    scores: dict[str, float] = field(default_factory=dict)
    curve: list[tuple[float, float]] = field(default_factory=list)
    seconds: float | None = None
    error: str | None = None


def ended(trials: Iterable[Trial]) -> list[Trial]:
    """Return the trials that count."""
    return [trial for trial in trials if trial.state in ENDED]


def best_of(trials: Sequence[Trial]) -> Trial | None:
    """Return the first trial with the highest value, or None where none came to one."""
    complete = [trial for trial in trials if trial.state == "complete"]
    return max(complete, key=lambda trial: (trial.value, -trial.number), default=None)
