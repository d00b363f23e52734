"""The people's part of the ledger: questions and answers, in a SQLite file or in PostgreSQL."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self
from uuid import uuid4

from allrounder.errors import MissingExtra
from allrounder.ledger.events import (
    ANSWER,
    QUESTION,
    Answer,
    Question,
    check_answer,
    check_question,
)
from allrounder.ledger.holds import Hold
from allrounder.ledger.made import LEDGER
from allrounder.ledger.standing import Standing, standings
from allrounder.ledger.where import Where

if TYPE_CHECKING:
    from allrounder.ledger.storing import Store

PAGE = 10_000
"""Rows that are fetched at once, so that nobody who reads holds up who writes."""


class Answers:
    """Questions and answers of one project; close it, or open it by `with`.

    It may be used from several threads, and by several processes at once. No question and no
    answer is ever changed or deleted, which the database itself holds by triggers.

    Args:
        where: a file, made where there is none unless it is only to be read, or the URL of a
            PostgreSQL database.
        read_only: change nothing. A ledger of a newer format is then read as far as that goes.

    Raises:
        RunError: it is no ledger, damaged, of a newer format, or cannot be opened.
        MissingExtra: SQLAlchemy, or what speaks to PostgreSQL, is not installed.
    """

    def __init__(self, where: str | Path | Where, *, read_only: bool = False) -> None:
        self.where = where if isinstance(where, Where) else Where.of(where)
        self._store = _store(self.where, read_only)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close every connection."""
        self._store.close()

    @property
    def newer(self) -> str | None:
        """A sentence, where a newer format is read that this version only knows in part."""
        return self._store.newer

    def ask(self, questions: Iterable[Question], *, batch: str | None = None) -> str:
        """Append a batch of questions, whole or not at all; return its name.

        A batch of a name that is there already is not appended again.
        """
        name, now = batch or uuid4().hex, _now()
        asked = list(questions)
        for one in asked:
            check_question(one)
        rows = [replace(one, batch=name, created=one.created or now) for one in asked]
        self._store.ask([_row(one, QUESTION) for one in rows], name)
        return name

    def queue(self) -> list[Question]:
        """Return the latest batch in its order, whatever was answered of it."""
        return [Question(**row) for row in self._store.queue()]

    def questions(self, after: int = 0) -> Iterator[Question]:
        """Yield all that was ever asked, in order, from behind a number."""
        while page := self._store.questions(after, PAGE):
            yield from (Question(**row) for row in page)
            after = page[-1]["number"]

    def append(self, answers: Sequence[Answer]) -> list[Answer]:
        """Append answers, all or none; return them as they are stored.

        An id that is there already is the same event: nothing is added, and what is stored is
        returned. When this returns, the answers outlive a crash of program or machine.

        Raises:
            DataError: an answer cannot be stored as it is.
            RunError: the ledger cannot be written; nothing was.
        """
        now = _now()
        for one in answers:
            check_answer(one)
        new = {one.id: replace(one, created=one.created or now) for one in reversed(answers)}
        rows = [_row(one, ANSWER) for one in reversed(new.values())]
        stored = {row["id"]: Answer(**row) for row in self._store.append(rows)}
        return [stored[one.id] for one in answers]

    def events(self, after: int = 0) -> Iterator[Answer]:
        """Yield the answers in order, from behind a number."""
        while page := self._store.events(after, PAGE):
            yield from (Answer(**row) for row in page)
            after = page[-1]["number"]

    def standing(self) -> dict[tuple[str, str], Standing]:
        """Return what counts now, by key and task."""
        return standings(self.events())

    def labels(self) -> dict[tuple[str, str], Any]:
        """Return the label that counts now, by key and task: `standing` without who and why.

        Most pairs have one answer, whose label the database gives; only others are worked out.
        """
        found = {(key, task): value for key, task, value in self._store.alone()}
        several = standings(Answer(**row) for row in self._store.beside())
        return {**found, **{pair: one.value for pair, one in several.items()}}

    def holds(self) -> set[Hold]:
        """Return who is at work on what; what has run out is still there."""
        return {Hold(**row) for row in self._store.holds()}

    def hold(self, change: Callable[[set[Hold]], set[Hold]]) -> set[Hold]:
        """Let a function say who is at work on what from now on; return what it said.

        Nobody else changes that meanwhile, in any process.

        Raises:
            RunError: the ledger cannot be written; nothing was.
        """
        return self._store.hold(change)

    def clock(self) -> float:
        """Return the time in seconds, the same on all machines that share the ledger."""
        return self._store.clock()

    @property
    def mark(self) -> tuple[str, int]:
        """What changes with every answer: the ledger's own name, and the latest number."""
        return self._store.mark()


def given(where: Where) -> bool:
    """Return whether a ledger is there and may hold answers; a file is looked at in a blink."""
    if where.file is None:
        return True
    if not where.file.exists():
        return False
    link = LEDGER.open(where.file, read_only=True, newer=True)
    try:
        with LEDGER.spoken(where.file):
            has = link.execute("SELECT 1 FROM sqlite_master WHERE name = 'answers'").fetchone()
            return bool(has and link.execute("SELECT 1 FROM answers LIMIT 1").fetchone())
    finally:
        link.close()


def _store(where: Where, read_only: bool) -> "Store":
    try:
        from allrounder.ledger.storing import Store
    except ImportError:
        raise MissingExtra(
            "Answers of people need SQLAlchemy. Try: pip install 'allrounder[label]'"
        ) from None
    return Store(where, read_only=read_only)


def _row(one: Answer | Question, names: Sequence[str]) -> dict[str, Any]:
    return {name: getattr(one, name) for name in names if name != "number"}


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
