"""Facts written into files, as CSV, TSV or JSON lines."""

import csv
import io
import json
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import Any, BinaryIO

from allrounder.errors import DataError
from allrounder.knowledge.facts import ALIAS, DESCRIPTION, LITERAL, NAME, TYPE, Fact
from allrounder.knowledge.formats.triples import COLUMNS


def as_triples(facts: Iterable[Fact], stream: BinaryIO, *, delimiter: str, quoted: bool) -> None:
    """Write facts as cells under a header.

    Whether an object is an entity is not written: on reading, those are that are subjects too.
    """
    text = io.TextIOWrapper(stream, "utf-8", newline="", write_through=True)
    quoting = csv.QUOTE_MINIMAL if quoted else csv.QUOTE_NONE
    rows = csv.writer(
        text, delimiter=delimiter, quoting=quoting, quotechar='"' if quoted else None,
        lineterminator="\n",
    )  # fmt: skip
    rows.writerow(COLUMNS)
    for fact in facts:
        try:
            rows.writerow(_cells(fact))
        except csv.Error:
            raise DataError(
                f"TSV cannot hold tabs and line ends, found in: {fact}. Write CSV or JSON lines."
            ) from None
    text.detach()


def _cells(fact: Fact) -> list[str]:
    sure = "" if fact.confidence == 1 else repr(fact.confidence)
    return [*fact[:3], str(fact.valid_from or ""), str(fact.valid_to or ""), sure]


def as_entities(facts: Iterable[Fact], stream: BinaryIO) -> None:
    """Write facts as one entity a line; reading them gives the same facts."""
    facts = sorted(facts, key=lambda fact: fact.subject)
    subjects = {fact.subject for fact in facts}
    for id, group in groupby(facts, key=lambda fact: fact.subject):
        line = json.dumps(_entity(id, list(group), subjects), ensure_ascii=False)
        stream.write(f"{line}\n".encode())


def _entity(id: str, facts: Sequence[Fact], subjects: set[str]) -> dict[str, Any]:
    entity: dict[str, Any] = {"id": id}
    others: dict[str, list[Any]] = {}
    for fact in facts:
        key, value = _placed(fact, subjects)
        if key in ("name", "description") and key not in entity:
            entity[key] = value
        elif key in ("aliases", "types"):
            entity.setdefault(key, []).append(value)
        else:
            others.setdefault(fact.predicate, []).append(_detailed(fact, subjects))
    if others:
        entity["facts"] = {name: _alone(values) for name, values in others.items()}
    return entity


def _placed(fact: Fact, subjects: set[str]) -> tuple[str, Any]:
    """Return the key that has room for a fact, and what stands there."""
    detailed = _detailed(fact, subjects)
    if fact.predicate == ALIAS and not (fact.is_entity or fact.valid_from or fact.valid_to):
        alias = {"alias": fact.object, "prior": fact.confidence}
        return "aliases", fact.object if fact.confidence == 1 else alias
    keys = {NAME: "name", DESCRIPTION: "description", TYPE: "types"}
    return keys.get(fact.predicate, "facts") if isinstance(detailed, str) else "facts", detailed


def _detailed(fact: Fact, subjects: set[str]) -> Any:
    """Return the value of a fact: a text where that says it all."""
    guessed = fact.object in subjects and fact.predicate not in LITERAL
    details: dict[str, Any] = {"from": fact.valid_from, "to": fact.valid_to}
    details = {key: str(day) for key, day in details.items() if day}
    if fact.confidence != 1:
        details["confidence"] = fact.confidence
    if not details and fact.is_entity == guessed:
        return fact.object
    return {"id" if fact.is_entity else "value": fact.object, **details}


def _alone(values: list[Any]) -> Iterator[Any] | Any:
    return values[0] if len(values) == 1 else values
