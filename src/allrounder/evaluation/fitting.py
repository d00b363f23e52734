"""What makes answers honest, fitted on validation records."""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from allrounder.evaluation.said import Passes
from allrounder.model import Model, Prepared, Scored, scored, scored_by_subset
from allrounder.model.subsets import Subset, by_missing, named, without
from allrounder.tasks import Task

FEWEST = 20
"""Records on which a calibration of their own is fitted; fewer share that of all records."""


class Pairs(NamedTuple):
    """How many records there are, their scores, and the targets these should have led to.

    Scores and targets are as `Task.calibrate` reads them: one row a decision.
    """

    num_records: int
    scores: Tensor
    targets: Tensor


By = dict[Subset, list[Pairs]]
"""By the inputs that are missing."""


def calibrate(passes: Passes, prepared: Prepared, rows: np.ndarray) -> dict[str, dict[str, Any]]:
    """Fit on validation records what makes the answers of each task honest.

    A task that joins inputs is sure of less when some are missing. It gets a calibration for each
    set of missing inputs, under `without`, from records that lack them, and from records with all
    inputs as the model sees them without those.
    """
    found: dict[str, dict[str, Any]] = {}
    for model, names in passes:
        whole, fewer = _whole(model, prepared, rows, names), _fewer(model, prepared, rows, names)
        for name, by in whole.items():
            found[name] = _calibrated(model.tasks[name], by, fewer.get(name, {}))
    return found


def _calibrated(task: Task, whole: By, fewer: By) -> dict[str, Any]:
    every = [pairs for some in whole.values() for pairs in some]
    complete = whole.get((), [])
    known = _fitted(task, complete if _num_records(complete) >= FEWEST else every)
    lacking = {
        missing: [*whole.get(missing, []), *fewer.get(missing, [])]
        for missing in dict.fromkeys([*fewer, *whole])
        if missing
    }
    fits = {named(m): _fitted(task, p) for m, p in lacking.items() if _num_records(p) >= FEWEST}
    return {**known, "without": fits} if fits else known


def _num_records(found: Sequence[Pairs]) -> int:
    return sum(pairs.num_records for pairs in found)


def _fitted(task: Task, found: Sequence[Pairs]) -> dict[str, float]:
    _, scores, targets = zip(*found, strict=True)
    return task.calibrate(torch.cat(scores), torch.cat(targets))


def _whole(
    model: Model, prepared: Prepared, rows: np.ndarray, names: Sequence[str]
) -> dict[str, By]:
    """Return scores and targets by task and by what each record lacks of what the task joins."""
    found: dict[str, By] = {}
    for part in scored(model, prepared, rows, tasks=names, labeled=True):
        by = found.setdefault(part.task, {})
        groups = {(): np.arange(len(part.rows))}
        if part.task in model.fused:
            groups = by_missing(prepared, part.rows)
        for missing, places in groups.items():
            some = Scored(part.task, part.rows[places], part.scores[places])
            by.setdefault(missing, []).append(_pairs(model, prepared, some))
    return found


def _fewer(
    model: Model, prepared: Prepared, rows: np.ndarray, names: Sequence[str]
) -> dict[str, By]:
    """Return scores and targets of records with all inputs by what is hidden of them."""
    found: dict[str, By] = {}
    fused = [name for name in names if name in model.fused]
    parts: Iterator[Any] = scored_by_subset(model, prepared, rows, tasks=fused)
    for some, part in parts if fused else ():
        missing = without(list(model.inputs), some)
        if missing:
            by = found.setdefault(part.task, {})
            by.setdefault(missing, []).append(_pairs(model, prepared, part))
    return found


def _pairs(model: Model, prepared: Prepared, part: Scored) -> Pairs:
    targets = prepared.target(part.task, part.rows).cpu()
    return Pairs(len(part.rows), *model.tasks[part.task].flat(part.scores, targets))
