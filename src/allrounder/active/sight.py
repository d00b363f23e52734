"""The pool as one task sees it: what a strategy is given."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import numpy as np

from allrounder.active.base import CANDIDATES
from allrounder.active.learner import Learner
from allrounder.active.vectors import Vectors
from allrounder.tasks import Task

LISTENED_TO = 2_000
"""Records that a run is asked about, where heads on vectors cannot say it."""

LEARNED_FROM = 10_000
"""Labels, by chance, that heads which choose are fitted on where there are more."""

Measure = Callable[[np.ndarray], np.ndarray]
"""How unsure decisions are, from how likely their options are: [n, O] → [n]."""


class Voice(Protocol):
    """The latest run, as strategies ask it."""

    def unsure(self, task: str, places: np.ndarray, measure: Measure) -> np.ndarray:
        """Return how unsure it is of the tokens of each record, on average."""
        ...

    def broken(self, task: str, places: np.ndarray) -> np.ndarray:
        """Return how much rules have to do with what it answers to each record."""
        ...


@dataclass
class Sight:
    """The pool as one task sees it.

    Args:
        name: of the task.
        task: the task.
        vectors: what frozen encoders say of every record of the pool.
        open: the places of records that may be asked, in an order that chance made.
        opened: which of these were read for another task before.
        known: the places of records with a label, up to `LEARNED_FROM` of them.
        labels: their labels.
        voice: the latest run, if one knows the task.
    """

    name: str
    task: Task
    vectors: Vectors
    open: np.ndarray
    opened: np.ndarray
    known: np.ndarray
    labels: Sequence[Any]
    voice: Voice | None = None

    @cached_property
    def learner(self) -> Learner:
        """The task, learned from the labels that are there."""
        return Learner.fit(self.task, self.vectors[self.known], self.labels)

    def over(self, say: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
        """Return what `say` makes of the vectors of all records that may be asked: [n].

        They are read part by part in the order in which they lie on disk.
        """
        rising = np.sort(self.open)
        parts = [say(vectors) for vectors in self.vectors.parts(rising)]
        if not parts:
            return np.zeros(0)
        by_place = np.empty(rising[-1] + 1)
        by_place[rising] = np.concatenate(parts)
        return by_place[self.open]

    def unsure(self, measure: Measure, seed: int) -> np.ndarray:
        """Return how unsure the model is of each record that may be asked.

        Args:
            measure: how unsure decisions are: [n, O] → [n].
            seed: of the dropout by which numbers are measured.
        """
        if self.task.reads == "tokens":
            assert self.voice is not None, "the planner asks no task of tokens without a run"
            return self.voice.unsure(self.name, self.open, measure)
        return self.over(lambda vectors: self._unsure(vectors, measure, seed))

    def _unsure(self, vectors: np.ndarray, measure: Measure, seed: int) -> np.ndarray:
        decisions = self.learner.chances(vectors)
        if not decisions:
            return self.learner.spread(vectors, seed)
        return np.max([measure(chances) for chances in decisions], axis=0)

    def best(self, scores: np.ndarray, n: int) -> np.ndarray:
        """Return the places in `open` of the n highest scores, the highest first."""
        if n < len(scores):
            some = np.sort(np.argpartition(-scores, n)[:n])
        else:
            some = np.arange(len(scores))
        return some[np.argsort(-scores[some], kind="stable")]

    @property
    def candidates(self) -> np.ndarray:
        """The places in the pool of up to `CANDIDATES` records that may be asked, by chance."""
        return self.open[:CANDIDATES]
