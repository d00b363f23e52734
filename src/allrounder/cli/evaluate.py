"""`allrounder evaluate`."""

import argparse
from typing import TYPE_CHECKING, Any

from allrounder.cli.shared import add_gate, add_project, add_reading, add_verb, load, renamed, show
from allrounder.errors import ProjectError
from allrounder.lazy import lazy

if TYPE_CHECKING:
    from allrounder import progress
else:
    progress = lazy("allrounder.progress")


def add(verbs: Any) -> None:
    """Add the verb to the command line."""
    verb = add_verb(verbs, "evaluate", evaluate, "Judge a run on labelled records.")
    add_project(verb, text="run folder, or project file for its latest run")
    verb.add_argument("--split", default="test", choices=["train", "validation", "test"])
    verb.add_argument("--data", help="judge on all records of this file instead")
    verb.add_argument(
        "--twins",
        action="store_true",
        help="train each task alone too, and tell what sharing did to it",
    )
    add_gate(verb, seeds=1, both="shared model and twins")
    add_reading(verb)


def evaluate(arguments: argparse.Namespace) -> None:
    """Print the table of the report."""
    with progress.shown(arguments.quiet) as tell:
        project = load(arguments, tell)
        if arguments.twins:
            report = _with_twins(project, arguments)
        else:
            report = project.evaluate(
                split=arguments.split,
                data=arguments.data,
                format=arguments.format,
                map=renamed(arguments),
            )
    show(report, arguments)


def _with_twins(project: Any, arguments: argparse.Namespace) -> Any:
    if arguments.data or arguments.split != "test":
        raise ProjectError(
            "--twins are judged on the test records of the project: leave --data and --split out."
        )
    return project.evaluate_twins(seeds=arguments.seeds, budget=arguments.budget)
