"""The tables of the people's part, the same in SQLite and in PostgreSQL."""

import json
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    Double,
    Identity,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    TypeDecorator,
)


class Plain(TypeDecorator):
    """Plain data as the text of its JSON; None is null."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Any) -> str | None:
        """Write, in ASCII, so that any text whatever can be stored."""
        return None if value is None else json.dumps(value, allow_nan=False)

    def process_result_value(self, value: str | None, dialect: Any) -> Any:
        """Read."""
        return None if value is None else json.loads(value)


TABLES = MetaData()

_Number = BigInteger().with_variant(Integer, "sqlite")


def _number() -> Column:
    return Column("number", _Number, Identity(), primary_key=True)


QUESTIONS = Table(
    "questions",
    TABLES,
    _number(),
    Column("batch", Text, nullable=False, index=True),
    Column("created", Text, nullable=False),
    Column("key", Text, nullable=False),
    Column("task", Text, nullable=False),
    Column("arm", Text, nullable=False),
    Column("strategy", Text, nullable=False),
    Column("score", Double),
    Column("probability", Double),
    Column("model", Text),
    Column("suggestion", Plain),
    Column("why", Plain, nullable=False),
)

ANSWERS = Table(
    "answers",
    TABLES,
    _number(),
    Column("id", Text, nullable=False, unique=True),
    Column("created", Text, nullable=False),
    Column("who", Text, nullable=False),
    Column("key", Text, nullable=False),
    Column("task", Text, nullable=False),
    Column("act", Text, nullable=False),
    Column("value", Plain),
    Column("undoes", Text),
    Column("seconds", Double),
    Column("model", Text),
    Column("suggested", Plain),
    Column("source", Text, nullable=False),
    Column("question", _Number),
    Index("answers_by_record", "key", "task"),
)

APPENDED = (QUESTIONS, ANSWERS)

HOLDS = Table(
    "holds",
    MetaData(),
    Column("key", Text, primary_key=True),
    Column("who", Text, primary_key=True),
    Column("tab", Text, nullable=False),
    Column("seen", Double, nullable=False),
)
"""Who is at work on what: the one table that is changed, since nothing in it is a label."""

ABOUT = Table("about", MetaData(), Column("key", Text, primary_key=True), Column("value", Text))
"""Name and format of a ledger; a file of ours has the same table already."""

SQLITE_GUARD = (
    "CREATE TRIGGER no_{change}_{table} BEFORE {change} ON {table} "
    "BEGIN SELECT RAISE(ABORT, 'a ledger is only added to'); END"
)

POSTGRES_GUARD = (
    "CREATE OR REPLACE FUNCTION {table}_only_added_to() RETURNS trigger LANGUAGE plpgsql AS "
    "$$ BEGIN RAISE EXCEPTION 'a ledger is only added to'; END $$",
    "CREATE TRIGGER only_added_to BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} "
    "FOR EACH STATEMENT EXECUTE FUNCTION {table}_only_added_to()",
)


def guards(dialect: str) -> list[str]:
    """Return the sentences that let nothing in the tables be changed."""
    names = [table.name for table in APPENDED]
    if dialect == "sqlite":
        changes = ("UPDATE", "DELETE")
        return [SQLITE_GUARD.format(change=c, table=n) for n in names for c in changes]
    return [sentence.format(table=name) for name in names for sentence in POSTGRES_GUARD]
