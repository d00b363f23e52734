"""`allrounder synthesize`."""

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
    text = "Make labels from the training records, and keep the good ones in the ledger."
    verb = add_verb(verbs, "synthesize", synthesize, text)
    add_project(verb, text="project file")
    add_sets(verb)
    verb.add_argument("--resume", action="store_true", help="go on with the interrupted one")
    verb.add_argument(
        "--judge",
        action="store_true",
        help="train the tasks without and with what each kind made, and keep kinds that gain",
    )
    add_gate(verb, seeds=3, both="the models without and with them")


def synthesize(arguments: argparse.Namespace) -> None:
    """Make labels, then print what was made, what was kept, and how to train with it."""
    with progress.shown(arguments.quiet) as tell:
        project = load(arguments, tell)
        report = project.synthesize(
            resume=arguments.resume,
            judge=arguments.judge,
            seeds=arguments.seeds,
            budget=arguments.budget,
        )
    show(report, arguments)
    nothing = report.gate is not None and not report.gate.adopted
    if arguments.json or nothing or not report.kept:
        return
    sources = project.plan.sources
    if any(source.format == "ledger" for source in sources):
        word = f"Train with them: allrounder train {arguments.project}"
    else:
        word = "Train with them: add the source {path: ledger.db, format: ledger, split: train}"
    sys.stdout.write(f"\nLedger: {short(report.ledger)}\n{word}\n")
