"""A task past its best is held at its best: the snapshot teaches the head that goes on."""

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from allrounder.model import Model, Prepared, scored
from allrounder.model.prepared import Recalled, Taught
from allrounder.training.job import fill


def held_rows(known: np.ndarray, share: float, chance: Sequence[int]) -> np.ndarray:
    """Return the rows that keep a stopped task where it is: a fixed random share, at least one."""
    count = int(np.ceil(share * len(known)))
    return np.sort(np.random.default_rng(chance).choice(known, count, replace=False))


def teach(
    prepared: Prepared, task: str, rows: np.ndarray, weights: Mapping[str, Tensor] | None = None
) -> None:
    """Note what the model says of `rows`, so that training keeps the task to it.

    Args:
        prepared: the records and the model.
        task: the task.
        rows: records that have what the task reads; labels are not needed.
        weights: those of the snapshot that teaches; by default those of the model as it is.
    """
    model = prepared.model
    if model.tasks[task].reads == "states":
        known = rows[prepared.targets[task].known(rows)]
        place = np.full(len(prepared), -1)
        place[known] = np.arange(len(known))
        prepared.teachers[task] = Recalled(place, prepared, task)
        return
    named = dict(model.named_parameters())
    now = {name: named[name].detach().clone() for name in weights or {}}
    fill(model, weights or {})
    try:
        prepared.teachers[task] = said_by(model, prepared, task, rows)
    finally:
        fill(model, now)


def said_by(model: Model, prepared: Prepared, task: str, rows: np.ndarray) -> Taught:
    """Return the scores of a task for rows that have what it reads."""
    place = np.full(len(prepared), -1)
    values: list[Tensor] = []
    training = model.training
    for part in scored(model, prepared, rows, tasks=[task]):
        place[part.rows] = np.arange(len(values), len(values) + len(part.rows))
        if model.tasks[task].reads != "tokens":
            values += part.scores.unbind()
        else:
            pairs = zip(part.scores.values, part.scores.records, strict=True)
            values += [line[: len(record.offsets)].clone() for line, record in pairs]
    model.train(training)
    if model.tasks[task].reads != "tokens" and values:
        return Taught(place, torch.stack(values))
    return Taught(place, values)
