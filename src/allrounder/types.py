"""Shared names for shapes of data. No logic here."""

from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any, Literal, NamedTuple

Row = Mapping[str, Any]


class Span(NamedTuple):
    """A stretch of text and its label; offsets count Unicode code points, the end excluded."""

    start: int
    end: int
    label: str


Among = Sequence[Mapping[str, Any]] | str | Path | None
"""What match tasks choose from: records, or a file of them; None: the values of the run."""

Day = date | str | None
"""A day, or how it is written: 2025-01-31; None: today."""

Speaks = Literal["label", "labels", "rank", "number", "spans"]
"""How a task answers: one label, any number of them, one in an order, a number, or spans."""


class Likely(NamedTuple):
    """What one answer of several records may be, and how likely each option is.

    `label` and `values` are as in `Variable`; `chances` [n, O] sum to 1 over options, in double
    precision, and have gradients.
    """

    label: str | None
    values: Sequence[Any]
    chances: Any


class Variable(NamedTuple):
    """What one answer of a record may be.

    A task has one for each record, or one for each of its labels. `best` is the place of what the
    task says by itself; `costs` are negative log-probabilities.
    """

    label: str | None
    values: Sequence[Any]
    costs: Sequence[float]
    best: int
