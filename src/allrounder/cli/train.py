"""`allrounder train`."""

import argparse
import sys
from typing import TYPE_CHECKING, Any

from allrounder.cli.shared import add_project, add_sets, add_verb, load, short, show
from allrounder.errors import ProjectError
from allrounder.lazy import lazy

if TYPE_CHECKING:
    from allrounder import progress
else:
    progress = lazy("allrounder.progress")


def add(verbs: Any) -> None:
    """Add the verb to the command line."""
    verb = add_verb(verbs, "train", train, "Train one model for all tasks and judge it.")
    add_project(verb, text="project file")
    add_sets(verb)
    verb.add_argument("--resume", action="store_true", help="go on with the interrupted run")


def train(arguments: argparse.Namespace) -> None:
    """Train, then print the table of the report."""
    if arguments.resume and arguments.changes:
        raise ProjectError(
            "--set cannot go with --resume: an interrupted run goes on as it began. Start anew "
            "without --resume."
        )
    with progress.shown(arguments.quiet) as tell:
        project = load(arguments, tell)
        report = project.train(resume=arguments.resume)
    show(report, arguments)
    if not arguments.json:
        sys.stdout.write(f"\nReport: {short(project.run.path / 'report.html')}\n")
