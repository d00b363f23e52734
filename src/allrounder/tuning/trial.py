"""One trial: a training whose worth is read off validation records; test records are not judged.

Tasks have metrics of different kinds, so each is first put on one scale, the skill score (Murphy,
1988): (metric - constant) / (perfect - constant), where `constant` is what the best constant
answer gets and `perfect` what the truth itself gets on the same validation records. 0 is worth
nothing, 1 is perfect, and higher is better for errors too. A trial's value is the mean over tasks.
"""

import math
import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from allrounder.errors import DataError
from allrounder.judging import job_of
from allrounder.plan import Plan
from allrounder.records import Records
from allrounder.runs import Run
from allrounder.training.course import Course, train
from allrounder.training.fit import constant_answers
from allrounder.training.job import Job, kept_chance, silent
from allrounder.training.keeping import Keeper
from allrounder.tuning.folder import one_at_a_time

Watch = Callable[[float, float], bool]
"""Called with an epoch and the mean skill at it; returns whether to give up."""


class Pruned(Exception):
    """The trial was given up: it promises less than others did at this point."""


@dataclass(frozen=True)
class Outcome:
    """What a trial is worth: its value, and by task the deciding metric of what would ship."""

    value: float
    scores: dict[str, float]


Scale = Mapping[str, tuple[float, float]]
"""By task, what a constant answer gets and what the truth gets."""


def run_trial(plan: Plan, records: Records, *, scratch: Path, watch: Watch) -> Outcome:
    """Train a plan and return what its shipped snapshot is worth on validation records.

    Args:
        plan: the project file with the values to be tried.
        records: its records.
        scratch: where snapshots lie meanwhile; deleted at the end.
        watch: called after every evaluation.

    Raises:
        Pruned: `watch` said so.
    """
    job = job_of(plan, records, Run(scratch, {}), silent)
    settings = replace(plan.training, probe=False, checkpoint_minutes=math.inf)
    try:
        with kept_chance():
            return _trained(replace(job, settings=settings).learned(), watch)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _trained(job: Job, watch: Watch) -> Outcome:
    scale = scale_of(job)
    model = job.model(dropout=job.settings.dropout)
    with one_at_a_time(job.cache / "preparing.lock"):  # caches are shared with other workers
        prepared = job.prepared(model)

    def told(course: Course) -> None:
        row = course.history[-1]
        decided = {n: found[job.tasks[n].decides] for n, found in row["validation"].items()}
        if watch(row["epoch"], skill(decided, scale)):
            raise Pruned

    keeper, _ = train(replace(job, watch=told), model, prepared)
    scores = shipped(keeper, own=job.settings.snapshots == "own")
    return Outcome(skill(scores, scale), scores)


def shipped(keeper: Keeper, *, own: bool) -> dict[str, float]:
    """Return by task the deciding metric of the snapshot that would ship."""
    at = {name: step if own else keeper.shared for name, step in keeper.best.items()}
    return {name: keeper.scores[step][name] for name, step in at.items()}


def skill(scores: Mapping[str, float], scale: Scale) -> float:
    """Return the mean skill of deciding metrics, tasks without validation labels left out."""
    parts = []
    for name, (constant, perfect) in scale.items():
        reach = perfect - constant
        # Where the constant is perfect already there is nothing to gain, only to lose.
        parts.append((scores[name] - constant) / reach if reach else -abs(scores[name] - perfect))
    return sum(parts) / len(parts)


def scale_of(job: Job) -> Scale:
    """Return what a constant and what the truth get from each task's deciding metric.

    The constant is learned from training labels and judged on validation labels.
    """
    found = {}
    for name, answer in constant_answers(job).items():
        rows = job.records.indices("validation", name)
        if len(rows):
            task = job.tasks[name]
            truths = task.array(job.records.take(name, rows))
            score = task.metrics()[task.decides].score
            found[name] = (score(truths, task.array([answer] * len(rows))), score(truths, truths))
    if not found:
        raise DataError("No task has a label in validation: trials cannot be compared.")
    return found


def timed(began: float) -> float:
    """Return the seconds since a moment of the monotonic clock."""
    return round(time.monotonic() - began, 2)
