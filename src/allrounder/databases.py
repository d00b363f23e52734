"""SQLite files of our own: how they are opened, marked and made, and what is wrong with them."""

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from allrounder.errors import RunError

PATIENCE = 5.0
"""Seconds to wait for another process that writes."""


@dataclass(frozen=True, kw_only=True)
class Kind:
    """A kind of SQLite file.

    Args:
        name: what it is called in sentences, such as `ledger`.
        short: its name beside the number of its format.
        application: what marks a file as one.
        format: the version of its tables; a newer one is refused.
        make: makes the tables in an empty file.
        strange: what to do with a file that is no database.
        damaged: what to do with one that is damaged.
    """

    name: str
    short: str
    application: int
    format: int
    make: Callable[[sqlite3.Connection], None]
    strange: str
    damaged: str

    @contextmanager
    def spoken(self, path: Path) -> Iterator[None]:
        """Turn what SQLite refuses into one sentence."""
        try:
            yield
        except sqlite3.Error as error:
            raise RunError(f"{path} {self._reason(str(error))}") from error

    def _reason(self, said: str) -> str:
        reasons = {
            "not a database": f"is no {self.name}. {self.strange}",
            "malformed": f"is damaged. {self.damaged}",
            "locked": "is being written by another process. Wait until that is done and try again.",
            "readonly": "can only be read. Change its permissions, or work on a copy.",
            "full": "could not be written: the disk is full. Nothing was changed.",
            "disk I/O": "could not be written: the disk is full or fails. Nothing was changed.",
            "unable to open": "cannot be opened. Is the folder there, and may it be written?",
        }
        return next((words for mark, words in reasons.items() if mark in said), f"failed: {said}.")

    def open(
        self, path: Path, *, read_only: bool, newer: bool = False, threads: bool = False
    ) -> sqlite3.Connection:
        """Open a file; one that is not there is made, unless it is only to be read.

        Args:
            path: the file.
            read_only: change nothing.
            newer: take a newer format too, if it is only to be read.
            threads: let other threads use the connection, one at a time.

        Raises:
            RunError: the file is of another kind or of a newer format, or cannot be opened.
        """
        mode = _reading(path) if read_only else "mode=rwc"
        with self.spoken(path):
            uri = f"file:{quote(str(path.absolute()))}?{mode}"
            link = sqlite3.connect(
                uri,
                uri=True,
                isolation_level=None,
                timeout=PATIENCE,
                check_same_thread=not threads,
            )
            try:
                self._prepare(link, path, read_only)
                said = self.newer(path, link)
                if said and not (newer and read_only):
                    raise RunError(said)
            except BaseException:
                link.close()
                raise
        return link

    def _prepare(self, link: sqlite3.Connection, path: Path, read_only: bool) -> None:
        if not read_only and _is_empty(link):
            self._make(link)
        if link.execute("PRAGMA application_id").fetchone()[0] != self.application:
            raise RunError(
                f"{path} is no {self.name}, but another SQLite database. Name another file."
            )
        if not read_only:
            link.execute("PRAGMA synchronous = FULL")

    def newer(self, path: Path, link: sqlite3.Connection) -> str | None:
        """Return a sentence where a file is of a newer format, else None."""
        found = link.execute("PRAGMA user_version").fetchone()[0]
        return self.too_new(str(path), found) if found > self.format else None

    def too_new(self, where: str, found: int) -> str:
        """Return the sentence on a newer format."""
        return (
            f"{where} was written by a newer Allrounder ({self.short} format {found}); this one "
            f"reads formats up to {self.format}. Update it: pip install --upgrade allrounder"
        )

    def _make(self, link: sqlite3.Connection) -> None:
        link.execute("PRAGMA journal_mode = WAL")
        with transaction(link):
            if not _is_empty(link):
                return  # another process was quicker
            self.make(link)
            link.execute(f"PRAGMA application_id = {self.application}")
            link.execute(f"PRAGMA user_version = {self.format}")


def _reading(path: Path) -> str:
    """Return how to read a file; where nothing can lie beside it, nobody writes it either."""
    alone = not os.access(path.parent, os.W_OK) and not Path(f"{path}-wal").exists()
    return "mode=ro&immutable=1" if alone else "mode=ro"


def _is_empty(link: sqlite3.Connection) -> bool:
    return link.execute("SELECT count(*) FROM sqlite_master").fetchone() == (0,)


@contextmanager
def transaction(link: sqlite3.Connection) -> Iterator[None]:
    """Write all or nothing, alone; what was rolled back inside stays so."""
    link.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        if link.in_transaction:
            link.execute("ROLLBACK")
        raise
    if link.in_transaction:
        link.execute("COMMIT")
