"""The store: every fact that was ever known, with when it held and when that was known.

A fact is kept once, under the number that tells what it says. Beside it stands who said so, how
surely, and from which version on until which (`said`). A version is never changed: what it holds
are the rows with ``since <= version < until``. The next version is built on the tip: the one that
was last made, activated or rolled back to.

Everything is written in one transaction, so a process that is killed leaves what was there before.
"""

import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from itertools import repeat
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import pyarrow as pa

from allrounder.databases import transaction
from allrounder.errors import DataError, RunError
from allrounder.knowledge.changes import Change, Diff, Version
from allrounder.knowledge.database import INDEX, connect, spoken
from allrounder.knowledge.facts import Fact, as_table, identities
from allrounder.knowledge.rows import checked, columns_of, fact_of, strongest, values_at, written
from allrounder.knowledge.snapshot import Snapshot

CACHED = 4
"""Snapshots that are kept beside the store."""

BULK = 10_000
"""Facts from which on an import may be quicker without an index."""

HEADER = b"SQLite format 3\0"
"""What a SQLite file begins with."""

BY_HAND = "hand"
"""The source of facts that are added one by one."""

_FIELDS = "f.subject, f.predicate, f.object, f.is_entity, f.valid_from, f.valid_to"
_HELD = "s.since <= :version AND (s.until IS NULL OR s.until > :version)"


def is_store(path: Path) -> bool:
    """Return whether a file is a SQLite database, as a store is."""
    if not path.is_file():
        return False
    with open(path, "rb") as file:
        return file.read(len(HEADER)) == HEADER


