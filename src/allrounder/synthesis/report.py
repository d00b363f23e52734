"""What was made, what of it was kept, and why the rest was not."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from allrounder.evaluation.gate import GateReport
from allrounder.evaluation.table import aligned

SHOWN = 3
"""Examples of each kind."""

WIDE = 76
"""Characters of an example."""


@dataclass(kw_only=True)
class Row:
    """What one kind did for one task.

    Args:
        kind: the kind.
        task: the task.
        made: labels that were made.
        dropped: by reason, how many of them were dropped.
    """

    kind: str
    task: str
    made: int = 0
    dropped: Counter = field(default_factory=Counter)

    @property
    def kept(self) -> int:
        """How many were kept."""
        return self.made - self.dropped.total()

    @property
    def numbers(self) -> tuple[int, int, int]:
        """How many were made, dropped and kept."""
        return self.made, self.dropped.total(), self.kept

    @property
    def reasons(self) -> str:
        """Why labels were dropped, commonest first."""
        return ", ".join(f"{n:,} {why}" for why, n in self.dropped.most_common()) or "–"


@dataclass(kw_only=True)
class SynthesisReport:
    """What a synthesis came to.

    Args:
        folder: the folder of the synthesis.
        ledger: where what was kept lies.
        rows: what each kind did for each task.
        examples: by kind, texts and what was made of them.
        expired: how many labels of an earlier synthesis count no longer.
        notes: what else is worth knowing.
        seconds: that it took.
        gate: what each kind is worth, where that was judged.
    """

    folder: Path
    ledger: Path
    rows: list[Row]
    examples: dict[str, list[list[str]]]
    expired: int
    notes: list[str]
    seconds: float
    gate: GateReport | None = None

    @property
    def kinds(self) -> list[str]:
        """The kinds of which something was kept."""
        return list(dict.fromkeys(row.kind for row in self.rows if row.kept))

    def kept_of(self, kind: str) -> int:
        """Return how many labels of a kind were kept, of the task with most."""
        return max(row.kept for row in self.rows if row.kind == kind)

    @property
    def kept(self) -> int:
        """How many labels were kept."""
        return sum(row.kept for row in self.rows)

    def __str__(self) -> str:
        parts = [self._table(), *map(self._shown, self.examples), "\n".join(self.sentences)]
        parts += [str(self.gate or "")]
        return "\n\n".join(part for part in parts if part)

    def _table(self) -> str:
        head = ["kind", "task", "why dropped", "made", "dropped", "kept"]
        rows = [
            [row.kind, row.task, row.reasons, *(f"{n:,}" for n in row.numbers)] for row in self.rows
        ]
        return aligned([head, *rows], left=3) if rows else ""

    def _shown(self, kind: str) -> str:
        lines = [f"  {_short(old)}\n  → {_short(new)}" for old, new in self.examples[kind]]
        return "\n".join([kind, *lines]) if lines else ""

    @property
    def sentences(self) -> list[str]:
        """What is worth knowing."""
        gone = f"{self.expired:,} labels of an earlier synthesis count no longer."
        return [*([gone] if self.expired else []), *self.notes]

    def to_dict(self) -> dict[str, Any]:
        """Return the report as plain data."""
        return {
            "kinds": [
                {"kind": row.kind, "task": row.task, "made": row.made, "kept": row.kept,
                 "dropped": dict(row.dropped)}
                for row in self.rows
            ],
            "examples": self.examples,
            "ledger": str(self.ledger),
            "expired": self.expired,
            "seconds": self.seconds,
            "notes": self.sentences,
            "gate": self.gate and asdict(self.gate),
        }  # fmt: skip


class Tally:
    """The rows of a report, counted block by block."""

    def __init__(self) -> None:
        self.rows: dict[tuple[str, str], Row] = {}

    def count(
        self, kind: str, made: Mapping[str, int], dropped: Mapping[str, Mapping[str, int]]
    ) -> None:
        """Add what became of a block, by task."""
        for task, number in made.items():
            row = self.rows.setdefault((kind, task), Row(kind=kind, task=task))
            row.made += number
            row.dropped.update(dropped.get(task, {}))


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= WIDE else line[: WIDE - 1] + "…"


def shown(pairs: Sequence[list[str]], more: Sequence[list[str]]) -> list[list[str]]:
    """Return the first few examples."""
    return [*pairs, *more][:SHOWN]
