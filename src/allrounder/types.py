"""Shared names for shapes of data. No logic here."""

from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any, NamedTuple

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
