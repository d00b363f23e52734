"""`allrounder kinds`."""

import argparse
import json
import sys
from typing import TYPE_CHECKING, Any

from allrounder.cli.shared import add_verb
from allrounder.lazy import lazy

if TYPE_CHECKING:
    from allrounder import catalogue
else:
    catalogue = lazy("allrounder.catalogue")


def add(verbs: Any) -> None:
    """Add the verb to the command line."""
    verb = add_verb(verbs, "kinds", kinds, "List every kind and its settings.")
    verb.add_argument("family", nargs="?", help="only this family, such as tasks")


def kinds(arguments: argparse.Namespace) -> None:
    """Print every kind with its settings."""
    found = catalogue.kinds(arguments.family)
    text = json.dumps(found, ensure_ascii=False) if arguments.json else catalogue.shown(found)
    sys.stdout.write(text + "\n")
