"""Every label that was made, where it is from, and whether it still counts.

One SQLite file beside the project file, which holds what people answered too (`answers.py`).
Nothing in it is ever changed or deleted, which SQLite itself holds by triggers: a label that
counts no longer has an expiry beside it, and one that is made again after that counts again. A
batch is in it whole or not at all, whatever is killed.
"""

import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self
from uuid import uuid4

from allrounder.databases import Kind, transaction

FORMAT = 2
"""Of the file: 1 had made labels alone; since 2 it may have tables of what people said too."""

TABLES = """
CREATE TABLE made (
    number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, created TEXT NOT NULL,
    source TEXT NOT NULL, generator TEXT NOT NULL, seed INTEGER NOT NULL, confidence REAL,
    place TEXT NOT NULL, parent TEXT NOT NULL, model TEXT, fields TEXT NOT NULL,
    labels TEXT NOT NULL
);
CREATE TABLE changes (
    number INTEGER PRIMARY KEY, id TEXT NOT NULL REFERENCES made (id), created TEXT NOT NULL,
    counts INTEGER NOT NULL, why TEXT NOT NULL
);
CREATE INDEX changes_by_id ON changes (id, number);
CREATE TABLE notes (
    number INTEGER PRIMARY KEY, work TEXT NOT NULL, said TEXT NOT NULL
);
CREATE TABLE about (key TEXT PRIMARY KEY, value NOT NULL)
"""

APPENDED = ("made", "changes", "notes")

ONCE = "ON CONFLICT (id) DO NOTHING"

COUNTS = (
    "coalesce((SELECT counts FROM changes WHERE changes.id = made.id ORDER BY number DESC LIMIT 1)"
    ", 1)"
)
LIVE = f"made WHERE {COUNTS}"

