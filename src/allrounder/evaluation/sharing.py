"""Whether sharing helped: every task in the shared model beside a model of its own."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from allrounder.evaluation.score import Score
from allrounder.evaluation.table import aligned, number, signed
from allrounder.lazy import lazy

if TYPE_CHECKING:
    from scipy import stats
else:
    stats = lazy("scipy.stats")

Origin = Literal["shared snapshot", "own snapshot", "twin"]
"""Where the answers of a task come from."""


@dataclass(kw_only=True)
class TaskSharing:
    """One task, in the shared model and in a twin that learns nothing else.

    Args:
        metric: the deciding metric.
        joint: its value in the shared model, by seed, on the records judged.
        twin: its value in the twin, by seed.
        shipped: its value in what the run answers with, by seed.
        validation: joint minus twin on validation records, above zero is better: what decided.
        difference: joint minus twin on the records judged, above zero is better.
        after: shipped minus twin on the records judged.
        origin: where its answers come from.
    """

    metric: str
    joint: list[float]
    twin: list[float]
    shipped: list[float]
    validation: Score
    difference: Score
    after: Score
    origin: Origin


@dataclass(kw_only=True)
class Cost:
    """What models cost to make and to use; `milliseconds` is the time to answer one record."""

    seconds: float
    megabytes: float
    parameters: int
    milliseconds: float


@dataclass(kw_only=True)
class Sharing:
    """What sharing one model did to each task.

    Args:
        tasks: what was found, per task.
        seeds: how many seeds each model was trained with.
        budget: the share of the epochs that both sides were trained for.
        delta: Δm of the shared model over the twins, the mean relative gain of its tasks in
            percent (Maninis et al. 2019, equation 4).
        delta_after: the same for what is shipped.
        costs: by name of what is compared: one model, what is shipped, the twins.
    """

    tasks: dict[str, TaskSharing]
    seeds: int
    budget: float
    delta: Score
    delta_after: Score
    costs: dict[str, Cost]

    @property
    def intervals(self) -> str:
        """What the intervals are over."""
        return f"{self.seeds} seeds" if self.seeds > 1 else "records, with one seed"

    @property
    def sentences(self) -> list[str]:
        """What sharing did to each task, in words."""
        return [_sentence(name, task, self) for name, task in self.tasks.items()]

    def __str__(self) -> str:
        head = ["task", "metric", "twin", "joint", "joint − twin", "answers from", "shipped − twin"]
        rows = [
            [name, found.metric, _mean(found.twin), _mean(found.joint), spread(found.difference),
             found.origin, spread(found.after)]
            for name, found in self.tasks.items()
        ]  # fmt: skip
        rows.append(["all", "Δm, %", "", "", spread(self.delta), "", spread(self.delta_after)])
        head_costs = ["", "training", "on disk", "parameters", "a record"]
        costs = [
            [name, f"{c.seconds:,.1f} s", f"{c.megabytes:,.1f} MB", f"{c.parameters / 1e6:,.1f} M",
             f"{c.milliseconds:.2f} ms"]
            for name, c in self.costs.items()
        ]  # fmt: skip
        tables = [aligned([head, *rows], left=2), aligned([head_costs, *costs], left=1)]
        return f"Did sharing help? Intervals over {self.intervals}.\n" + "\n\n".join(tables)


def _mean(values: Sequence[float]) -> str:
    return number(float(np.mean(values)))


def spread(score: Score) -> str:
    """Return a difference and its interval, with signs."""
    return f"{signed(score.value)} [{signed(score.low)}, {signed(score.high)}]"


def _sentence(name: str, task: TaskSharing, sharing: Sharing) -> str:
    by = f"{signed(task.difference.value)} {task.metric}"
    if task.origin != "shared snapshot":
        what = "its own snapshot" if task.origin == "own snapshot" else "its twin"
        if task.validation.high >= 0:
            return f"{what.capitalize()} answers {name}: {spread(task.after)} against its twin."
        return (
            f"Sharing hurt {name} on validation records ({spread(task.validation)} "
            f"{task.metric} against its twin): {what} answers it, {spread(task.after)} on the "
            "records judged."
        )
    if task.difference.low > 0:
        return f"Sharing helped {name}: {by} over its twin."
    if task.difference.high < 0:
        return (
            f"Sharing hurt {name} on the records judged ({by} against its twin), which validation "
            f"records did not show ({spread(task.validation)})."
            if sharing.budget == 1
            else f"Sharing hurt {name} in a short training ({by} against its twin)."
        )
    return f"Sharing changed {name} within noise: {spread(task.difference)} {task.metric}."


def over_seeds(values: Sequence[float], *, at_once: int = 1) -> Score:
    """Return the mean over seeds with its 95 % interval, from Student's t.

    Args:
        values: one a seed.
        at_once: how many intervals are to hold together (Bonferroni).
    """
    mean = float(np.mean(values))
    error = float(np.std(values, ddof=1)) / len(values) ** 0.5
    half = float(stats.t.ppf(1 - 0.025 / at_once, len(values) - 1)) * error
    return Score(value=round(mean, 6), low=round(mean - half, 6), high=round(mean + half, 6))


def relative(gains: Mapping[str, np.ndarray], twins: Mapping[str, float]) -> np.ndarray:
    """Return Δm in percent: the mean over tasks of gain / |twin|, for every draw or seed."""
    parts = [100 * gain / max(abs(twins[name]), 1e-9) for name, gain in gains.items()]
    return np.mean(parts, axis=0)
