"""What a knowledge base adds over ones that say nothing true."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from allrounder.evaluation.score import Score
from allrounder.evaluation.sharing import spread
from allrounder.evaluation.table import aligned, number


@dataclass(kw_only=True)
class TaskLift:
    """One task with the real knowledge base, and with others.

    Args:
        metric: the deciding metric.
        real: its value with the real one, by seed, on the records judged.
        controls: the same with no knowledge base, and with those that say nothing true.
        lift: real minus the best of the controls on the records judged, above zero is better.
        validation: the same on validation records.
        predicates: what validation answers lose without the facts of each predicate.
    """

    metric: str
    real: list[float]
    controls: dict[str, list[float]]
    lift: Score
    validation: Score
    predicates: dict[str, Score] = field(default_factory=dict)


@dataclass(kw_only=True)
class KnowledgeReport:
    """What a knowledge base is worth.

    Args:
        tasks: what was found, per task.
        seeds: how many seeds each model was trained with.
        budget: the share of the epochs that each was trained for.
        mentioned: the share of the texts judged that mention an entity.
        off: predicates that no task misses: they are not told any more.
    """

    tasks: dict[str, TaskLift]
    seeds: int
    budget: float
    mentioned: float
    off: list[str] = field(default_factory=list)

    @property
    def sentences(self) -> list[str]:
        """What is worth a thought."""
        found = [_sentence(name, task) for name, task in self.tasks.items()]
        if self.off:
            names = ", ".join(self.off)
            found.append(f"No task misses the facts of {names}: they are not told any more.")
        if all(task.lift.low <= 0 for task in self.tasks.values()):
            found.append("The knowledge base has no lift beyond noise: do without `knowledge`.")
        return found

    def __str__(self) -> str:
        over = f"{self.seeds} seeds" if self.seeds > 1 else "records, with one seed"
        controls = list(next(iter(self.tasks.values())).controls)
        head = ["task", "metric", "real", *controls, "lift"]
        rows = [
            [name, task.metric, _mean(task.real), *(_mean(task.controls[c]) for c in controls),
             spread(task.lift)]
            for name, task in self.tasks.items()
        ]  # fmt: skip
        title = (
            f"What does the knowledge base add? {self.mentioned:.0%} of the texts mention "
            f"something. Intervals over {over}."
        )
        tables = [f"{title}\n{aligned([head, *rows], left=2)}"]
        predicates = [
            [name, predicate, spread(lost), "off" if predicate in self.off else "told"]
            for name, task in self.tasks.items()
            for predicate, lost in task.predicates.items()
        ]
        if predicates:
            head = ["task", "predicate", "lost without (validation)", ""]
            tables.append(aligned([head, *predicates], left=2))
        return "\n\n".join(tables)


def _mean(values: Sequence[float]) -> str:
    return number(float(np.mean(values)))


def _sentence(name: str, task: TaskLift) -> str:
    best = max(task.controls, key=lambda control: _order(task.controls, control))
    what = f"{spread(task.lift)} {task.metric} over {best}"
    if task.lift.low > 0:
        return f"The knowledge base helps {name}: {what}."
    if task.lift.high < 0:
        return f"The knowledge base hurts {name}: {what}."
    return f"What the knowledge base adds to {name} is within noise: {what}."


def _order(controls: Mapping[str, Sequence[float]], name: str) -> float:
    return float(np.mean(controls[name]))
