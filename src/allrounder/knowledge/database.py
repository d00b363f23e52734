"""The SQLite file of a store: its tables, and how it is opened."""

import sqlite3
from pathlib import Path
from uuid import uuid4

from allrounder.databases import Kind
from allrounder.errors import RunError

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


def _make(link: sqlite3.Connection) -> None:
    for statement in [*TABLES.split(";"), INDEX]:
        link.execute(statement)
    link.execute("INSERT INTO about VALUES ('identity', ?), ('tip', 0)", [uuid4().hex])


STORE = Kind(
    name="store of facts",
    short="store",
    application=0x416C4B62,
    format=1,
    make=_make,
    strange="Name another file, or delete this one.",
    damaged="Take it from a backup, or import its sources anew.",
)
spoken = STORE.spoken


def connect(path: Path, *, read_only: bool) -> sqlite3.Connection:
    """Open a store; a file that is not there is made, unless it is only to be read.

    Raises:
        RunError: where the file is no store, of a newer format, or cannot be opened.
    """
    if read_only and not path.exists():
        raise RunError(f"{path} is not there. Import facts first: allrounder knowledge import")
    link = STORE.open(path, read_only=read_only)
    link.execute("PRAGMA cache_size = -262144")
    return link
