"""`allrounder rules`."""

import argparse
from typing import TYPE_CHECKING, Any

from allrounder.cli.shared import (
    EXIT_BAD_INPUT,
    EXIT_OK,
    add_project,
    add_sets,
    add_verb,
    load,
    show,
)
from allrounder.lazy import lazy

if TYPE_CHECKING:
    from allrounder import progress
else:
    progress = lazy("allrounder.progress")


def add(verbs: Any) -> None:
    """Add the verb to the command line."""
    verb = add_verb(
        verbs, "rules", rules, "Check the rules of a project, or try them on their tests."
    )
    verb.add_argument(
        "action", choices=["check", "test"],
        help="check: conflicts, dead and redundant rules; test: every rule on its own cases",
    )  # fmt: skip
    add_project(verb, text="project file")
    add_sets(verb)


def rules(arguments: argparse.Namespace) -> int:
    """Print what is wrong with rules; exit code 2 where they conflict or a test fails."""
    with progress.shown(arguments.quiet) as tell:
        project = load(arguments, tell)
        report = project.check_rules() if arguments.action == "check" else project.test_rules()
    show(report, arguments)
    return EXIT_BAD_INPUT if report.failed else EXIT_OK
