"""What the verbs share: options that several take, and how their answers are printed."""

import argparse
import json
import re
import sys
from pathlib import Path
from typing import Any

import allrounder
from allrounder.errors import ProjectError

CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
"""Signs that may steer a terminal: C0 but line ends and tabs, DEL, and C1."""

EXIT_OK, EXIT_BAD_INPUT, EXIT_STOPPED = 0, 2, 130


def add_verb(verbs: Any, name: str, run: Any, text: str) -> argparse.ArgumentParser:
    """Add a verb that does `run`; the first sentence of `text` stands in the list of verbs."""
    verb = verbs.add_parser(name, help=text.split(".")[0].lower(), description=text)
    verb.set_defaults(verb=run)
    verb.add_argument("--json", action="store_true", help="print JSON for machines")
    return verb


def add_project(verb: argparse.ArgumentParser, *, text: str) -> None:
    """Let a verb take a project file or a run."""
    verb.add_argument("project", help=text)
    verb.add_argument("--quiet", action="store_true", help="no progress bars")


def add_gate(verb: argparse.ArgumentParser, *, seeds: int, both: str) -> None:
    """Let a verb that trains several models say how often, and for how long.

    Args:
        verb: the verb.
        seeds: how many seeds by default.
        both: what is trained.
    """
    verb.add_argument("--seeds", type=int, default=seeds, help=f"seeds of {both}")
    verb.add_argument(
        "--budget",
        type=float,
        default=1.0,
        metavar="SHARE",
        help=f"share of the epochs that {both} are trained for",
    )


def add_sets(verb: argparse.ArgumentParser) -> None:
    """Let a verb change keys of the project file."""
    verb.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", dest="changes",
        help="change one key of the project file, as in training.lr=1e-4",
    )  # fmt: skip


def add_reading(verb: argparse.ArgumentParser) -> None:
    """Let a verb say how its data is read."""
    verb.add_argument("--format", help="format of the data, where its suffix does not tell")
    verb.add_argument(
        "--map", action="append", default=[], metavar="COLUMN=NAME",
        help="read a field or a task from a column of another name",
    )  # fmt: skip


def load(arguments: argparse.Namespace, tell: Any) -> "allrounder.Project":
    """Return the project that is named, changed by `--set`."""
    changes = getattr(arguments, "changes", [])
    return allrounder.Project.load(arguments.project, changes=changes, tell=tell)


def show(thing: Any, arguments: argparse.Namespace) -> None:
    """Print what a verb came to, with `--json` as JSON."""
    if arguments.json:
        text = escaped(json.dumps(thing.to_dict(), ensure_ascii=False))
    else:
        text = harmless(str(thing))
    sys.stdout.write(text + "\n")


def harmless(text: str) -> str:
    """Return a text without what may steer a terminal: models and records may hold anything."""
    return CONTROLS.sub("", text)


def escaped(told: str) -> str:
    """Return JSON that says the same, with DEL and C1 escaped as `json` escapes C0 already."""
    return CONTROLS.sub(lambda found: f"\\u{ord(found[0]):04x}", told)


def renamed(arguments: argparse.Namespace) -> dict[str, str]:
    """Return what `--map` says; a pair without `=` is refused."""
    return dict(_pair(pair) for pair in arguments.map)


def _pair(text: str) -> tuple[str, str]:
    column, equals, field = text.partition("=")
    if not equals:
        raise ProjectError(f"--map {text!r}: expected COLUMN=NAME.")
    return column, field


def short(path: Path) -> str:
    """Return a path as seen from here."""
    try:
        return str(path.resolve().relative_to(Path.cwd()))
    except ValueError:
        return str(path)
