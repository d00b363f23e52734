"""Questions and answers as rows, through SQLAlchemy: one code path for SQLite and PostgreSQL."""

import os
import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from threading import Lock
from typing import Any
from uuid import uuid4

from sqlalchemy import (
    URL,
    Connection,
    Engine,
    Select,
    Table,
    create_engine,
    delete,
    event,
    func,
    insert,
    inspect,
    make_url,
    select,
    tuple_,
)
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import QueuePool

from allrounder.errors import MissingExtra, RunError
from allrounder.ledger.holds import Hold
from allrounder.ledger.made import LEDGER
from allrounder.ledger.tables import ABOUT, ANSWERS, APPENDED, HOLDS, QUESTIONS, TABLES, guards
from allrounder.ledger.where import PASSWORD, Where

ASKED = 500
"""Ids that are looked for in one sentence."""

PATIENCE = 10
"""Seconds in which a PostgreSQL server must answer."""

Row = Mapping[str, Any]


class Store:
    """The tables of the people's part.

    Args:
        where: the file or the database.
        read_only: change nothing.

    Raises:
        RunError: it is no ledger, damaged, of a newer format, or cannot be opened.
    """

    def __init__(self, where: Where, *, read_only: bool) -> None:
        self.where, self.read_only = where, read_only
        self.newer: str | None = None
        self._ahead = 0.0
        self._alone = Lock() if where.file else nullcontext()  # waiting in turn, not by SQLite
        self._engine = _file(where, read_only) if where.file else _server(where, read_only)
        try:
            with self._link(writes=not read_only) as link:
                self._prepare(link)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Close every connection."""
        self._engine.dispose()

    def ask(self, rows: Sequence[Row], batch: str) -> None:
        """Append the questions of a batch, unless a batch of its name is there."""
        with self._link(writes=True) as link:
            there = select(QUESTIONS.c.number).where(QUESTIONS.c.batch == batch).limit(1)
            if rows and link.execute(there).first() is None:
                link.execute(insert(QUESTIONS), rows)

    def queue(self) -> list[Row]:
        """Return the latest batch that was chosen, whoever was asked again since."""
        first = QUESTIONS.c.arm != "repeat"
        latest = select(QUESTIONS.c.batch).where(first).order_by(QUESTIONS.c.number.desc()).limit(1)
        its = QUESTIONS.c.batch == latest.scalar_subquery()
        return self._rows(select(QUESTIONS).where(its).order_by(QUESTIONS.c.number))

    def questions(self, after: int, n: int) -> list[Row]:
        """Return the next questions behind a number."""
        return self._rows(_page(QUESTIONS, after, n))

    def append(self, rows: Sequence[Row]) -> list[Row]:
        """Append those answers whose ids are not there; return all of them as stored."""
        ids = [row["id"] for row in rows]
        with self._link(writes=True) as link:
            there = {row["id"] for row in _by_id(link, ids)}
            if new := [row for row in rows if row["id"] not in there]:
                link.execute(insert(ANSWERS), new)
            return list(_by_id(link, ids))

    def events(self, after: int, n: int) -> list[Row]:
        """Return the next answers behind a number."""
        return self._rows(_page(ANSWERS, after, n))

    def alone(self) -> Iterator[tuple[str, str, Any]]:
        """Yield key, task and label of pairs on which there is one label and nothing else."""
        pair = (ANSWERS.c.key, ANSWERS.c.task)
        label = func.min(ANSWERS.c.act).in_(("label", "settle"))
        once = select(*pair, func.min(ANSWERS.c.value)).group_by(*pair)
        for row in self._rows(once.having(func.count() == 1, label)):
            yield tuple(row.values())

    def beside(self) -> list[Row]:
        """Return the answers on pairs with several."""
        pair = (ANSWERS.c.key, ANSWERS.c.task)
        several = select(*pair).group_by(*pair).having(func.count() > 1)
        its = tuple_(*pair).in_(several)
        return self._rows(select(ANSWERS).where(its).order_by(ANSWERS.c.number))

    def holds(self) -> list[Row]:
        """Return who is at work on what."""
        return self._rows(select(HOLDS))

    def hold(self, change: Callable[[set[Hold]], set[Hold]]) -> set[Hold]:
        """Replace who is at work on what by what a function makes of it; return that."""
        with self._link(writes=True) as link:
            self._compare_clocks(link)
            old = {Hold(**row) for row in link.execute(select(HOLDS)).mappings()}
            new = change(old)
            if gone := [(one.key, one.who) for one in old - new]:
                link.execute(delete(HOLDS).where(tuple_(HOLDS.c.key, HOLDS.c.who).in_(gone)))
            if come := [vars(one) for one in new - old]:
                link.execute(insert(HOLDS), come)
        return new

    def clock(self) -> float:
        """Return the time in seconds, by the clock of the server if there is one."""
        return time.time() + self._ahead

    def mark(self) -> tuple[str, int]:
        """Return the name of the ledger and the number of its latest answer."""
        if not self._has:
            return "", 0
        with self._link() as link:
            name = select(ABOUT.c.value).where(ABOUT.c.key == "identity")
            latest = link.execute(select(func.max(ANSWERS.c.number))).scalar()
            return str(link.execute(name).scalar()), latest or 0

    def _rows(self, sentence: Select) -> list[Row]:
        if not self._has:
            return []
        with self._link() as link:
            return [dict(row) for row in link.execute(sentence).mappings().all()]

    # ------------------------------------------------------------------ tables

    def _prepare(self, link: Connection) -> None:
        """Look whether the tables are there and known; make them unless only to be read."""
        if self.where.file:
            self.newer = LEDGER.newer(self.where.file, link.connection.dbapi_connection)
        else:
            self._check_server(link)
        self._has = inspect(link).has_table(ANSWERS.name)
        if self.read_only:
            return
        HOLDS.create(link, checkfirst=True)
        if self._has:
            return
        TABLES.create_all(link, checkfirst=False)
        for sentence in guards(link.dialect.name):
            link.exec_driver_sql(sentence)
        if self.where.file:
            link.exec_driver_sql(f"PRAGMA user_version = {LEDGER.format}")
        self._has = True

    def _check_server(self, link: Connection) -> None:
        """Look at the format of a ledger in a database; name an empty one."""
        self._compare_clocks(link)
        tables = inspect(link)
        if not tables.has_table(ABOUT.name):
            taken = [table.name for table in (*APPENDED, HOLDS) if tables.has_table(table.name)]
            if taken:
                raise RunError(
                    f"{self.where} has a table {taken[0]!r} that is no ledger's. Name a database "
                    "or schema of its own."
                )
            if self.read_only:
                return
            ABOUT.create(link)
            about = {"identity": uuid4().hex, "format": str(LEDGER.format)}
            link.execute(insert(ABOUT), [{"key": k, "value": v} for k, v in about.items()])
        found = link.execute(select(ABOUT.c.value).where(ABOUT.c.key == "format")).scalar()
        if found is None:
            raise RunError(
                f"{self.where} has a table 'about' that is no ledger's. Name a database or schema "
                "of its own."
            )
        if int(found) > LEDGER.format:
            self.newer = LEDGER.too_new(str(self.where), int(found))
            if not self.read_only:
                raise RunError(self.newer)

    def _compare_clocks(self, link: Connection) -> None:
        """Take note of how far a server's clock is ahead, now and then: either may be set."""
        if not self.where.file:
            told = link.execute(select(func.extract("epoch", func.clock_timestamp()))).scalar()
            self._ahead = float(told) - time.time()

    # ------------------------------------------------------------------ connections

    @contextmanager
    def _link(self, *, writes: bool = False) -> Iterator[Connection]:
        """Yield a connection in a transaction; one that writes has the ledger to itself.

        So numbers rise in the order in which answers become visible, and whoever reads on from
        a number misses none.
        """
        with (
            self._alone if writes else nullcontext(),
            self._spoken(),
            self._engine.connect() as link,
        ):
            if writes and self.where.file:
                link = link.execution_options(begins="BEGIN IMMEDIATE")
            with link.begin():
                if writes and not self.where.file:
                    link.execute(select(func.pg_advisory_xact_lock(LEDGER.application)))
                yield link

    @contextmanager
    def _spoken(self) -> Iterator[None]:
        """Turn what a database refuses into one sentence."""
        try:
            yield
        except DBAPIError as error:
            if self.newer:
                raise RunError(self.newer) from error
            if isinstance(error.orig, sqlite3.Error) and self.where.file:
                with LEDGER.spoken(self.where.file):
                    raise error.orig from None
            raise RunError(f"{self.where} {_reason(error)}") from error


