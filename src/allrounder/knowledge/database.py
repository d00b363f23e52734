"""The SQLite file of a store: its tables, how it is opened, and what can be wrong with it."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote
from uuid import uuid4

from allrounder.errors import RunError

FORMAT = 1
"""Version of the tables; a newer one is refused."""

APPLICATION = 0x416C4B62
"""What marks a SQLite file as a store of facts."""

PATIENCE = 5.0
"""Seconds to wait for another process that writes."""

TABLES = """
CREATE TABLE facts (
    id INTEGER PRIMARY KEY, subject TEXT NOT NULL, predicate TEXT NOT NULL, object TEXT NOT NULL,
    is_entity INTEGER NOT NULL, valid_from TEXT, valid_to TEXT
);
CREATE TABLE said (
    fact INTEGER NOT NULL REFERENCES facts, source TEXT NOT NULL, confidence REAL NOT NULL,
    since INTEGER NOT NULL, until INTEGER, PRIMARY KEY (fact, source, since)
) WITHOUT ROWID;
CREATE TABLE versions (
    version INTEGER PRIMARY KEY, base INTEGER NOT NULL, made TEXT NOT NULL, note TEXT NOT NULL,
    added INTEGER NOT NULL, retracted INTEGER NOT NULL
);
CREATE TABLE activations (
    number INTEGER PRIMARY KEY, version INTEGER NOT NULL, at TEXT NOT NULL, undone TEXT
);
CREATE TABLE about (key TEXT PRIMARY KEY, value NOT NULL);
"""

INDEX = "CREATE INDEX facts_by_subject ON facts (subject)"


@contextmanager
def spoken(path: Path) -> Iterator[None]:
    """Turn what SQLite refuses into one sentence."""
    try:
        yield
    except sqlite3.Error as error:
        raise RunError(f"{path} {_reason(str(error))}") from error


def _reason(said: str) -> str:
    reasons = {
        "not a database": "is no store of facts. Name another file, or delete this one.",
        "malformed": "is damaged. Take it from a backup, or import its sources anew.",
        "locked": "is being written by another process. Wait until that is done and try again.",
        "readonly": "can only be read. Change its permissions, or work on a copy.",
        "full": "could not be written: the disk is full. Nothing was changed.",
        "unable to open": "cannot be opened. Is the folder there, and may it be written?",
    }
    return next((words for mark, words in reasons.items() if mark in said), f"failed: {said}.")


def connect(path: Path, *, read_only: bool) -> sqlite3.Connection:
    """Open a store; a file that is not there is made, unless it is only to be read.

    Raises:
        RunError: where the file is no store, of a newer format, or cannot be opened.
    """
    if read_only and not path.exists():
        raise RunError(f"{path} is not there. Import facts first: allrounder knowledge import")
    mode = "ro" if read_only else "rwc"
    with spoken(path):
        uri = f"file:{quote(str(path.absolute()))}?mode={mode}"
        link = sqlite3.connect(uri, uri=True, isolation_level=None, timeout=PATIENCE)
        try:
            _prepare(link, path, read_only)
        except BaseException:
            link.close()
            raise
    return link


def _prepare(link: sqlite3.Connection, path: Path, read_only: bool) -> None:
    link.execute("PRAGMA cache_size = -262144")
    is_new = link.execute("SELECT count(*) FROM sqlite_master").fetchone() == (0,)
    if is_new and not read_only:
        _make(link)
    application = link.execute("PRAGMA application_id").fetchone()[0]
    found = link.execute("PRAGMA user_version").fetchone()[0]
    if application != APPLICATION:
        raise RunError(f"{path} is no store of facts, but another SQLite database. Name another.")
    if found > FORMAT:
        raise RunError(
            f"{path} was written by a newer Allrounder (store format {found}); this one reads "
            f"formats up to {FORMAT}. Update it: pip install --upgrade allrounder"
        )
    if not read_only:
        link.execute("PRAGMA synchronous = FULL")


def _make(link: sqlite3.Connection) -> None:
    link.execute("PRAGMA journal_mode = WAL")
    with transaction(link):
        if link.execute("SELECT count(*) FROM sqlite_master").fetchone() != (0,):
            return  # another process was quicker
        for statement in [*TABLES.split(";"), INDEX]:
            link.execute(statement)
        link.execute("INSERT INTO about VALUES ('identity', ?), ('tip', 0)", [uuid4().hex])
        link.execute(f"PRAGMA application_id = {APPLICATION}")
        link.execute(f"PRAGMA user_version = {FORMAT}")


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
