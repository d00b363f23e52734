"""A pool from records: which rows differ, what can be asked of them, what is known."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa
import torch

from allrounder.active.pool import Known, Pool
from allrounder.active.vectors import Vectors
from allrounder.encoders import Encoder
from allrounder.errors import ProjectError, did_you_mean, listed
from allrounder.model import Model
from allrounder.records import Records
from allrounder.tasks import Task
from allrounder.training.job import kept_chance

Table = Any
"""Vectors by place: an array, or blocks of one."""


@dataclass(frozen=True)
class Gathered:
    """Which records are the pool.

    Args:
        rows: of the records, the first of each content.
        keys: a hash of that content, rising.
        place: by row of the records, its place in the pool.
    """

    rows: np.ndarray
    keys: np.ndarray
    place: np.ndarray

    @classmethod
    def of(cls, records: Records) -> "Gathered":
        """Take each content once, where it first stands."""
        found, first, place = np.unique(
            records.numbers("key"), return_index=True, return_inverse=True
        )
        order = np.argsort(first, kind="stable")  # as they lie on disk
        back = np.empty_like(order)
        back[order] = np.arange(len(order))
        return cls(first[order], found[order], back[place])

    def places(self, keys: np.ndarray) -> np.ndarray:
        """Return the place of each key, or -1 where no record has it."""
        order = np.argsort(self.keys, kind="stable")
        at = np.searchsorted(self.keys[order], keys).clip(max=max(0, len(order) - 1))
        found = order[at] if len(order) else np.full(len(keys), -1)
        return np.where(self.keys[found] == keys, found, -1) if len(order) else found


def still(inputs: Mapping[str, Encoder], records: Records, rows: np.ndarray) -> dict[str, Encoder]:
    """Return encoders that learn nothing more, with what only the records can tell."""
    found = {}
    for name, encoder in inputs.items():
        if encoder.learned:
            fields = [records.values(field) for field in encoder.fields or []]
            encoder = encoder.learn([column.take(rows) for column in fields])
        fixed = {"tune": "frozen"} if hasattr(encoder, "tune") else {}
        plain = {"augment": False} if hasattr(encoder, "augment") else {}
        found[name] = replace(encoder, **fixed, **plain)
    return found


def asked_tasks(tasks: Mapping[str, Task], names: Sequence[str] | None) -> dict[str, Task]:
    """Return the tasks that people are asked.

    Raises:
        ProjectError: one is not there, or its labels are made from the records.
    """
    free = {name: task for name, task in tasks.items() if not task.makes_labels}
    for name in names or []:
        if name not in free:
            why = "makes its labels from the records" if name in tasks else "is not there"
            raise ProjectError(
                f"`active.tasks`: {name!r} {why}.{did_you_mean(name, free)} People can be asked: "
                f"{listed(free)}."
            )
    if not free:
        raise ProjectError("No task can be asked: all of them make their labels from the records.")
    return {name: free[name] for name in names or free}


def pool_of(
    records: Records,
    gathered: Gathered,
    tasks: Mapping[str, Task],
    inputs: Mapping[str, Encoder],
    said: Mapping[str, Table],
) -> Pool:
    """Return the pool.

    Args:
        records: the records.
        gathered: which of them.
        tasks: what is asked.
        inputs: the encoders by input.
        said: by input, what its encoder says of each record.
    """
    groups: dict[tuple[str, ...], Vectors] = {}
    there = {
        name: _there(records, encoder, name)[gathered.rows] for name, encoder in inputs.items()
    }
    reading = {name: tuple(task.reading(inputs)) for name, task in tasks.items()}
    for names in reading.values():
        if names not in groups:
            groups[names] = Vectors.of([said[name] for name in names])
    return Pool(
        keys=gathered.keys,
        splits=records.numbers("split")[gathered.rows],
        tasks=dict(tasks),
        has={n: np.any([there[i] for i in names], axis=0) for n, names in reading.items()},
        vectors={name: groups[names] for name, names in reading.items()},
    )


def _there(records: Records, encoder: Encoder, name: str) -> np.ndarray:
    """Return which records have an input."""
    fields = encoder.fields or [name]
    return np.any([np.asarray(records.values(field).is_valid()) for field in fields], axis=0)


def known_of(records: Records, gathered: Gathered, pool: Pool) -> Known:
    """Return the labels that records carry; of two for one content the last one."""
    known = Known.nothing(pool)
    for name in pool.tasks:
        rows = records.indices(task=name)
        labels = records.labels(name).take(pa.array(rows)).to_pylist()
        known.labels[name] = dict(zip(gathered.place[rows].tolist(), labels, strict=True))
    return known


def model_of(
    inputs: Mapping[str, Encoder], records: Records, rows: np.ndarray, *, precision: Any
) -> Model:
    """Return the encoders as they came; what begins at random begins the same each time."""
    with kept_chance():
        torch.manual_seed(0)
        return Model(still(inputs, records, rows), {}, precision=precision).eval()