def _page(table: Table, after: int, n: int) -> Select:
    return select(table).where(table.c.number > after).order_by(table.c.number).limit(n)


def _by_id(link: Connection, ids: Sequence[str]) -> Iterator[Row]:
    for first in range(0, len(ids), ASKED):
        some = ANSWERS.c.id.in_(ids[first : first + ASKED])
        yield from (dict(row) for row in link.execute(select(ANSWERS).where(some)).mappings())


def _file(where: Where, read_only: bool) -> Engine:
    """Return what opens a file; it begins transactions itself, as the driver's own way is late."""
    path = where.file
    assert path is not None
    engine = create_engine(
        "sqlite://",  # an address cannot hold every path
        creator=lambda: LEDGER.open(path, read_only=read_only, newer=True, threads=True),
        poolclass=QueuePool,
    )

    @event.listens_for(engine, "begin")
    def _(link: Connection) -> None:
        link.exec_driver_sql(link.get_execution_options().get("begins", "BEGIN"))

    return engine


def _server(where: Where, read_only: bool) -> Engine:
    url = _with_password(make_url(str(where.url)).set(drivername="postgresql+psycopg"))
    options = {"connect_timeout": PATIENCE, "application_name": "allrounder"}
    try:
        engine = create_engine(url, connect_args=options, pool_pre_ping=True)
    except ImportError:
        raise MissingExtra(
            "A ledger in PostgreSQL needs psycopg. Try: pip install 'allrounder[postgres]'"
        ) from None
    return engine.execution_options(postgresql_readonly=True) if read_only else engine


def _with_password(url: URL) -> URL:
    password = os.environ.get(PASSWORD)
    return url.set(password=password) if password else url


def _reason(error: DBAPIError) -> str:
    """Return why a server refused, in its own first line, without what was sent to it."""
    said = str(error.orig).strip().splitlines()
    first = said[0].rstrip(".") if said else type(error.orig).__name__
    if error.connection_invalidated or "connect" in first:
        return f"cannot be reached: {first}. Is the server running, and may you use it?"
    return f"could not be read or written: {first}."
