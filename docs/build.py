"""Write the pages that are made from the code: kinds.md and command-line.md.

Run it after a kind or a flag has changed; a test fails when a page is stale.
"""

import argparse
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from allrounder import catalogue, cli

DOCS = Path(__file__).parent


def kinds_page() -> str:
    """Return the page of every kind."""
    lines = [
        "# Kinds",
        "",
        "What can stand behind `kind:` in a project file. Your own class is written",
        "`module:Class`, or published as an entry point `allrounder.<family>`.",
        "",
    ]
    for family, kinds in catalogue.kinds().items():
        lines += [f"## {family}", ""]
        for kind, about in kinds.items():
            lines += [f"**`{kind}`**: {about['summary']}", ""]
            lines += ["| key | default | meaning |", "|---|---|---|"]
            lines += [
                f"| `{key}` | {_cell(about['default'])} | {about['meaning']} |"
                for key, about in about["settings"].items()
            ]
            lines += [""]
    return "\n".join(lines)


def _cell(default: object) -> str:
    return catalogue.plain(default).replace("|", "\\|")


def command_page() -> str:
    """Return the page of every verb, as `--help` prints it."""
    os.environ["COLUMNS"] = "96"
    top = cli.parser()
    lines = ["# Command line", "", "```text", top.format_help().strip(), "```", ""]
    for name, verb in _verbs(top):
        lines += [f"## {name}", "", "```text", verb.format_help().strip(), "```", ""]
    return "\n".join(lines)


def _verbs(parser: argparse.ArgumentParser, before: str = "") -> Iterator[tuple[str, Any]]:
    """Yield every verb, and the verbs below it, with its whole name."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for name, verb in action.choices.items():
                yield before + name, verb
                yield from _verbs(verb, f"{before}{name} ")


PAGES = {"kinds.md": kinds_page, "command-line.md": command_page}

if __name__ == "__main__":
    for name, page in PAGES.items():
        (DOCS / name).write_text(page(), encoding="utf-8")
