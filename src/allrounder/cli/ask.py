"""`allrounder ask`."""

import argparse
import sys
from typing import TYPE_CHECKING, Any

from allrounder.cli.shared import add_project, add_sets, add_verb, load, show
from allrounder.errors import ProjectError
from allrounder.lazy import lazy

if TYPE_CHECKING:
    from allrounder import progress
else:
    progress = lazy("allrounder.progress")


def add(verbs: Any) -> None:
    """Add the verb to the command line."""
    text = "Choose the questions most worth asking people next, and put them into the ledger."
    verb = add_verb(verbs, "ask", ask, text)
    add_project(verb, text="project file")
    add_sets(verb)
    verb.add_argument("-n", type=int, help="how many questions; default: active.n")
    verb.add_argument(
        "--minutes", type=float, help="as many as people can answer in this time, instead of -n"
    )
    verb.add_argument(
        "--strategy", metavar="KIND", action="append",
        help="another way to choose than the project's; with --simulate several",
    )  # fmt: skip
    verb.add_argument(
        "--simulate", action="store_true",
        help="replay labels that are there, and say what each strategy would have gained",
    )  # fmt: skip
    verb.add_argument("--rounds", type=int, default=20, help="rounds of a replay")
    verb.add_argument("--seeds", type=int, default=3, help="how often it is replayed")


def ask(arguments: argparse.Namespace) -> None:
    """Choose questions, or replay how choosing would have gone."""
    kinds = arguments.strategy or []
    if len(kinds) > 1 and not arguments.simulate:
        raise ProjectError("Several --strategy can be compared with --simulate; ask by one.")
    with progress.shown(arguments.quiet) as tell:
        project = load(arguments, tell)
        if arguments.simulate:
            options = {"n": arguments.n, "rounds": arguments.rounds, "seeds": arguments.seeds}
            found = project.simulate(kinds, **options)
        else:
            kind = kinds[0] if kinds else None
            found = project.ask(arguments.n, minutes=arguments.minutes, strategy=kind)
    show(found, arguments)
    if not arguments.json and not arguments.simulate and found.questions:
        sys.stdout.write(f"\nAnswer them: allrounder label {arguments.project}\n")
