"""`allrounder pretrain`."""

import argparse
import sys
from typing import TYPE_CHECKING, Any

from allrounder.cli.shared import add_gate, add_project, add_sets, add_verb, load, short, show
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
    verb.add_argument(
        "--judge",
        action="store_true",
        help="train the tasks without and with it, and adopt it where that is a gain",
    )
    add_gate(verb, seeds=3, both="the models without and with it")
    verb.add_argument(
        "--out",
        metavar="NAME",
        help="the project file that adopts it; default: PROJECT.pretrained.yaml",
    )


def pretrain(arguments: argparse.Namespace) -> None:
    """Pretrain, then print how the loss fell and how to train with what came of it."""
    with progress.shown(arguments.quiet) as tell:
        project = load(arguments, tell)
        report = project.pretrain(
            resume=arguments.resume,
            judge=arguments.judge,
            seeds=arguments.seeds,
            budget=arguments.budget,
            out=arguments.out,
        )
    show(report, arguments)
    if not arguments.json and report.encoder is not None:
        sys.stdout.write(
            f"\nCurve: {short(report.folder / 'curve.svg')}\n{_next(report, project, arguments)}"
        )


def _next(report: Any, project: Any, arguments: argparse.Namespace) -> str:
    """Say how to train with what came of it, unless it was judged and found no gain."""
    if report.proposed is not None:
        return f"Train with it: allrounder train {short(report.proposed)}\n"
    if report.gate is not None:
        return ""
    inner = report.encoder.resolve().relative_to(project.plan.folder.resolve())
    return (
        f"Train with it: allrounder train {arguments.project} "
        f"--set inputs.{report.input}.model={inner}\n"
    )