COLUMNS = (
    "id", "created", "source", "generator", "seed", "confidence", "place", "parent", "model",
    "fields", "labels",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One record with labels that were made.

    Args:
        id: what tells it from all others; making the same thing again gives the same one.
        source: who said so, such as `synthesis`.
        generator: the kind that made it.
        seed: of its chance.
        confidence: how likely the labels are right, where that is known.
        place: where the record stands that it was made from.
        parent: the hash of that record's content, in hexadecimal.
        model: the fingerprint of the run that made the labels, if one did.
        fields: the record's inputs.
        labels: its labels by task.
        created: when, in UTC; by default now.
    """

    id: str
    source: str
    generator: str
    seed: int
    confidence: float | None
    place: str
    parent: str
    model: str | None
    fields: Mapping[str, Any]
    labels: Mapping[str, Any]
    created: str = ""


class Ledger:
    """The ledger of one project; close it, or open it by `with`.

    Args:
        path: the file; where there is none it is made, unless it is only to be read.
        read_only: change nothing.

    Raises:
        RunError: the file is no ledger, of a newer format, or cannot be opened.
    """

    def __init__(self, path: Path, *, read_only: bool = False) -> None:
        self.path = path
        self._link = LEDGER.open(path, read_only=read_only)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._link.close()

    def add(
        self, entries: Iterable[Entry], *, work: str = "", said: Mapping[str, Any] | None = None
    ) -> int:
        """Append entries that do not count yet, all or none; return how many that were.

        Args:
            entries: what was made.
            work: the name of the work that this is a part of.
            said: what is to be remembered of that work, in the same step.
        """
        now = _now()
        rows = [_row(one, now) for one in entries]
        marks = ", ".join("?" * len(COLUMNS))
        sentence = f"INSERT INTO made ({', '.join(COLUMNS)}) VALUES ({marks}) {ONCE}"
        with self._transaction():
            before = self._count("made")
            self._link.executemany(sentence, rows)
            again = self._change([row[0] for row in rows], counts=True, why="made again")
            if said is not None:
                told = json.dumps(said, ensure_ascii=False)
                self._link.execute("INSERT INTO notes (work, said) VALUES (?, ?)", [work, told])
            return self._count("made") - before + again

    def said(self, work: str) -> list[dict[str, Any]]:
        """Return what was remembered of some work, in order."""
        found = self._asked("SELECT said FROM notes WHERE work = ? ORDER BY number", [work])
        return [json.loads(row[0]) for row in found]

    def expire(self, ids: Iterable[str], why: str) -> int:
        """Say that entries count no longer; return of how many that is news."""
        with self._transaction():
            return self._change(ids, counts=False, why=why)

    def _change(self, ids: Iterable[str], *, counts: bool, why: str) -> int:
        """Say of those entries of which it is news that they count, or that they do not."""
        sentence = (
            f"INSERT INTO changes (id, created, counts, why) SELECT id, ?, ?, ? FROM made "
            f"WHERE id = ? AND {COUNTS} != ?"
        )
        before, now = self._count("changes"), _now()
        values = [(now, int(counts), why, one, int(counts)) for one in ids]
        self._link.executemany(sentence, values)
        return self._count("changes") - before

    def retire(self, model: str, why: str) -> int:
        """Expire the labels that any model but this one made; return how many."""
        sentence = f"SELECT id FROM {LIVE} AND model IS NOT NULL AND model != ?"
        ids = [row[0] for row in self._asked(sentence, [model])]
        return self.expire(ids, why) if ids else 0

    @property
    def has_models(self) -> bool:
        """Whether labels count that a model made."""
        found = self._asked(f"SELECT 1 FROM {LIVE} AND model IS NOT NULL LIMIT 1")
        return found.fetchone() is not None

    def live(self) -> Iterator[Entry]:
        """Yield what counts, in the order in which it was made."""
        with LEDGER.spoken(self.path):
            for row in self._asked(f"SELECT {', '.join(COLUMNS)} FROM {LIVE} ORDER BY number"):
                found = dict(zip(COLUMNS, row, strict=True))
                read = {name: json.loads(found[name]) for name in ("fields", "labels")}
                yield Entry(**{**found, **read})

    def ids(self, generator: str) -> list[str]:
        """Return the ids of what a kind made and what counts."""
        found = self._asked(f"SELECT id FROM {LIVE} AND generator = ?", [generator])
        return [row[0] for row in found]

    def changes(self) -> list[tuple[str, bool, str]]:
        """Return what began or ceased to count, and why, in order."""
        found = self._asked("SELECT id, counts, why FROM changes ORDER BY number")
        return [(id, bool(counts), why) for id, counts, why in found]

    @property
    def mark(self) -> tuple[str, int, int]:
        """What changes with every change: the ledger's own name, and how much is in it."""
        (name,) = self._asked("SELECT value FROM about WHERE key = 'identity'").fetchone()
        return name, self._count("made"), self._count("changes")

    def _count(self, table: str) -> int:
        return self._asked(f"SELECT count(*) FROM {table}").fetchone()[0]

    def _asked(self, sentence: str, values: Sequence[Any] = ()) -> sqlite3.Cursor:
        with LEDGER.spoken(self.path):
            return self._link.execute(sentence, values)

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        with LEDGER.spoken(self.path), transaction(self._link):
            yield


def _row(entry: Entry, now: str) -> list[Any]:
    found = {name: getattr(entry, name) for name in COLUMNS}
    for name in ("fields", "labels"):
        found[name] = json.dumps(found[name], ensure_ascii=False, sort_keys=True)
    return list({**found, "created": entry.created or now}.values())


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _make(link: sqlite3.Connection) -> None:
    """Make the tables, and let nothing in them be changed."""
    for sentence in TABLES.split(";"):
        link.execute(sentence)
    for table in APPENDED:
        for change in ("UPDATE", "DELETE"):
            link.execute(
                f"CREATE TRIGGER no_{change}_{table} BEFORE {change} ON {table} "
                "BEGIN SELECT RAISE(ABORT, 'a ledger is only added to'); END"
            )
    link.execute("INSERT INTO about VALUES ('identity', ?)", [uuid4().hex])


LEDGER = Kind(
    name="ledger",
    short="ledger",
    application=0x416C4C67,
    format=FORMAT,
    make=_make,
    strange="Name another file, or move this one away.",
    damaged="Take it from a backup, or move it away and synthesize anew.",
)
