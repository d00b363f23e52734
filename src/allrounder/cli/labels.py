"""`allrounder labels`: labels of people, into files and out of them."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from allrounder.cli.shared import add_project, add_sets, add_verb, load, renamed, show
from allrounder.lazy import lazy

if TYPE_CHECKING:
    from allrounder import progress
else:
    progress = lazy("allrounder.progress")

FORMATS = "jsonl, csv, parquet, conll, label-studio or prodigy; default: what the suffix says"


def add(verbs: Any) -> None:
    """Add the verbs to the command line."""
    text = "Labels of people into files and out of them; add, rename and merge a task's labels."
    verbs = verbs.add_parser("labels", help=text.split(".")[0].lower(), description=text)
    verbs = verbs.add_subparsers(metavar="VERB", required=True)
    verb = add_verb(verbs, "export", export, "Write the labels that people gave into a file.")
    _add_file(verb, "file to write")
    verb.add_argument("--task", help="only labels of this task")
    verb = add_verb(
        verbs, "import", import_file,
        "Add the labels of a file to the ledger. What is in it already is not added again.",
    )  # fmt: skip
    _add_file(verb, "file to read")
    verb.add_argument("--task", help="the task that all of it is about, where it does not say")
    verb.add_argument(
        "--map", action="append", default=[], metavar="NAME=NAME",
        help="what a field or a task of the file is called here",
    )  # fmt: skip
    verb.add_argument(
        "--who", default="import", metavar="NAME",
        help="the person, where the file names nobody; default: import",
    )  # fmt: skip
    verb.add_argument("--dry-run", action="store_true", help="only show what would be added")
    verb = add_verb(verbs, "add", add_labels, "Add labels to a task.")
    _add_task(verb)
    verb.add_argument("name", nargs="+", help="the new label; several may be given")
    verb = add_verb(
        verbs, "rename", rename,
        "Give a label another name, or merge it into one that is there. Files and answers stay.",
    )  # fmt: skip
    _add_task(verb)
    verb.add_argument("old", help="the label")
    verb.add_argument("new", help="its new name, or the label that it is merged into")
    verb.add_argument("--dry-run", action="store_true", help="only say what it concerns")


def _add_task(verb: argparse.ArgumentParser) -> None:
    add_project(verb, text="project file")
    verb.add_argument("task", help="the task")


def _add_file(verb: argparse.ArgumentParser, text: str) -> None:
    add_project(verb, text="project file")
    add_sets(verb)
    verb.add_argument("file", type=Path, help=text)
    verb.add_argument("--format", help=FORMATS)


def export(arguments: argparse.Namespace) -> None:
    """Print how many labels were written."""
    with progress.shown(arguments.quiet) as tell:
        project = load(arguments, tell)
        report = project.export_labels(arguments.file, format=arguments.format, task=arguments.task)
    show(report, arguments)


def import_file(arguments: argparse.Namespace) -> None:
    """Print what was added, or what would be."""
    with progress.shown(arguments.quiet) as tell:
        project = load(arguments, tell)
        report = project.import_labels(
            arguments.file,
            format=arguments.format,
            task=arguments.task,
            map=renamed(arguments),
            who=arguments.who,
            dry_run=arguments.dry_run,
        )
    show(report, arguments)


def add_labels(arguments: argparse.Namespace) -> None:
    """Print the labels of the task, the new ones among them."""
    with progress.shown(arguments.quiet) as tell:
        report = load(arguments, tell).add_labels(arguments.task, arguments.name)
    show(report, arguments)


def rename(arguments: argparse.Namespace) -> None:
    """Print what was renamed or merged, or what would be."""
    with progress.shown(arguments.quiet) as tell:
        project = load(arguments, tell)
        options = {"dry_run": arguments.dry_run}
        report = project.rename_label(arguments.task, arguments.old, arguments.new, **options)
    show(report, arguments)
