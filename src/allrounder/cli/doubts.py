"""`allrounder doubts`."""

import argparse
import sys
from typing import TYPE_CHECKING, Any

from allrounder.cli.shared import add_project, add_sets, add_verb, load, show
from allrounder.lazy import lazy

if TYPE_CHECKING:
    from allrounder import progress
else:
    progress = lazy("allrounder.progress")


def add(verbs: Any) -> None:
    """Add the verb to the command line."""
    text = "List the labels that are likely wrong, over all tasks."
    verb = add_verb(verbs, "doubts", doubts, text)
    add_project(verb, text="project file")
    add_sets(verb)
    verb.add_argument("-n", type=int, default=50, help="how many")
    verb.add_argument(
        "--task", metavar="TASK", action="append", default=[],
        help="look at this task only; may be given again",
    )  # fmt: skip


def doubts(arguments: argparse.Namespace) -> None:
    """List doubtful labels."""
    with progress.shown(arguments.quiet) as tell:
        found = load(arguments, tell).doubts(arguments.n, tasks=arguments.task)
    show(found, arguments)
    if not arguments.json and found.doubts:
        sys.stdout.write(f"\nSettle them (Doubts): allrounder label {arguments.project}\n")
