"""A value with its interval."""

from dataclasses import dataclass

from allrounder.evaluation.table import number


@dataclass(kw_only=True)
class Score:
    """A value and its 95 % bootstrap interval."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{number(self.value)} [{number(self.low)}, {number(self.high)}]"
