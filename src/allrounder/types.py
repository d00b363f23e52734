"""Shared names for shapes of data. No logic here."""

from collections.abc import Mapping
from typing import Any, NamedTuple

Row = Mapping[str, Any]


class Span(NamedTuple):
    """A stretch of text and its label; `start` and `end` count Unicode code points, end excluded."""

    start: int
    end: int
    label: str
