"""Lines of a file that give no record, counted while the others are read."""

from collections.abc import Generator
from dataclasses import dataclass, field

import pyarrow as pa


@dataclass
class Skipped:
    """How many lines of one file were skipped, and where to look for them.

    Args:
        where: The file, as the user calls it.
        num_lines: All its lines.
        counts: What is wrong with lines → how many are so.
        first: The same → the number of the first such line.
    """

    where: str
    num_lines: int = 0
    counts: dict[str, int] = field(default_factory=dict)
    first: dict[str, int] = field(default_factory=dict)

    def add(self, why: str, line: int) -> None:
        """Count one line."""
        self.counts[why] = self.counts.get(why, 0) + 1
        self.first.setdefault(why, line)

    @property
    def reasons(self) -> str:
        """The counts with the first lines, as part of a sentence."""
        return ", ".join(
            f"{n:,} {why} ({'first: ' if n > 1 else ''}line {self.first[why]})"
            for why, n in self.counts.items()
        )

    def __str__(self) -> str:
        n = sum(self.counts.values())
        were = "was" if n == 1 else "were"
        return f"{self.where}: {n:,} of {self.num_lines:,} lines {were} skipped: {self.reasons}."


Batches = Generator[pa.RecordBatch, None, Skipped | None]
"""The records of a file, a few thousand at a time; what it returns says what was skipped."""
