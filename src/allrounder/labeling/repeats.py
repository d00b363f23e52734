"""Records that people are asked about again, which shows how far they agree with themselves."""

import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

from allrounder.labeling.board import Board
from allrounder.labeling.pool import Pool
from allrounder.ledger import Answer, Question

ARM = "repeat"

APART = 50
"""Records that somebody has labelled since before one is asked about again."""

SECONDS = 600.0
"""The time that has to lie between, too."""


class Repeats:
    """Who is asked about what again.

    Args:
        pool: the records.
        board: what was said.
        tasks: the tasks that can be asked.
        share: how many of a person's records are ones that she labelled before.
        now: the clock, in seconds since 1970.
    """

    def __init__(
        self,
        pool: Pool,
        board: Board,
        tasks: Sequence[str],
        share: float,
        now: Callable[[], float],
    ) -> None:
        self.pool, self.board, self.tasks = pool, board, list(tasks)
        self.share, self.now = share, now
        self._asked: dict[str, dict[str, list[Question]]] = defaultdict(dict)
        self._labelled: dict[str, dict[str, None]] = defaultdict(dict)

    def add(self, questions: Iterable[Question]) -> None:
        """Take in what was asked again."""
        for one in questions:
            who = one.why.get("who")
            is_ours = one.task in self.tasks and self.pool.place(one.key) is not None
            if one.arm == ARM and isinstance(who, str) and is_ours:
                self._asked[who].setdefault(one.key, []).append(one)

    def heard(self, events: Iterable[Answer]) -> None:
        """Take in what was said: which records a person has labelled, in order."""
        for one in events:
            if one.act == "label":
                self._labelled[one.who][one.key] = None

    def pending(self, who: str) -> dict[str, list[Question]]:
        """Return by record what a person was asked again and has not answered yet."""
        found = {}
        for key, questions in self._asked.get(who, {}).items():
            if left := [one for one in questions if not self._is_answered(one, who)]:
                found[key] = left
        return found

    def due(self, who: str) -> list[Question]:
        """Return the questions on a record that a person should be asked about again now."""
        labelled, asked = self._labelled.get(who, {}), self._asked.get(who, {})
        far = len(labelled) - APART
        if not self.share or len(asked) >= int(self.share * far) or self.pending(who):
            return []
        for key in sorted(list(labelled)[:far], key=lambda key: _chance(key, who)):
            if key not in asked and (found := self._questions(key, who)):
                return found
        return []

    def _questions(self, key: str, who: str) -> list[Question]:
        """Return a question for every task of a record that a person has labelled long ago."""
        if self.pool.place(key) is None:
            return []
        own = [(task, self.board.said_by((key, task), who)) for task in self.tasks]
        said = [(task, one) for task, one in own if one is not None and one.act == "label"]
        if not said or any(self.now() - _moment(one.created) < SECONDS for _, one in said):
            return []
        why: dict[str, Any] = {"who": who}
        return [Question(key=key, task=task, arm=ARM, strategy=ARM, why=why) for task, _ in said]

    def _is_answered(self, question: Question, who: str) -> bool:
        said = self.board.answers((question.key, question.task))
        return any(one.who == who and one.question == question.number for one in said)


def _chance(key: str, who: str) -> bytes:
    """Return what orders records by chance, the same whenever asked."""
    return hashlib.blake2b(f"{key}\0{who}\0again".encode(), digest_size=8).digest()


def _moment(created: str) -> float:
    """Return a time in UTC as seconds since 1970; what is none is now."""
    try:
        found = datetime.fromisoformat(created)
    except ValueError:
        return datetime.now(UTC).timestamp()
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()
