"""What a question costs: reading the record once, and answering each of its tasks."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median

from allrounder.active.base import Strategy
from allrounder.active.planning import Asked
from allrounder.ledger import Answer

ENOUGH = 10
"""Timed answers from which a cost is measured instead of assumed."""


@dataclass(frozen=True)
class Cost:
    """Seconds of a person's time.

    Args:
        reading: a record, once.
        answering: a task whose time was not measured.
        by_task: each task whose time was.
    """

    reading: float
    answering: float
    by_task: Mapping[str, float] = field(default_factory=dict)

    @classmethod
    def measured(cls, events: Iterable[Answer], strategy: Strategy) -> "Cost":
        """Return medians of what people took, and what the section assumes where they are few.

        The first answer that a person gives of a record takes reading and answering, those after it
        answering alone.
        """
        first: list[tuple[str, float]] = []
        later: dict[str, list[float]] = {}
        seen: set[tuple[str, str]] = set()
        for one in events:
            if one.act != "label" or one.seconds is None:
                continue
            if (one.who, one.key) in seen:
                later.setdefault(one.task, []).append(one.seconds)
            else:
                first.append((one.task, one.seconds))
            seen.add((one.who, one.key))
        by_task = {name: median(found) for name, found in later.items() if len(found) >= ENOUGH}
        rest = [max(0.0, took - by_task.get(name, strategy.answering)) for name, took in first]
        reading = median(rest) if len(rest) >= ENOUGH else strategy.reading
        return cls(reading, strategy.answering, by_task)

    def of(self, questions: Sequence[Asked]) -> float:
        """Return the seconds that questions take, each record read once."""
        clicks = sum(self._click(one) for one in questions)
        return clicks + self.reading * len({one.place for one in questions})

    def most(self, minutes: float) -> int:
        """Return how many questions could be answered at most, were every record read already."""
        least = min([self.answering, *self.by_task.values()])
        return max(1, int(minutes * 60 / max(least, 0.1)))

    def within(self, questions: Sequence[Asked], minutes: float) -> list[Asked]:
        """Return the questions that fit into a time, the first ones first; at least one."""
        found: list[Asked] = []
        read, left = set[int](), minutes * 60
        for one in questions:
            cost = self._click(one) + self.reading * (one.place not in read)
            if found and cost > left:
                continue
            found.append(one)
            read.add(one.place)
            left -= cost
        return found

    def _click(self, one: Asked) -> float:
        return self.by_task.get(one.task, self.answering)
