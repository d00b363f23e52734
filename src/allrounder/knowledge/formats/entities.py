"""One entity a line, as JSON: its id, name, aliases, types, description and facts.

    {"id": "Q312", "name": "Apple Inc.", "aliases": ["Apple", {"alias": "AAPL", "prior": 0.9}],
     "types": ["company"], "description": "…", "facts": {"based_in": "Q99", "founded": "1976"}}

A value of `types` or `facts` that is an id in the file is an entity, any other a text. A fact with
more to say is an object, {"value": …, "from": …, "to": …, "confidence": …}, whose value is always a
text; {"id": …} in its place names an entity, which need not be in the file.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from allrounder.errors import did_you_mean, listed
from allrounder.knowledge.facts import ALIAS, DESCRIPTION, LITERAL, NAME, TYPE, Fact
from allrounder.knowledge.formats.reading import Reading

KEYS = ("id", "name", "aliases", "types", "description", "facts")
DETAILS = ("value", "id", "from", "to", "confidence")


class Entities:
    """JSON lines of entities; blank lines are skipped."""

    def facts(self, reading: Reading) -> Iterator[Fact]:
        """Return the facts of the file."""
        stated = [
            said for line, entity in _lines(reading) for said in _Entity(reading, line, entity)
        ]
        subjects = {fact.subject for fact, _ in stated}
        for fact, is_plain in stated:
            known = is_plain and fact.object in subjects and fact.predicate not in LITERAL
            yield fact._replace(is_entity=True) if known else fact


class _Entity:
    """One line, read."""

    def __init__(self, reading: Reading, line: int, entity: Mapping[str, Any]) -> None:
        self.reading = reading
        self.line = line
        self.entity = entity
        self.id = reading.word(entity["id"], line, "`id`")

    def __iter__(self) -> Iterator[tuple[Fact, bool]]:
        """Yield what is said, and whether its object may be an id; an id alone is a name."""
        plain = [(fact, True) for fact in (*self._names(), *self._types())]
        facts = [*plain, *self._others()]
        yield from facts or [(Fact(self.id, NAME, self.id, source=self.reading.source), False)]

    def _names(self) -> Iterator[Fact]:
        for key, predicate in (("name", NAME), ("description", DESCRIPTION)):
            if self.entity.get(key) not in (None, ""):
                yield self._said(predicate, self.entity[key], f"`{key}`")
        for alias in _several(self.entity.get("aliases")):
            if not isinstance(alias, Mapping):
                alias = {"alias": alias}
            self._known(alias, ("alias", "prior"), "an alias")
            fact = self._said(ALIAS, alias.get("alias"), "an alias")
            prior = self.reading.confidence(alias.get("prior"), self.line, "prior")
            yield fact._replace(confidence=prior)

    def _types(self) -> Iterator[Fact]:
        for value in _several(self.entity.get("types")):
            yield self._said(TYPE, value, "a type")

    def _others(self) -> Iterator[tuple[Fact, bool]]:
        facts = self.entity.get("facts") or {}
        if not isinstance(facts, Mapping):
            raise self.reading.wrong(
                self.line, f'`facts` must look like {{"predicate": "value"}}. Found {facts!r}.'
            )
        for predicate, values in facts.items():
            called = self.reading.predicate(self.reading.word(predicate, self.line, "a predicate"))
            for value in _several(values):
                yield self._detailed(called, value), not isinstance(value, Mapping)

    def _detailed(self, predicate: str, value: Any) -> Fact:
        if not isinstance(value, Mapping):
            return self._said(predicate, value, f"`facts.{predicate}`")
        self._known(value, DETAILS, f"`facts.{predicate}`")
        fact = self._said(predicate, value.get("id", value.get("value")), f"`facts.{predicate}`")
        fact = fact._replace(
            is_entity="id" in value,
            valid_from=self.reading.day(value.get("from"), self.line, "from"),
            valid_to=self.reading.day(value.get("to"), self.line, "to"),
            confidence=self.reading.confidence(value.get("confidence"), self.line),
        )
        return self.reading.checked(fact, self.line)

    def _said(self, predicate: str, value: Any, what: str) -> Fact:
        if isinstance(value, int | float) and predicate not in LITERAL:
            value = json.dumps(value)
        word = self.reading.word(value, self.line, what)
        return Fact(self.id, predicate, word, source=self.reading.source)

    def _known(self, value: Mapping[str, Any], keys: tuple[str, ...], what: str) -> None:
        for key in value:
            if key not in keys:
                raise self.reading.wrong(
                    self.line,
                    f"{what} has the unknown key {key!r}.{did_you_mean(key, keys)} Known: "
                    f"{listed(keys)}.",
                )


def _several(value: Any) -> list[Any]:
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def _lines(reading: Reading) -> Iterator[tuple[int, dict[str, Any]]]:
    for number, line in enumerate(reading.file.lines(), 1):
        if line.strip():
            yield number, _parsed(reading, number, line)


def _parsed(reading: Reading, number: int, line: str) -> dict[str, Any]:
    try:
        entity = json.loads(line)
    except json.JSONDecodeError as error:
        raise reading.wrong(
            number,
            f"column {error.colno} is not JSON: {error.msg}. Every line must be one whole JSON "
            'object, such as {"id": "Q1", "name": "…"}.',
        ) from None
    except RecursionError:
        raise reading.wrong(number, "the JSON is nested too deeply.") from None
    if not isinstance(entity, dict) or "id" not in entity:
        raise reading.wrong(
            number,
            f'expected an entity such as {{"id": "Q1", "name": "…"}}, found '
            f"{line.strip()[:60]!r}. Give it an `id`.",
        )
    for key in entity:
        if key not in KEYS:
            raise reading.wrong(
                number,
                f"an entity has no key {key!r}.{did_you_mean(key, KEYS)} Known: {listed(KEYS)}; "
                "anything else goes into `facts`.",
            )
    return entity
