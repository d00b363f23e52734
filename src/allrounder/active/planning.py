"""Which questions to ask next: one queue a task over one pool, and a share at random."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np

from allrounder.active.base import Strategy
from allrounder.active.learner import Learner
from allrounder.active.pool import Known, Pool
from allrounder.active.sight import LEARNED_FROM, LISTENED_TO, Sight, Voice
from allrounder.active.strategies.random import Random
from allrounder.records import SPLITS

TRAIN = SPLITS.index("train")

Arm = Literal["chosen", "random"]


@dataclass(frozen=True)
class Asked:
    """A question: one task of one record.

    Args:
        place: of the record in the pool.
        task: the task.
        arm: whether a strategy chose it, or chance.
        strategy: the kind that chose it.
        score: how much it was wanted.
        probability: how likely it was to be drawn, where chance chose it.
    """

    place: int
    task: str
    arm: Arm
    strategy: str
    score: float | None = None
    probability: float | None = None


@dataclass
class Planner:
    """Chooses questions.

    Args:
        pool: what can be asked.
        known: what is known; it is not changed.
        strategy: what chooses once a task has labels.
        start: what chooses before.
        switched_off: tasks that are asked at random, since choosing lost to chance.
        voices: by task that the latest run answers, that run.
    """

    pool: Pool
    known: Known
    strategy: Strategy
    start: Strategy
    switched_off: frozenset[str] = frozenset()
    voices: Mapping[str, Voice] = field(default_factory=dict)
    _heads: dict[str, Learner] = field(default_factory=dict, init=False)

    def questions(self, n: int, *, turn: int = 0) -> list[Asked]:
        """Return up to n questions, those of one record side by side.

        Args:
            n: how many.
            turn: how many questions were asked before, so that chance draws anew.
        """
        rng = np.random.default_rng([self.strategy.seed, turn])
        order = self.pool.order(self.strategy.seed * 1_000_003 + turn)
        num_random = int((rng.random(n) < self.strategy.random_share).sum())
        drawn = list(self._drawn(num_random, order, rng))
        taken = {(one.place, one.task) for one in drawn}
        chosen = self._chosen(n - len(drawn), order, taken)
        return _together([*chosen, *drawn])

    def warm(self, task: str) -> bool:
        """Return whether a task has a model to choose by: a run, or labels enough for a head."""
        reads = self.pool.tasks[task].reads
        if self.strategy.needs_run or (reads == "tokens" and self.strategy.reads_tokens):
            return task in self.voices
        return reads == "record" and self.has_head(task)

    def has_head(self, task: str) -> bool:
        """Return whether a task has labels enough for a head to be fitted on vectors."""
        places = self.trained(task)
        few = len(places) < max(self.strategy.start_n, 2)
        return not few and self.known.distinct(task, places) > 1

    def head(self, task: str) -> Learner:
        """Return a head fitted on the labels of a task: that which chose, if one did."""
        if task not in self._heads:
            order = self.pool.order(self.strategy.seed)
            self._heads[task] = self.sight(task, order, self.known.opened).learner
        return self._heads[task]

    def sight(self, task: str, order: np.ndarray, opened: np.ndarray) -> Sight:
        """Return the pool as one task sees it."""
        places = order[np.isin(order, self.trained(task))][:LEARNED_FROM]
        may = self.known.open(self.pool, task, order, TRAIN)
        if self._listens(task):
            may = may[:LISTENED_TO]
        return Sight(
            name=task,
            task=self.pool.tasks[task],
            vectors=self.pool.vectors[task],
            open=may,
            opened=opened[may],
            known=places,
            labels=[self.known.labels[task][int(place)] for place in places],
            voice=self.voices.get(task),
        )

    def _listens(self, task: str) -> bool:
        """Return whether the run is asked about every record that may be asked."""
        tokens = self.pool.tasks[task].reads == "tokens"
        return self._has_model(task) and (self.strategy.needs_run or tokens)

    def trained(self, task: str) -> np.ndarray:
        """Return the places of training records with a label of a task, rising."""
        places = self.known.places(task)
        return places[self.pool.splits[places] == TRAIN]

    def _chosen(self, n: int, order: np.ndarray, taken: set[tuple[int, str]]) -> list[Asked]:
        """Return what strategies choose: for tasks without labels the same records."""
        cold = [name for name in self.pool.tasks if not self._has_model(name)]
        warm = [name for name in self.pool.tasks if name not in cold]
        shares = dict(zip(self._by_need(), _shares(n, len(self.pool.tasks)), strict=True))
        opened = self.known.opened.copy()
        for place, _ in taken:
            opened[place] = True
        found = list(self._first(cold, sum(shares[name] for name in cold), order, taken))
        opened[[one.place for one in found]] = True
        for name in sorted(warm, key=list(shares).index):
            some = list(self._of_task(name, shares[name], order, opened, taken))
            opened[[one.place for one in some]] = True
            found += some
        return found

    def _has_model(self, task: str) -> bool:
        return not self.strategy.needs_model or self.warm(task)

    def _by_need(self) -> list[str]:
        """Return the tasks, that with the fewest labels first."""
        return sorted(self.pool.tasks, key=lambda name: len(self.known.labels[name]))

    def _first(
        self, tasks: Sequence[str], n: int, order: np.ndarray, taken: set[tuple[int, str]]
    ) -> Iterator[Asked]:
        """Yield questions about the same records for all tasks that have too few labels."""
        for together in _alike(tasks, self.pool) if n else ():
            quota = [(name, n // len(tasks) + (at < n % len(tasks))) for at, name in
                     enumerate(together)]  # fmt: skip
            sight = self.sight(together[0], order, self.known.opened)
            found = self.start.choose(sight, max(size for _, size in quota))
            for name, size in quota:
                may = self.known.may(self.pool, name, TRAIN)
                for place, score in list(zip(*found, strict=True))[:size]:
                    if may[place] and (int(place), name) not in taken:
                        yield self._asked(place, name, self.start, score)

    def _of_task(
        self,
        task: str,
        n: int,
        order: np.ndarray,
        opened: np.ndarray,
        taken: set[tuple[int, str]],
    ) -> Iterator[Asked]:
        sight = self.sight(task, order, opened)
        mine = [place for place, name in taken if name == task]
        free = ~np.isin(sight.open, mine)
        sight = replace(sight, open=sight.open[free], opened=sight.opened[free])
        strategy = Random() if task in self.switched_off else self.strategy
        if not n or not len(sight.open):
            return
        found = strategy.choose(sight, n)
        if "learner" in vars(sight):
            self._heads[task] = sight.learner
        for place, score in zip(found.places, found.scores, strict=True):
            yield self._asked(place, task, strategy, score)

    def _asked(self, place: int, task: str, strategy: Strategy, score: float) -> Asked:
        return Asked(int(place), task, "chosen", strategy.kind_name(), round(float(score), 6))

    def _drawn(self, n: int, order: np.ndarray, rng: np.random.Generator) -> Iterator[Asked]:
        """Yield questions drawn at random, each from the split that has the fewest labels.

        Validation and test get their labels here; of training records they show what chance gives.
        """
        counts, taken = self._counts(), set[tuple[int, str]]()
        drawn: dict[tuple[str, int], list[int]] = {}
        for _ in range(n):
            left = [(count, task, split) for (task, split), count in counts.items()]
            for _, task, split in sorted(left, key=lambda one: (one[0], rng.random())):
                drawn.setdefault((task, split), []).append(1)
                counts[task, split] += 1
                break
        for (task, split), ones in drawn.items():
            may = self.known.open(self.pool, task, order, split)
            some = rng.choice(may, min(len(ones), len(may)), replace=False)
            taken.update((int(place), task) for place in some)
            for place in some:
                probability = round(len(some) / len(may), 9)
                yield Asked(int(place), task, "random", "random", None, probability)

    def _counts(self) -> dict[tuple[str, int], int]:
        """Return how many labels each task has in each split that has more to ask about."""
        found = {}
        for name in self.pool.tasks:
            labeled = self.pool.splits[self.known.places(name)]
            for split in range(len(SPLITS)):
                if self.known.may(self.pool, name, split).any():
                    found[name, split] = int((labeled == split).sum())
        return found


def _shares(n: int, parts: int) -> list[int]:
    """Return n in whole parts as even as can be, the larger ones first."""
    return [n // parts + (at < n % parts) for at in range(parts)] if parts else []


def _alike(tasks: Sequence[str], pool: Pool) -> Iterator[list[str]]:
    """Yield the tasks in groups that read the same inputs."""
    groups: dict[int, list[str]] = {}
    for name in tasks:
        groups.setdefault(id(pool.vectors[name]), []).append(name)
    yield from groups.values()


def _together(found: Sequence[Asked]) -> list[Asked]:
    """Return questions with those of one record side by side, where its first one stood."""
    first: dict[int, int] = {}
    for at, one in enumerate(found):
        first.setdefault(one.place, at)
    return sorted(found, key=lambda one: first[one.place])