class Store:
    """A store of facts in one SQLite file, which is made where there is none.

    Args:
        path: the file.
        read_only: only read, and refuse where there is no store.
    """

    def __init__(self, path: str | Path, *, read_only: bool = False) -> None:
        self.path = Path(path)
        self._link = connect(self.path, read_only=read_only)

    def __enter__(self) -> "Store":
        """Return the store."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the file."""
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._link.close()

    @property
    def identity(self) -> str:
        """What tells this store from every other, even one of the same name."""
        return self._about("identity")

    @property
    def active(self) -> int:
        """The version that answers; 0 where nothing is known yet."""
        rows = self._all(
            "SELECT version FROM activations WHERE undone IS NULL ORDER BY number DESC LIMIT 1"
        )
        return rows[0][0] if rows else 0

    @property
    def newest(self) -> int:
        """The version that was made last, active or not."""
        return self._all("SELECT coalesce(max(version), 0) FROM versions")[0][0]

    @property
    def tip(self) -> int:
        """The version that the next one is built on."""
        return self._about("tip")

    def versions(self) -> list[Version]:
        """Return all versions, the oldest first."""
        active = self.active
        rows = self._all(
            "SELECT version, base, made, note, added, retracted FROM versions ORDER BY version"
        )
        return [Version(*row, active=row[0] == active) for row in rows]

    def version_at(self, moment: datetime) -> int:
        """Return the version that answered at that time; a time without a zone is in UTC."""
        zoned = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        rows = self._all(
            "SELECT version FROM activations WHERE at <= :at AND (undone IS NULL OR undone > :at) "
            "ORDER BY number DESC LIMIT 1",
            {"at": _time(zoned)},
        )
        return rows[0][0] if rows else 0

    def replace(
        self, facts: Iterable[Fact] | pa.Table, *, source: str, stage: bool = False
    ) -> Change:
        """Let a source say these facts, and nothing else from now on.

        Args:
            facts: all that the source says, or a table of them; of the same statement twice the
                surer one counts.
            source: who says so; what other sources say is left alone.
            stage: make the version without letting it answer yet.
        """
        table = checked(facts if isinstance(facts, pa.Table) else as_table(facts))
        return self._change(
            lambda version: self._say(version, source, table, only=True),
            note=f"import {source}",
            stage=stage,
        )

    def add(
        self,
        facts: Iterable[Fact],
        *,
        source: str = BY_HAND,
        stage: bool = False,
        instead: bool = False,
    ) -> Change:
        """Let a source say these facts too.

        Args:
            facts: what it says.
            source: who says so.
            stage: make the version without letting it answer yet.
            instead: take back whatever else anyone says with the same subjects and predicates.
        """
        facts = list(facts)
        table = checked(as_table(facts))
        pairs = {fact[:2] for fact in facts} if instead else set()
        return self._change(
            lambda version: self._add(version, source, table, pairs),
            note=f"add to {source}",
            stage=stage,
        )

    def retract(
        self,
        subject: str,
        predicate: str | None = None,
        object: str | None = None,
        *,
        source: str | None = None,
        stage: bool = False,
    ) -> Change:
        """Take back what is said of a subject, until a source says it again.

        Args:
            subject: the id of an entity.
            predicate: only facts with this predicate.
            object: only facts with this object.
            source: only what this source says; default: what anyone says.
            stage: make the version without letting it answer yet.

        Raises:
            DataError: where there is no such fact.
        """
        wanted = {"subject": subject, "predicate": predicate, "object": object, "source": source}
        wanted = {name: value for name, value in wanted.items() if value is not None}
        return self._change(
            lambda version: self._unsay(version, wanted),
            note=f"retract {' '.join(wanted.values())}",
            stage=stage,
        )

    def activate(self, version: int) -> None:
        """Let a version answer from now on."""
        with spoken(self.path), transaction(self._link):
            self._known(version)
            self._activate(version)

    def rollback(self) -> int:
        """Let the version answer that did before the active one; return its number."""
        with spoken(self.path), transaction(self._link):
            rows = self._all("SELECT number FROM activations WHERE undone IS NULL ORDER BY number")
            if len(rows) < 2:
                raise RunError(
                    f"{self.path} cannot be rolled back: no other version answered before."
                )
            self._link.execute(
                "UPDATE activations SET undone = ? WHERE number = ?", [_time(), rows[-1][0]]
            )
            self._set_tip(self.active)
        return self.active

    def facts(self, *, version: int | None = None, subject: str | None = None) -> list[Fact]:
        """Return what a version holds, by default the active one, once for each source."""
        return [fact_of(row) for row in self._rows(version, subject)]

    def knows(self, subject: str) -> bool:
        """Return whether anything is said of an entity in the version that the next builds on."""
        return bool(self._rows(self.tip, subject))

    def table(self, version: int | None = None) -> pa.Table:
        """Return what a version holds as columns (`facts.SCHEMA`), and the `id` of each fact."""
        return columns_of(self._rows(version, None))

    def diff(self, old: int, new: int | None = None) -> Diff:
        """Return what changed from one version to another, by default to the active one."""
        old, new = self._number(old), self._number(new)
        before, after = self._touched(old, old, new), self._touched(new, old, new)
        changed = [id for id in before.keys() & after.keys() if before[id] != after[id]]
        return Diff(
            self._written(after.keys() - before.keys(), after),
            self._written(before.keys() - after.keys(), before),
            [(fact, before[id]) for id in changed for fact in self._written([id], after)],
        )

    def snapshot(self, version: int | None = None) -> Snapshot:
        """Return a version as flat arrays, by default the active one; kept beside the store."""
        version = self._number(version)
        folder = self.path.with_name(self.path.name + ".snapshots")
        place = folder / f"{version}-{self.identity[:8]}"
        with suppress(RunError):
            return Snapshot.load(place)
        made = Snapshot.of_table(self.table(version), version=version)
        with suppress(RunError):  # where nothing may be written it is made anew each time
            made.save(place)
            _prune(folder)
            return Snapshot.load(place)
        return made

    def _all(self, words: str, values: Mapping[str, Any] | tuple = ()) -> list[Any]:
        with spoken(self.path):
            return self._link.execute(words, values).fetchall()

    def _about(self, key: str) -> Any:
        return self._all("SELECT value FROM about WHERE key = :key", {"key": key})[0][0]

    def _number(self, version: int | None) -> int:
        return self.active if version is None else self._known(version)

    def _known(self, version: int) -> int:
        if not 0 <= version <= self.newest:
            raise DataError(
                f"{self.path} has no version {version!r}. It has versions up to {self.newest}: "
                "allrounder knowledge versions"
            )
        return version

    def _change(self, act: Callable[[int], Change], *, note: str, stage: bool) -> Change:
        """Make the next version on the tip, in one transaction; none where nothing changed."""
        with spoken(self.path), transaction(self._link):
            version, tip = self.newest + 1, self.tip
            if tip != version - 1:
                self._restore(tip, version)
            change = act(version)
            if change.is_empty:
                self._link.execute("ROLLBACK")
                change = change._replace(version=tip)
            else:
                row = [version, tip, _time(), note, change.added, change.retracted]
                self._link.execute("INSERT INTO versions VALUES (?, ?, ?, ?, ?, ?)", row)
                self._set_tip(version)
                if not stage:
                    self._activate(version)
        if change.is_empty and not stage and self.active != tip:
            self.activate(tip)
        return change

    def _activate(self, version: int) -> None:
        if version != self.active:
            self._link.execute(
                "INSERT INTO activations (version, at) VALUES (?, ?)", [version, _time()]
            )
        self._set_tip(version)

    def _set_tip(self, version: int) -> None:
        self._link.execute("UPDATE about SET value = ? WHERE key = 'tip'", [version])

    def _say(self, version: int, source: str, table: pa.Table, *, only: bool) -> Change:
        """Let a source say what is in the table, and if `only`, nothing else."""
        ids, rows, confidence = strongest(table)
        before, sure = self._open(source)
        old = values_at(before, sure, ids)
        new = old != confidence
        changed = new & ~np.isnan(old)
        gone = np.setdiff1d(before, ids) if only else before[:0]
        self._end(version, source, [*gone.tolist(), *ids[changed].tolist()])
        self._begin(version, source, table.take(rows[new]), ids[new].tolist())
        num_new, num_changed = int(new.sum()), int(changed.sum())
        return Change(version, num_new - num_changed, len(gone), num_changed, len(ids) - num_new)

    def _add(
        self, version: int, source: str, table: pa.Table, replaced: Iterable[tuple[str, str]]
    ) -> Change:
        """Let a source say what is in the table, in place of all else on the replaced pairs."""
        kept = {(id, source) for id in identities(table).tolist()}
        gone = 0
        for subject, predicate in replaced:
            rows = set(self._saying({"subject": subject, "predicate": predicate})) - kept
            gone += len(rows)
            for fact, other in rows:
                self._end(version, other, [fact])
        change = self._say(version, source, table, only=False)
        return change._replace(retracted=change.retracted + gone)

    def _saying(self, wanted: Mapping[str, str]) -> list[tuple[int, str]]:
        """Return the facts that are stated now with such words, and who states them."""
        where = " AND ".join(f"{name} = :{name}" for name in wanted)
        return self._all(
            "SELECT s.fact, s.source FROM facts f JOIN said s ON s.fact = f.id "
            f"WHERE s.until IS NULL AND {where}",
            wanted,
        )

    def _unsay(self, version: int, wanted: Mapping[str, str]) -> Change:
        rows = self._saying(wanted)
        if not rows:
            shown = ", ".join(f"{name} {value!r}" for name, value in wanted.items())
            raise DataError(f"{self.path} holds no fact with {shown}. Nothing was changed.")
        for fact, source in rows:
            self._end(version, source, [fact])
        return Change(version, 0, len(rows), 0, 0)

    def _restore(self, tip: int, version: int) -> None:
        """Let the open rows be those of the tip."""
        numbers = {"tip": tip, "version": version}
        self._link.execute(
            "UPDATE said SET until = :version WHERE until IS NULL AND since > :tip", numbers
        )
        self._link.execute(
            "INSERT INTO said SELECT fact, source, confidence, :version, NULL FROM said "
            "WHERE since <= :tip AND until > :tip",
            numbers,
        )

    def _open(self, source: str) -> tuple[np.ndarray, np.ndarray]:
        """Return the facts that a source states now, sorted, and how surely."""
        rows = self._all(
            "SELECT fact, confidence FROM said WHERE until IS NULL AND source = ? ORDER BY fact",
            (source,),
        )
        facts, confidence = zip(*rows, strict=True) if rows else ((), ())
        return np.array(facts, np.int64), np.array(confidence, np.float32)

    def _end(self, version: int, source: str, facts: Iterable[int]) -> None:
        keys = [(fact, source, version) for fact in facts]
        self._link.executemany(
            "DELETE FROM said WHERE fact = ? AND source = ? AND since = ?", keys
        )  # rows that were restored for this version a moment ago
        self._link.executemany(
            "UPDATE said SET until = ?3 WHERE fact = ?1 AND source = ?2 AND until IS NULL", keys
        )

    def _begin(self, version: int, source: str, table: pa.Table, ids: list[int]) -> None:
        *columns, _, confidence = [written(column) for column in table.columns]
        with self._indexed_afterwards(len(ids)):
            self._link.executemany(
                "INSERT OR IGNORE INTO facts VALUES (?, ?, ?, ?, ?, ?, ?)",
                zip(ids, *columns, strict=True),
            )
        self._link.executemany(
            "INSERT INTO said VALUES (?, ?, ?, ?, NULL)",
            zip(ids, repeat(source), confidence, repeat(version), strict=False),
        )

    @contextmanager
    def _indexed_afterwards(self, n: int) -> Iterator[None]:
        """Leave the index out while so many facts are added that making it anew is quicker."""
        many = n > BULK and n > self._all("SELECT count(*) FROM facts")[0][0]
        if many:
            self._link.execute("DROP INDEX facts_by_subject")
        yield
        if many:
            self._link.execute(INDEX)

    def _rows(self, version: int | None, subject: str | None) -> list[tuple]:
        where = _HELD if subject is None else f"f.subject = :subject AND {_HELD}"
        return self._all(
            f"SELECT {_FIELDS}, s.source, s.confidence, f.id FROM facts f "
            f"JOIN said s ON s.fact = f.id WHERE {where}",
            {"version": self._number(version), "subject": subject},
        )

    def _touched(self, version: int, old: int, new: int) -> dict[int, float]:
        """Return the facts of a version that changed from old to new, and how sure they are."""
        low, high = sorted((old, new))
        rows = self._all(
            f"SELECT s.fact, max(s.confidence) FROM said s WHERE {_HELD} AND s.fact IN ("
            "SELECT fact FROM said WHERE (since > :low AND since <= :high) "
            "OR (until > :low AND until <= :high)) GROUP BY s.fact",
            {"version": version, "low": low, "high": high},
        )
        return dict(rows)

    def _written(self, ids: Iterable[int], confidences: Mapping[int, float]) -> list[Fact]:
        words = f"SELECT {_FIELDS}, '', ?2, f.id FROM facts f WHERE f.id = ?1"
        rows = [row for id in ids for row in self._all(words, (id, confidences[id]))]
        return sorted(map(fact_of, rows), key=str)


def _time(moment: datetime | None = None) -> str:
    """Return a time in UTC as text that sorts."""
    return (moment or datetime.now(UTC)).astimezone(UTC).isoformat(timespec="microseconds")


def _prune(folder: Path) -> None:
    """Delete the oldest snapshots."""
    kept = sorted(folder.iterdir(), key=lambda path: path.stat().st_mtime, reverse=True)
    for path in kept[CACHED:]:
        shutil.rmtree(path, ignore_errors=True)
