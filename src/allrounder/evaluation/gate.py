"""Whether a change is worth having: the same model trained without it and with it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from allrounder.evaluation.score import Score
from allrounder.evaluation.sharing import spread
from allrounder.evaluation.table import aligned, number


@dataclass(kw_only=True)
class Gain:
    """What one change did to one task.

    Args:
        values: the deciding metric with the change, by seed, on the records judged.
        gain: with minus without on the records judged, above zero is better.
        validation: the same on validation records: what decides.
    """

    values: list[float]
    gain: Score
    validation: Score

    @property
    def helps(self) -> bool:
        """Whether validation records say that the change is a gain beyond noise."""
        return self.validation.low > 0

    @property
    def hurts(self) -> bool:
        """Whether validation records say that the change is a loss beyond noise."""
        return self.validation.high < 0

    @property
    def verdict(self) -> str:
        """The verdict in a word or two."""
        return "helps" if self.helps else "hurts" if self.hurts else "within noise"


@dataclass(kw_only=True)
class TaskGate:
    """One task, without the changes and with each of them.

    Args:
        metric: the deciding metric.
        without: its value without any, by seed, on the records judged.
        gains: by change, what it did.
    """

    metric: str
    without: list[float]
    gains: dict[str, Gain]


@dataclass(kw_only=True)
class GateReport:
    """What changes are worth.

    Args:
        tasks: what was found, per task.
        seeds: how many seeds each model was trained with.
        budget: the share of the epochs that each was trained for.
        seconds: by change, and for `without`, how long its trainings took.
        adopted: by change, the tasks that take it.
        notes: what else is worth knowing.
    """

    tasks: dict[str, TaskGate]
    seeds: int
    budget: float
    seconds: dict[str, float]
    adopted: dict[str, list[str]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    @property
    def helped(self) -> dict[str, list[str]]:
        """By change, the tasks that gain from it beyond noise."""
        return self._where("helps")

    @property
    def hurt(self) -> dict[str, list[str]]:
        """By change, the tasks that lose from it beyond noise."""
        return self._where("hurts")

    def _where(self, verdict: str) -> dict[str, list[str]]:
        found = {
            change: [n for n, task in self.tasks.items() if task.gains[change].verdict == verdict]
            for change in next(iter(self.tasks.values())).gains
        }
        return {change: tasks for change, tasks in found.items() if tasks}

    @property
    def sentences(self) -> list[str]:
        """What every change did to every task, in words, and what else is worth knowing."""
        found = [
            _sentence(change, name, task.metric, gain)
            for name, task in self.tasks.items()
            for change, gain in task.gains.items()
        ]
        return [*found, *self.notes]

    def __str__(self) -> str:
        over = f"{self.seeds} seeds" if self.seeds > 1 else "records, with one seed"
        head = ["task", "change", "metric", "without", "with", "gain", "on validation", "verdict"]
        rows = [
            [name, change, task.metric, _mean(task.without), _mean(gain.values),
             spread(gain.gain), spread(gain.validation), gain.verdict]
            for name, task in self.tasks.items()
            for change, gain in task.gains.items()
        ]  # fmt: skip
        table = aligned([head, *rows], left=3)
        times = ", ".join(f"{name} {took:,.0f} s" for name, took in self.seconds.items())
        title = f"Is it worth it? Intervals over {over}; validation records decide."
        return "\n".join([title, table, "", f"Trained: {times}.", *self.sentences])


def _mean(values: Sequence[float]) -> str:
    return number(float(np.mean(values)))


def _sentence(change: str, name: str, metric: str, gain: Gain) -> str:
    by = f"{spread(gain.validation)} {metric} on validation records"
    if gain.helps or gain.hurts:
        return f"{name} {'gains' if gain.helps else 'loses'} with {change}: {by}."
    return f"What {name} gains with {change} is within noise: {by}."


def totals(seconds: Mapping[str, Sequence[float]]) -> dict[str, float]:
    """Return by name how long all its trainings took."""
    return {name: round(sum(took), 1) for name, took in seconds.items()}
