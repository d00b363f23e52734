"""`python -m allrounder.asking`: choose a batch for the project that standard input describes."""

import json
import sys
from pathlib import Path

from allrounder.asking.questions import ask
from allrounder.errors import Error
from allrounder.plan import make_plan


def main() -> int:
    """Append one batch to the ledger; what is wrong is told on standard error."""
    told = json.load(sys.stdin)
    folder = Path(told["folder"])
    try:
        plan = make_plan(told["sections"], folder=folder, name=told["name"])
        ask(plan, runs=folder / "runs", tell=lambda *_: None)
    except Error as error:
        sys.stderr.write(f"{error}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
