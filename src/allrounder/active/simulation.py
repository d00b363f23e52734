"""Replaying labels that are there, to compare strategies before money is spent."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from allrounder.active.base import Strategy
from allrounder.active.learner import Learner
from allrounder.active.planning import Planner
from allrounder.active.pool import Known, Pool

Judge = Callable[[str, list[Any], list[Any]], float]
"""The score of a task, from true labels and answers."""


@dataclass(frozen=True)
class Step:
    """Where one replay stood after a round.

    Args:
        asked: questions answered so far.
        read: records opened so far.
        scores: by task, the metric on the records that judge.
    """

    asked: int
    read: int
    scores: Mapping[str, float]


@dataclass(frozen=True)
class Stage:
    """A pool all of whose labels are there, to be asked for one by one.

    Args:
        pool: what can be asked.
        truth: the labels; what has none is not asked.
        judge: how answers are scored.
        judged: by task, the places that judge.
    """

    pool: Pool
    truth: Known
    judge: Judge
    judged: Mapping[str, np.ndarray]

    def replayed(
        self, strategy: Strategy, start: Strategy, *, rounds: int, n: int
    ) -> Iterator[Step]:
        """Yield how good heads are after every round of questions.

        Args:
            strategy: what chooses.
            start: what chooses while a task has too few labels.
            rounds: how many, at most.
            n: questions of a round.
        """
        known, asked = self._unasked(), 0
        for _ in range(rounds):
            planner = Planner(self.pool, known, strategy, start)
            questions = planner.questions(n, turn=asked)
            if not questions:
                return
            for one in questions:
                known.tell(one.task, [one.place], [self.truth.labels[one.task][one.place]])
            asked += len(questions)
            yield Step(asked, int(known.opened.sum()), self.scores(known))

    def _unasked(self) -> Known:
        known = Known.nothing(self.pool)
        for name in self.pool.tasks:
            known.closed[name] = set(range(len(self.pool))) - set(self.truth.labels[name])
        return known

    def scores(self, known: Known) -> dict[str, float]:
        """Return the score of each task by a head fitted on what is known; 0 without one."""
        return {name: self._score(known, name) for name in self.pool.tasks}

    def _score(self, known: Known, name: str) -> float:
        places, judged = known.places(name), self.judged[name]
        if known.distinct(name, places) < 2:
            return 0.0
        labels = [known.labels[name][int(place)] for place in places]
        vectors = self.pool.vectors[name]
        learner = Learner.fit(self.pool.tasks[name], vectors[places], labels)
        truths = [self.truth.labels[name][int(place)] for place in judged]
        return self.judge(name, truths, learner.answers(vectors[judged]))
