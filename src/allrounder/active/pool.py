"""Everything that can be asked, and what is known of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from allrounder.active.vectors import Vectors
from allrounder.records.keys import unit
from allrounder.tasks import Task


@dataclass(frozen=True)
class Pool:
    """Records that differ in content, each once.

    Args:
        keys: a hash of the content of each.
        splits: the split of each, as a place in `SPLITS`.
        tasks: what can be asked.
        has: by task, which records have what it reads.
        vectors: by task, what frozen encoders say of each record.
    """

    keys: np.ndarray
    splits: np.ndarray
    tasks: Mapping[str, Task]
    has: Mapping[str, np.ndarray]
    vectors: Mapping[str, Vectors]

    def __len__(self) -> int:
        return len(self.keys)

    def order(self, seed: int) -> np.ndarray:
        """Return all places in an order by chance, which follows the content of records alone."""
        return np.argsort(unit(self.keys, seed), kind="stable")


@dataclass
class Known:
    """What is known of a pool, and what was asked.

    Args:
        labels: by task, the label of each place that has one.
        opened: which records a person has read.
        closed: by task, places that are not asked again, such as those that were skipped.
    """

    labels: dict[str, dict[int, Any]]
    opened: np.ndarray
    closed: dict[str, set[int]] = field(default_factory=dict)

    @classmethod
    def nothing(cls, pool: Pool) -> "Known":
        """Return what is known before the first label."""
        return cls({name: {} for name in pool.tasks}, np.zeros(len(pool), bool))

    def tell(self, task: str, places: Sequence[int] | np.ndarray, labels: Sequence[Any]) -> None:
        """Take in labels of a task."""
        self.labels[task].update(zip(map(int, places), labels, strict=True))
        self.opened[places] = True

    def places(self, task: str) -> np.ndarray:
        """Return the places that have a label of a task, rising."""
        return np.array(sorted(self.labels[task]), dtype=np.int64)

    def distinct(self, task: str, among: np.ndarray) -> int:
        """Return how many different labels some places have."""
        return len({str(self.labels[task][int(place)]) for place in among})

    def may(self, pool: Pool, task: str, split: int) -> np.ndarray:
        """Return which records of a split may be asked: a mask over the pool."""
        may = pool.has[task] & (pool.splits == split)
        may[list(self.labels[task])] = False
        may[list(self.closed.get(task, ()))] = False
        return may

    def open(self, pool: Pool, task: str, order: np.ndarray, split: int) -> np.ndarray:
        """Return the places of a split that may be asked, in the order of `order`."""
        return order[self.may(pool, task, split)[order]]
