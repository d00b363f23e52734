"""`allrounder pretrain`."""

import argparse
import sys
from typing import TYPE_CHECKING, Any

from allrounder.cli.shared import add_project, add_sets, add_verb, load, short, show
from allrounder.lazy import lazy

if TYPE_CHECKING:
    from allrounder import progress
else:
    progress = lazy("allrounder.progress")


def add(verbs: Any) -> None:
    """Add the verb to the command line."""
    text = "Let an encoder learn on the project's texts, without labels."
    verb = add_verb(verbs, "pretrain", pretrain, text)
    add_project(verb, text="project file")
    add_sets(verb)
    verb.add_argument("--resume", action="store_true", help="go on with the interrupted one")


def pretrain(arguments: argparse.Namespace) -> None:
    """Pretrain, then print how the loss fell and how to train with what came of it."""
    with progress.shown(arguments.quiet) as tell:
        project = load(arguments, tell)
        report = project.pretrain(resume=arguments.resume)
    show(report, arguments)
    if not arguments.json and report.encoder is not None:
        inner = report.encoder.resolve().relative_to(project.plan.folder.resolve())
        sys.stdout.write(
            f"\nCurve: {short(report.folder / 'curve.svg')}\n"
            f"Train with it: allrounder train {arguments.project} "
            f"--set inputs.{report.input}.model={inner}\n"
        )
