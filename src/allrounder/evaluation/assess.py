"""From a model and labelled records to a judgement of every task."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from allrounder.evaluation.judge import judge
from allrounder.evaluation.judged import Judged
from allrounder.evaluation.report import TaskReport
from allrounder.model import Model, Prepared, scored
from allrounder.records import Records
from allrounder.tasks import Task

Passes = Sequence[tuple[Model, Sequence[str]]]
Calibration = Mapping[str, dict[str, float]]
Tell = Callable[[int, int], None]


@dataclass
class Said:
    """What a model said of one task: lists in the order of `rows`."""

    rows: list[int] = field(default_factory=list)
    decoded: list[Any] = field(default_factory=list)
    answers: list[dict[str, Any]] = field(default_factory=list)
    raw: list[dict[str, Any]] = field(default_factory=list)

    def ordered(self) -> "Said":
        """Return everything in the order of the records."""
        order = np.argsort(self.rows, kind="stable")
        lists = {k: [v[i] for i in order] if v else [] for k, v in vars(self).items()}
        return Said(**lists)


@dataclass(frozen=True, kw_only=True)
class Known:
    """What an evaluation compares with.

    Args:
        calibration: by task, what was fitted on validation records.
        constants: by task, what a constant would answer.
        before: by task, what the probe on the frozen encoder said of the same records.
    """

    calibration: Calibration
    constants: Mapping[str, Any]
    before: Mapping[str, Said] | None = None


def said(
    passes: Passes,
    prepared: Prepared,
    rows: np.ndarray,
    *,
    calibration: Calibration | None = None,
    tell: Tell | None = None,
) -> dict[str, Said]:
    """Return what the model says of every labelled record, by task.

    With a calibration the answers and their probabilities are kept too, before and after it.
    """
    found: dict[str, Said] = {}
    for model, tasks in passes:
        for part in scored(model, prepared, rows, tasks=tasks, labeled=True, progress=tell):
            task, mine = model.tasks[part.task], found.setdefault(part.task, Said())
            mine.rows += [int(row) for row in part.rows]
            mine.decoded += task.decode(part.scores)
            if calibration is not None:
                mine.answers += task.answers(part.scores, calibration.get(part.task, {}))
                mine.raw += task.answers(part.scores, {})
    return {name: mine.ordered() for name, mine in found.items()}


def quick_scores(
    model: Model, prepared: Prepared, records: Records, rows: np.ndarray
) -> dict[str, dict[str, float]]:
    """Return every metric of every task on labelled records, without intervals."""
    found = said([(model, list(model.tasks))], prepared, rows)
    return {
        name: _metrics(model.tasks[name], records.take(name, mine.rows), mine.decoded)
        for name, mine in found.items()
    }


def _metrics(task: Task, truths: list[Any], decoded: list[Any]) -> dict[str, float]:
    pair = task.array(truths), task.array(decoded)
    return {name: metric.score(*pair) for name, metric in task.metrics().items()}


def calibrate(passes: Passes, prepared: Prepared, rows: np.ndarray) -> dict[str, dict[str, float]]:
    """Fit on validation records what makes the answers of each task honest."""
    pairs: dict[str, list[tuple[Tensor, Tensor]]] = {}
    tasks: dict[str, Task] = {}
    for model, names in passes:
        for part in scored(model, prepared, rows, tasks=names, labeled=True):
            tasks[part.task] = model.tasks[part.task]
            targets = prepared.target(part.task, part.rows).cpu()
            pairs.setdefault(part.task, []).append(tasks[part.task].flat(part.scores, targets))
    return {
        name: tasks[name].calibrate(*(torch.cat(part) for part in zip(*found, strict=True)))
        for name, found in pairs.items()
    }


def assess(
    passes: Passes,
    prepared: Prepared,
    records: Records,
    rows: np.ndarray,
    *,
    known: Known,
    seed: int = 0,
    tell: Tell | None = None,
) -> dict[str, TaskReport]:
    """Judge every task on the labelled records among `rows`.

    Args:
        passes: the model, and those of tasks with snapshots of their own.
        prepared: the tokens of the records.
        records: the records.
        rows: which of them.
        known: what was found before: calibration, constants and probe.
        seed: of the resamples.
        tell: called with the rows done and the rows in all.
    """
    tasks = passes[0][0].tasks
    found = said(passes, prepared, rows, calibration=known.calibration, tell=tell)
    reports = {}
    for name in tasks:
        if name not in found:
            continue
        mine = found[name]
        old = (known.before or {}).get(name)
        reports[name] = judge(
            Judged(
                task=tasks[name],
                truths=records.take(name, mine.rows),
                decoded=mine.decoded,
                answers=mine.answers,
                raw=mine.raw,
                before=old.decoded if old and old.rows == mine.rows else None,
                baseline=[known.constants[name]] * len(mine.rows),
                texts=_texts(passes[0][0], records, name, mine.rows),
                wheres=records.wheres(mine.rows),
            ),
            seed=seed,
        )
    return reports


def _texts(model: Model, records: Records, name: str, rows: list[int]) -> list[str]:
    source = model.reads(model.tasks[name])
    inputs = [source] if source else list(model.inputs)
    fields = [field for i in inputs for field in model.inputs[i].fields or []]
    columns = [records.shown(field, rows) for field in fields]
    return [" ‖ ".join(filter(None, parts)) for parts in zip(*columns, strict=True)]
