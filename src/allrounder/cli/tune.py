"""`allrounder tune`."""

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
    verb = add_verb(verbs, "tune", tune, "Search keys of the project file for better values.")
    add_project(verb, text="project file")
    add_sets(verb)
    verb.add_argument(
        "--search", action="append", default=[], metavar="KEY=KIND(…)",
        help="where to search one key: training.lr=log(1e-5,1e-3), tasks.topic.weight="
        "uniform(0.5,2), training.epochs=int(2,8), inputs.text.tune=choice(full,lora)",
    )  # fmt: skip
    verb.add_argument("--trials", type=int, metavar="N", help="trials in all; default: 20")
    verb.add_argument(
        "--workers", type=int, default=1, metavar="N",
        help="trials trained at a time, which share the cores; default: 1",
    )  # fmt: skip
    verb.add_argument("--resume", action="store_true", help="go on with the latest search")
    verb.add_argument(
        "--out", metavar="NAME", help="name of the best project file; default: PROJECT.best.yaml"
    )


def tune(arguments: argparse.Namespace) -> None:
    """Search, then print the best trials and where the best project file lies."""
    with progress.shown(arguments.quiet) as tell:
        report = load(arguments, tell).tune(
            arguments.search,
            trials=arguments.trials,
            workers=arguments.workers,
            out=arguments.out,
            resume=arguments.resume,
        )
    show(report, arguments)
    if not arguments.json:
        best = short(report.best_file)
        sys.stdout.write(
            f"\nReport: {short(report.folder / 'report.html')}\n"
            f"Judge the best on test records: allrounder train {best}\n"
        )
