"""What counts now of all that people said of a record and a task."""

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from allrounder.ledger.events import Answer


@dataclass(frozen=True, kw_only=True)
class Standing:
    """What counts now as the answer of all.

    Args:
        value: the label as plain data.
        answers: the latest label of each person and, if there is one, the settling last word,
            in order.
        settled: whether a reviewer had the last word.
    """

    value: Any
    answers: tuple[Answer, ...]
    settled: bool

    @property
    def who(self) -> list[str]:
        """Those who said something that counts, in order, each once."""
        return list(dict.fromkeys(one.who for one in self.answers))

    @property
    def numbers(self) -> list[int]:
        """The numbers of the events that count."""
        return [one.number for one in self.answers]

    @property
    def agreed(self) -> bool:
        """Whether all said the same, whatever was settled; true of one person alone."""
        return len({canonical(one.value) for one in self.answers if one.act == "label"}) < 2


def standing_of(events: Iterable[Answer]) -> Standing | None:
    """Return what counts of the events on one record and task, or None where nothing does.

    What was undone is out, and an undo that was itself undone is no undo. Of each person the
    latest label counts; skips and flags are no labels. A `settle` wins, the latest of several;
    else what most persons said; of several such, what was said last.
    """
    known = sorted(remaining(events), key=lambda one: one.number)
    latest = {one.who: one for one in known if one.act == "label"}
    settled = [one for one in known if one.act == "settle"][-1:]
    answers = sorted([*latest.values(), *settled], key=lambda one: one.number)
    if not answers:
        return None
    value = settled[0].value if settled else _most(answers)
    return Standing(value=value, answers=tuple(answers), settled=bool(settled))


def remaining(events: Iterable[Answer]) -> list[Answer]:
    """Return the events that were not undone; an undo may arrive before what it takes back."""
    events = list(events)
    if len(events) == 1:
        return [one for one in events if one.act != "undo"]
    gone: set[str | None] = set()
    undos = (one for one in events if one.act == "undo")
    for one in sorted(undos, key=lambda one: one.number, reverse=True):
        if one.id not in gone:
            gone.add(one.undoes)
    return [one for one in events if one.id not in gone and one.act != "undo"]


def standings(events: Iterable[Answer]) -> dict[tuple[str, str], Standing]:
    """Return what counts, by key and task."""
    by_pair: dict[tuple[str, str], list[Answer]] = defaultdict(list)
    for one in events:
        by_pair[one.key, one.task].append(one)
    found = {pair: standing_of(these) for pair, these in by_pair.items()}
    return {pair: standing for pair, standing in found.items() if standing is not None}


def labels_of(events: Iterable[Answer]) -> list[Answer]:
    """Return the labels that were not undone, in order, those that were corrected included."""
    known = sorted(remaining(events), key=lambda one: one.number)
    return [one for one in known if one.act == "label"]


def canonical(value: Any) -> str:
    """Return a text that is the same for equal labels: order in a list does not matter."""
    return json.dumps(_ordered(value), sort_keys=True)


def _ordered(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return sorted((_ordered(one) for one in value), key=lambda v: json.dumps(v, sort_keys=True))
    if isinstance(value, dict):
        return {name: _ordered(one) for name, one in value.items()}
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value


def _most(answers: Sequence[Answer]) -> Any:
    if len(answers) == 1:
        return answers[0].value
    counts = Counter(canonical(one.value) for one in answers)
    most = max(counts.values())
    return next(one.value for one in reversed(answers) if counts[canonical(one.value)] == most)
