"""Which records each epoch shows, and in which batches."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from allrounder.errors import DataError, listed
from allrounder.model import Prepared
from allrounder.training.sampling import draw
from allrounder.training.settings import Training

POOL = 50
"""Batches' worth of records that are sorted by length together."""


class Sizes(Protocol):
    """How much a batch may hold."""

    batch_records: int
    batch_tokens: int


@dataclass
class Epochs:
    """The batches of every epoch: a function of seed, epoch and the tasks that train, no more.

    Args:
        prepared: the tokens and targets.
        rows: the training rows.
        settings: the `training` section.
        sources: the number of the source of every record; by default all are of one.
    """

    prepared: Prepared
    rows: np.ndarray
    settings: Training
    sources: np.ndarray | None = None
    lengths: np.ndarray = field(init=False)

    def __post_init__(self) -> None:
        self.lengths = self.prepared.lengths()

    @property
    def tasks(self) -> list[str]:
        """The tasks by name."""
        return list(self.prepared.model.tasks)

    def batches(self, epoch: int, labeled: Mapping[str, np.ndarray]) -> list[np.ndarray]:
        """Return the batches of one epoch.

        Args:
            epoch: counted from 0.
            labeled: by task that trains, which of the training rows it is shown.
        """
        rng = np.random.default_rng([self.settings.seed, epoch])
        groups = self._groups(labeled)
        counts = self._counts(groups, epoch)
        return grouped(draw(groups, counts, rng), self.lengths, self.settings, rng)

    def _counts(self, groups: Sequence[np.ndarray], epoch: int) -> np.ndarray:
        last = max(1, int(np.ceil(self.settings.epochs)) - 1)
        done = min(1.0, epoch % (last + 1) / last)
        return self.settings.sampling.counts(np.array([len(group) for group in groups]), done)

    def _groups(self, labeled: Mapping[str, np.ndarray]) -> list[np.ndarray]:
        """Return the rows by source and the tasks that see them; rows of none are left out."""
        known = np.stack(list(labeled.values()), axis=1)
        rows, known = self.rows[known.any(axis=1)], known[known.any(axis=1)]
        keys = np.packbits(known, axis=1)
        if self.sources is not None:
            keys = np.column_stack([self.sources[rows], keys])
        _, group = np.unique(keys, axis=0, return_inverse=True)
        return [rows[group == number] for number in range(group.max() + 1)]

    def visits(self) -> dict[str, float]:
        """Return how often labels of each task are shown in the whole of training."""
        labeled = self.prepared.shown(self.rows, self.tasks)
        groups = self._groups(labeled)
        of = {name: [labeled[name][np.searchsorted(self.rows, g[0])] for g in groups]
              for name in self.tasks}  # fmt: skip
        found = dict.fromkeys(self.tasks, 0.0)
        for epoch in range(int(np.ceil(self.settings.epochs))):
            counts = self._counts(groups, epoch) * min(1.0, self.settings.epochs - epoch)
            for name in self.tasks:
                found[name] += float(counts[of[name]].sum())
        return found

    def check(self) -> None:
        """Refuse a sampling that never shows a label of some task."""
        if not self.settings.epochs:
            return
        known = self.prepared.shown(self.rows, self.tasks)
        never = [n for n, count in self.visits().items() if not count and known[n].any()]
        if never:
            raise DataError(
                f"`training.sampling` ({self.settings.sampling.kind_name()}) never draws a record "
                f"with a label of {listed(never)}: its group is too small beside the others. "
                "Lower alpha or set a cap."
            )


def grouped(
    rows: np.ndarray, lengths: np.ndarray, settings: Training, rng: np.random.Generator
) -> list[np.ndarray]:
    """Cut `rows`, in random order, into batches of records of similar length, in random order.

    Every `POOL` batches' worth is sorted by length and cut where a batch would have more than
    `batch_records` records or `batch_tokens` tokens; so hardly anything is padded.
    """
    batches = []
    size = POOL * settings.batch_records
    for start in range(0, len(rows), size):
        pool = rows[start : start + size]
        pool = pool[np.argsort(lengths[pool], kind="stable")]
        batches += cut(pool, lengths, settings)
    return [batches[i] for i in rng.permutation(len(batches))]


def cut(pool: np.ndarray, lengths: np.ndarray, settings: Sizes) -> list[np.ndarray]:
    """Cut rows that are sorted by length into batches of `batch_records` and `batch_tokens`."""
    batches, start = [], 0
    for stop in range(1, len(pool) + 1):
        size = stop - start
        full = size == settings.batch_records
        if not full and stop < len(pool):
            full = lengths[pool[stop]] * (size + 1) > settings.batch_tokens
        if full or stop == len(pool):
            batches.append(pool[start:stop])
            start = stop
    return batches
