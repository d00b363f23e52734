"""`allrounder check`."""

import argparse
from typing import TYPE_CHECKING, Any

from allrounder.cli.shared import add_project, add_sets, add_verb, load, show
from allrounder.lazy import lazy

if TYPE_CHECKING:
    from allrounder import progress
else:
    progress = lazy("allrounder.progress")


def add(verbs: Any) -> None:
    """Add the verb to the command line."""
    verb = add_verb(verbs, "check", check, "Read every source and say what is there, untrained.")
    add_project(verb, text="project file")
    add_sets(verb)
    verb.add_argument(
        "--sharing", action="store_true",
        help="train the shared model for a minute, and say whether and how to share it",
    )  # fmt: skip


def check(arguments: argparse.Namespace) -> None:
    """Print what the sources hold."""
    with progress.shown(arguments.quiet) as tell:
        report = load(arguments, tell).check(sharing=arguments.sharing)
    show(report, arguments)
