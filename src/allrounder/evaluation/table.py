"""Plain text: numbers of one look, and tables that line up in a terminal."""

import math
from collections.abc import Sequence
from unicodedata import combining, east_asian_width


def number(value: float) -> str:
    """Return a metric with three decimals, fewer where it is large."""
    shown = f"{value:.3f}" if abs(value) < 100 else f"{value:,.1f}"
    return shown.replace("-0.000", "0.000") if shown == "-0.000" else shown


def signed(value: float) -> str:
    """Return a difference with its sign."""
    shown = number(value)
    return shown if shown.startswith("-") or not float(shown.replace(",", "")) else f"+{shown}"


def perplexity(loss: float) -> str:
    """Return e to the loss as a person reads it."""
    found = math.exp(min(loss, 700))
    return f"{found:,.0f}" if found >= 100 else f"{found:.1f}"


def width(text: str) -> int:
    """Return the columns that `text` takes on a terminal; Chinese characters take two."""
    return sum(0 if combining(c) else 2 if east_asian_width(c) in "WF" else 1 for c in text)


def aligned(rows: Sequence[Sequence[str]], *, left: int) -> str:
    """Return a table with its first row ruled off; the first `left` columns are flush left."""
    widths = [max(map(width, column)) for column in zip(*rows, strict=True)]
    lines = [_line(row, widths, left) for row in rows]
    return "\n".join([lines[0], "  ".join("─" * w for w in widths), *lines[1:]])


def _line(row: Sequence[str], widths: Sequence[int], left: int) -> str:
    cells = []
    for at, (cell, wide) in enumerate(zip(row, widths, strict=True)):
        gap = " " * (wide - width(cell))
        cells.append(cell + gap if at < left else gap + cell)
    return "  ".join(cells).rstrip()
