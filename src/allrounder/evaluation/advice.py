"""Advice on sharing from a short probe before training, and whether it came true.

Tables read from the row to the column: what the row's task does to the column's.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from allrounder.evaluation.score import Score
from allrounder.evaluation.sharing import Sharing, spread
from allrounder.evaluation.table import aligned

Expected = Literal["helped", "hurt", "no evidence"]
"""What sharing is expected to do to a task, or did."""

Square = dict[str, dict[str, Score]]
"""A table of tasks by tasks."""


@dataclass(kw_only=True)
class Hint:
    """One piece of advice: a sentence with its evidence, and the line of YAML that follows it."""

    about: Literal["groups", "order", "sampling"]
    sentence: str
    yaml: str | None = None

    def __str__(self) -> str:
        return f"{self.sentence}\n    {self.yaml}" if self.yaml else self.sentence


@dataclass(kw_only=True)
class Foreseen:
    """What the probe says of one task.

    Args:
        labels: its training labels.
        onto: how much of its loss a step of another task takes away, in percent, on average;
            None where the probe was too short to tell.
    """

    labels: int
    onto: Score | None

    @property
    def expected(self) -> Expected:
        """What sharing is expected to do to the task."""
        return verdict(self.onto) if self.onto else "no evidence"


@dataclass(kw_only=True)
class Advice:
    """What a short probe says of sharing one model.

    Args:
        tasks: what is foreseen, per task.
        cosines: of the tasks' gradients at the shared weights, on other records each; on the
            diagonal a task with itself, which is the most that noise lets a cosine be.
        affinities: percent of the column's loss that a step of the row's task takes away.
        groups: which tasks to train together.
        hints: the advice in words.
        seconds: how long the probe took.
    """

    tasks: dict[str, Foreseen]
    cosines: Square
    affinities: Square
    groups: list[list[str]]
    hints: list[Hint]
    seconds: float = 0.0

    def __str__(self) -> str:
        tables = [
            f"Cosines of gradients; a task with itself shows how much is noise.\n"
            f"{_square(self.cosines)}",
            "Percent of the column's loss that a step of the row's task takes away.\n"
            f"{_square(self.affinities)}",
        ]
        said = "\n".join(f"- {hint}" for hint in self.hints)
        return "\n\n".join([*(tables if self.tasks else []), said])


@dataclass(kw_only=True)
class Outcome:
    """What was foreseen of one task, and what twins showed after training."""

    expected: Expected
    found: Expected
    onto: Score | None
    difference: Score
    metric: str

    @property
    def verdict(self) -> str:
        """Whether the advice came true."""
        if self.expected == "no evidence":
            return "nothing to see" if self.found == "no evidence" else "missed it"
        if self.found == "no evidence":
            return "not seen beyond noise"
        return "came true" if self.found == self.expected else "was wrong"


def verdict(score: Score) -> Expected:
    """Return what an interval around a gain says; one that holds zero says nothing."""
    return "helped" if score.low > 0 else "hurt" if score.high < 0 else "no evidence"


def outcomes(advice: Advice, sharing: Sharing) -> dict[str, Outcome]:
    """Return for each task what was foreseen and what the twins showed."""
    return {
        name: Outcome(
            expected=foreseen.expected,
            found=verdict(sharing.tasks[name].difference),
            onto=foreseen.onto,
            difference=sharing.tasks[name].difference,
            metric=sharing.tasks[name].metric,
        )
        for name, foreseen in advice.tasks.items()
        if name in sharing.tasks
    }


def checked(found: Mapping[str, Outcome]) -> str:
    """Return the table of what was foreseen and what came of it."""
    head = ["task", "foreseen", "loss taken away, %", "joint − twin", "found", "the advice"]
    rows = [
        [name, one.expected, _onto(one), spread(one.difference), one.found, one.verdict]
        for name, one in found.items()
    ]
    return f"Did the advice come true?\n{aligned([head, *rows], left=2)}"


def sentences(found: Mapping[str, Outcome]) -> Iterator[str]:
    """Yield what came of the advice, in words, for each task where there was something to see."""
    for name, one in found.items():
        after = f"joint − twin is {spread(one.difference)} {one.metric}"
        if one.expected != "no evidence":
            yield (
                f"Before training, the probe foresaw that sharing would have {one.expected} {name} "
                f"({_onto(one)} % of its loss); {after}: {_ending(one.verdict)}."
            )
        elif one.found != "no evidence":
            yield (
                f"Before training, the probe did not foresee that sharing {one.found} {name}: "
                f"{after}."
            )


def _onto(one: Outcome) -> str:
    return spread(one.onto) if one.onto else "–"


def _ending(verdict: str) -> str:
    return verdict if verdict.startswith("not") else f"it {verdict}"


def _square(square: Square) -> str:
    head = ["from ↓ to →", *square]
    rows = [[name, *(spread(score) for score in row.values())] for name, row in square.items()]
    return aligned([head, *rows], left=1)
