"""`python -m allrounder.asking`: choose a batch whenever a line of standard input describes one."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from allrounder import errands
from allrounder.asking.doubting import refresh
from allrounder.asking.questions import ask
from allrounder.plan import make_plan


def choose(told: Mapping[str, Any]) -> None:
    """Append one batch to the ledger of the project that is described, then look for doubts."""
    folder = Path(told["folder"])
    plan = make_plan(told["sections"], folder=folder, name=told["name"])
    ask(plan, runs=folder / "runs", waits=False, tell=_silent)
    refresh(plan, runs=folder / "runs", tell=_silent)


def _silent(stage: str, done: float, total: float, word: str) -> None:
    """Tell nobody."""


if __name__ == "__main__":
    errands.run(choose)
