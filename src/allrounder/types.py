"""Shared names for shapes of data. No logic here."""

from collections.abc import Mapping
from typing import Any, NamedTuple

Row = Mapping[str, Any]


class Span(NamedTuple):
    """A stretch of text and its label; offsets count Unicode code points, the end excluded."""

    start: int
    end: int
    label: str
