"""`allrounder label`."""

import argparse
import sys
import threading
import webbrowser
from typing import TYPE_CHECKING, Any

from allrounder.cli.shared import add_project, add_sets, add_verb, harmless, load, show
from allrounder.lazy import lazy

if TYPE_CHECKING:
    from allrounder import labeling, progress
else:
    labeling, progress = lazy("allrounder.labeling"), lazy("allrounder.progress")


def add(verbs: Any) -> None:
    """Add the verb to the command line."""
    verb = add_verb(verbs, "label", label, "Open the page where people label records.")
    add_project(verb, text="project file")
    add_sets(verb)
    verb.add_argument(
        "--host", default="127.0.0.1",
        help="address to be reached at; other machines need named people; default: 127.0.0.1",
    )  # fmt: skip
    verb.add_argument("--port", type=int, help="default: the first free one from 8400")
    verb.add_argument(
        "--open", action=argparse.BooleanOptionalAction, default=sys.stdout.isatty(),
        help="open the page in a browser; default: on a terminal",
    )  # fmt: skip
    verb.add_argument(
        "--add", metavar="NAME", help="let NAME label, or give a new link, shown once; then stop"
    )
    verb.add_argument(
        "--role", default="annotator", choices=["annotator", "reviewer", "owner"],
        help="of the NAME that is added; default: annotator",
    )  # fmt: skip


def label(arguments: argparse.Namespace) -> None:
    """Serve the page until Ctrl+C, or add a person."""
    if arguments.add is not None:
        _add_person(arguments)
        return

    def ready(told: "labeling.Ready") -> None:
        show(told, arguments)
        sys.stdout.flush()
        if arguments.open:
            threading.Thread(target=webbrowser.open, args=[told.url], daemon=True).start()

    with progress.shown(arguments.quiet) as tell:
        project = load(arguments, tell)
        try:
            project.label(host=arguments.host, port=arguments.port, ready=ready)
        except KeyboardInterrupt:
            sys.stderr.write("\nStopped. Every answer that the page calls saved is kept.\n")


def _add_person(arguments: argparse.Namespace) -> None:
    project = load(arguments, None)
    people = labeling.People(project.plan.folder / labeling.PEOPLE)
    token = people.add(arguments.add, arguments.role)
    shown = f"[{arguments.host}]" if ":" in arguments.host else arguments.host
    url = f"http://{shown}:{arguments.port or labeling.PORT}/#token={token}"
    if arguments.json:
        show(_Added(arguments.add, arguments.role, url), arguments)
        return
    sys.stdout.write(
        harmless(f"{arguments.add} may label as {arguments.role}, by this link, shown only now:\n")
        + f"{url}\n"
    )


class _Added:
    """A person who may label, with a link."""

    def __init__(self, name: str, role: str, url: str) -> None:
        self.told = {"name": name, "role": role, "url": url}

    def to_dict(self) -> dict[str, str]:
        return self.told
