"""What everybody said so far, kept up to date event by event."""

from collections import Counter, defaultdict
from collections.abc import Iterable
from typing import Any

from allrounder.ledger import Answer, Standing, remaining, standing_of

Pair = tuple[str, str]
"""A key and a task."""

RECENT = 20
"""Answers of a person from which the pace is taken."""


class Board:
    """The events of a ledger, and what follows from them for each record and task."""

    def __init__(self) -> None:
        self.latest = 0
        self.by_id: dict[str, Answer] = {}
        self.standing: dict[Pair, Standing] = {}
        self.gone: set[str] = set()
        self.disputed: dict[Pair, None] = {}
        self.labels: dict[str, Counter] = defaultdict(Counter)
        self.num_labelled: Counter = Counter()
        self.shares: dict[str, Counter] = defaultdict(Counter)
        self._events: dict[Pair, list[Answer]] = defaultdict(list)
        self._left: dict[Pair, list[Answer]] = {}
        self._by_person: dict[str, list[str]] = defaultdict(list)

    def add(self, events: Iterable[Answer]) -> list[Answer]:
        """Take in new events; return those that were not known."""
        news = []
        for one in events:
            self.latest = max(self.latest, one.number)
            if one.id in self.by_id:
                continue
            self.by_id[one.id] = one
            self._by_person[one.who].append(one.id)
            self._events[one.key, one.task].append(one)
            news.append(one)
        for pair in dict.fromkeys((one.key, one.task) for one in news):
            self._settle(pair)
        return news

    def said_by(self, pair: Pair, who: str) -> Answer | None:
        """Return what a person last did with a record and task, if it was not undone."""
        own = [one for one in self._left.get(pair, ()) if one.who == who]
        return own[-1] if own else None

    def answers(self, pair: Pair) -> list[Answer]:
        """Return what was not undone, in order."""
        return self._left.get(pair, [])

    def is_open(self, pair: Pair, who: str, overlap: int) -> bool:
        """Return whether a person may still be asked about a record and task."""
        if pair not in self._left:
            return True
        standing = self.standing.get(pair)
        if standing is not None and (standing.settled or len(standing.who) >= overlap):
            return False
        return self.said_by(pair, who) is None

    def num_said(self, pair: Pair, *, but: str) -> int:
        """Return how many other persons have labelled a record and task."""
        standing = self.standing.get(pair)
        return 0 if standing is None else sum(who != but for who in standing.who)

    def history(self, who: str, n: int) -> list[Answer]:
        """Return the latest acts of a person that were not undone, the latest first."""
        found: list[Answer] = []
        for id in reversed(self._by_person.get(who, [])):
            one = self.by_id[id]
            if one.act != "undo" and id not in self.gone:
                found.append(one)
                if len(found) == n:
                    break
        return found

    def seconds(self, who: str) -> float | None:
        """Return how long a person's latest labels took on average, where the page measured."""
        took = [one.seconds for one in self.history(who, RECENT) if one.seconds is not None]
        return sum(took) / len(took) if took else None

    def _settle(self, pair: Pair) -> None:
        """Work out anew what counts for a record and task."""
        events = self._events[pair]
        left = sorted(remaining(events), key=lambda one: one.number)
        kept = {one.id for one in left}
        for one in events:
            (self.gone.discard if one.id in kept else self.gone.add)(one.id)
        self._left[pair] = left
        before, now = self.standing.get(pair), standing_of(events)
        self._count(pair, before, -1)
        self._count(pair, now, +1)
        if now is None:
            self.standing.pop(pair, None)
        else:
            self.standing[pair] = now
        flagged = any(one.act == "flag" for one in left)
        settled = now is not None and now.settled
        if not settled and (flagged or (now is not None and not now.agreed)):
            self.disputed[pair] = None
        else:
            self.disputed.pop(pair, None)

    def _count(self, pair: Pair, standing: Standing | None, sign: int) -> None:
        if standing is None:
            return
        self.num_labelled[pair[1]] += sign
        self.shares[pair[1]].update({who: sign for who in standing.who})
        self.labels[pair[1]].update({name: sign for name in named(standing.value)})


def named(value: Any) -> list[str]:
    """Return the labels that a value names: one, several, or those of its spans; numbers none."""
    if isinstance(value, str):
        return [value]
    if not isinstance(value, list):
        return []
    names = [one["label"] if isinstance(one, dict) else one for one in value]
    return list(dict.fromkeys(map(str, names)))
