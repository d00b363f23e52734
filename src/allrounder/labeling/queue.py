"""Which records a person is asked about next, and which of their tasks."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from allrounder.labeling.board import Board
from allrounder.labeling.locks import Locks
from allrounder.labeling.pool import Pool, in_pool
from allrounder.ledger import Answer, Question
from allrounder.records.keys import mixed

SALT = 7
"""Of the random order; the same on every machine."""

TRIES = 5
"""How often a page that lost records to another server looks for others at once."""

Asked = tuple[str, Question | None]
"""A task, and the question that asks for it where one was chosen."""


class Queue:
    """The latest batch of questions in its order, then all other records in a random order.

    Args:
        pool: the records.
        board: what was said.
        locks: who holds which records.
        tasks: the tasks that can be asked.
        overlap: how many persons are to answer each question.
    """

    def __init__(
        self, pool: Pool, board: Board, locks: Locks, tasks: Sequence[str], overlap: int
    ) -> None:
        self.pool, self.board, self.locks = pool, board, locks
        self.tasks, self.overlap = list(tasks), overlap
        self.missing = {task: self._missing(task) for task in tasks}
        self.num_missing = {task: int(found.sum()) for task, found in self.missing.items()}
        some = np.logical_or.reduce(list(self.missing.values()))
        order = np.argsort(mixed(pool.keys, SALT), kind="stable")
        self.order = order[some[order]]
        self.at = np.full(len(pool), -1, np.int64)
        self.at[self.order] = np.arange(len(self.order))
        self.questions: dict[int, Question] = {}
        self.batch: dict[str, dict[str, Question]] = {}
        self.latest = 0
        self._batch_name: str | None = None
        self._starts: dict[str, int] = defaultdict(int)

    def add(self, questions: Iterable[Question]) -> None:
        """Take in new questions; those of the latest batch are asked first."""
        for one in questions:
            self.latest = max(self.latest, one.number)
            self.questions[one.number] = one
            if one.arm == "repeat":
                continue
            if one.batch != self._batch_name:
                self._batch_name, self.batch = one.batch, {}
            if one.task in self.missing and self.pool.place(one.key) is not None:
                self.batch.setdefault(one.key, {})[one.task] = one

    def reopen(self, events: Iterable[Answer]) -> None:
        """Look again at records of which something was undone."""
        for one in events:
            place = self.pool.place(one.key) if one.act == "undo" else None
            if place is not None and self.at[place] >= 0:
                for who, start in self._starts.items():
                    self._starts[who] = min(start, int(self.at[place]))

    def open(self, key: str, who: str) -> list[Asked]:
        """Return what a person can be asked about a record: what was chosen, else what lacks."""
        chosen = [(task, one) for task, one in self.batch.get(key, {}).items()]
        if found := [one for one in chosen if self._is_open(key, one[0], who)]:
            return found
        place = self.pool.place(key)
        lacks = [task for task in self.tasks if self.missing[task][place]]
        return [(task, None) for task in lacks if self._is_open(key, task, who)]

    def disputes(self, key: str) -> list[Asked]:
        """Return the tasks of a record that a reviewer should settle."""
        return [(task, None) for task in self.tasks if (key, task) in self.board.disputed]

    def take(
        self, who: str, tab: str, *, have: Sequence[str], want: Sequence[str], n: int
    ) -> tuple[list[str], list[str]]:
        """Keep records for a page; return those that are new to it and those it must drop.

        Args:
            who: the person.
            tab: the page.
            have: what it shows or is about to show.
            want: what it showed before it was loaded anew.
            n: how many it should have in all.
        """
        for _ in range(TRIES):
            kept = [key for key in in_pool(self.pool, have) if self._keep(key, who, tab)]
            news: list[str] = []
            for key in self._candidates(who, tab, want):
                if len(kept) + len(news) >= n:
                    break
                if key not in have and key not in news and self._keep(key, who, tab):
                    news.append(key)
            if not (lost := self.locks.save()):
                break
        gone = [key for key in have if key not in kept or key in lost]
        return [key for key in news if key not in lost], gone

    @property
    def num_asked(self) -> tuple[int, int]:
        """How many questions of the latest batch were answered, and how many there are."""
        pairs = [(key, task) for key, asked in self.batch.items() for task in asked]
        return sum(pair in self.board.standing for pair in pairs), len(pairs)

    def _missing(self, task: str) -> np.ndarray:
        """Return which records have no label of a task, those included that people labelled."""
        missing = self.pool.missing(task)
        for key, name in self.board.standing:
            if name == task and (place := self.pool.place(key)) is not None:
                missing[place] = True
        return missing

    def _is_open(self, key: str, task: str, who: str) -> bool:
        return self.board.is_open((key, task), who, self.overlap)

    def _keep(self, key: str, who: str, tab: str) -> bool:
        """Keep a record for a page if there is something to ask, and nobody else is to."""
        others = len(self.locks.others(key, who))
        has_room = any(
            self.board.num_said((key, task), but=who) + others < self.overlap
            for task, _ in self.open(key, who)
        )
        return has_room and self.locks.take(key, who, tab)

    def _candidates(self, who: str, tab: str, want: Sequence[str]) -> Iterator[str]:
        yield from in_pool(self.pool, [*want, *self.locks.held(who, tab)])
        yield from self.batch
        start = self._starts[who]
        while start < len(self.order) and not self.open(self._key(start), who):
            start += 1
        self._starts[who] = start
        yield from (self._key(at) for at in range(start, len(self.order)))

    def _key(self, at: int) -> str:
        return self.pool.key(int(self.order[at]))
