"""Opening a project for labelling, on an address of this machine."""

import ipaddress
import socket
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from typing import Any

from allrounder.checking import load_records
from allrounder.errors import MissingExtra, ProjectError
from allrounder.labeling.chooser import Chooser
from allrounder.labeling.desk import Desk, read_guidelines
from allrounder.labeling.forms import forms
from allrounder.labeling.locks import Locks
from allrounder.labeling.looks import Doubts, Kept
from allrounder.labeling.milestones import Milestones
from allrounder.labeling.people import NAME, People
from allrounder.labeling.pool import Pool
from allrounder.ledger import Answers
from allrounder.plan import Plan, make_plan, read_plan
from allrounder.relabeling import project_file

PORT = 8400

TRIES = 20
"""Ports that are tried where none is named."""

Tell = Callable[[str, float, float, str], None]


@dataclass(frozen=True)
class Ready:
    """A page that can be opened.

    Args:
        url: its address.
        project: the name of the project.
        records: how many records can be labelled.
        tasks: the tasks that are asked.
        left_out: those that are not.
    """

    url: str
    project: str
    records: int
    tasks: list[str]
    left_out: list[str]

    def to_dict(self) -> dict[str, Any]:
        """Return plain data, ready for JSON."""
        return vars(self).copy()

    def __str__(self) -> str:
        return f"Label {self.project} at {self.url} (Ctrl+C stops)"


def serve(
    plan: Plan,
    *,
    host: str = "127.0.0.1",
    port: int | None = None,
    ready: Callable[[Ready], None],
    tell: Tell | None = None,
) -> None:
    """Serve the labelling page until somebody stops it.

    Args:
        plan: the project.
        host: the address to be reached at; any but this machine's own needs named people.
        port: the port; by default the first free one from 8400.
        ready: called once, when the page can be opened.
        tell: called as records are read.

    Raises:
        ProjectError: the project cannot be labelled, or the address cannot be had.
        MissingExtra: the server is not installed.
    """
    people = People(plan.folder / NAME)
    _check_host(host, people)
    with closing(_bound(host, port)) as taken, open_answers(plan) as answers:
        desk = _attended(open_desk(plan, answers, tell=tell), plan)
        shown = f"[{host}]" if ":" in host else host
        url = f"http://{shown}:{taken.getsockname()[1]}/"
        ready(Ready(url, desk.name, len(desk.pool), list(desk.forms), desk.left_out))
        _run(desk, people, taken, [*plan.label.hosts, host])


def _attended(desk: Desk, plan: Plan) -> Desk:
    """Return a desk beside which questions are chosen and models are trained."""
    desk.chooser = Chooser.of(plan) if plan.label.ask else None
    desk.milestones = Milestones.of(plan)
    return desk


def _closed(desk: Desk) -> None:
    for beside in (desk.chooser, desk.milestones):
        if beside is not None:
            beside.close()


def reopened(desk: Desk) -> Desk:
    """Return a project with the tasks that its file has now, and close what was open of it."""
    assert desk.plan is not None
    tasks = read_plan(project_file(desk.plan)).sections["tasks"]
    sections = {**desk.plan.sections, "tasks": tasks}
    plan = make_plan(sections, folder=desk.plan.folder, name=desk.plan.name)
    found = open_desk(plan, desk.answers)
    if desk.chooser is not None or desk.milestones is not None:
        _closed(desk)
        _attended(found, plan)
    return found


def open_answers(plan: Plan) -> Answers:
    """Return the ledger of a project."""
    return Answers(plan.where)


def open_desk(plan: Plan, answers: Answers, *, tell: Tell | None = None) -> Desk:
    """Return a project, ready for people to label."""
    records = load_records(plan, trains=False, tell=tell)
    asked, left_out = forms(plan, records)
    desk = Desk(
        plan.name,
        Pool(records, plan.inputs),
        asked,
        left_out=left_out,
        answers=answers,
        settings=plan.label,
        locks=Locks(answers, seconds=60 * plan.label.lock_minutes),
    )
    desk.doubtful = Doubts(plan.cache / "doubts.json", desk.pool, desk.board)
    desk.plan = plan
    desk.review = Kept(plan.cache / "review.json")
    if plan.label.guidelines:
        desk.guidelines = read_guidelines(plan.folder / plan.label.guidelines)
    return desk


def _run(desk: Desk, people: People, taken: socket.socket, hosts: list[str]) -> None:
    try:
        import uvicorn

        from allrounder.labeling.app import Server
    except ImportError:
        raise MissingExtra(
            "The labelling page needs a server. Try: pip install 'allrounder[label]'"
        ) from None
    options: dict[str, Any] = {"log_level": "warning", "ws": "none", "lifespan": "off"}
    server = Server(desk, people)
    server.reopened = reopened
    config = uvicorn.Config(
        server.app(hosts),
        server_header=False,
        timeout_graceful_shutdown=3,
        **options,
    )
    try:
        uvicorn.Server(config).run(sockets=[taken])
    finally:
        _closed(server.desk)


def _check_host(host: str, people: People) -> None:
    if not is_loopback(host) and not people:
        raise ProjectError(
            f"{host} can be reached from other machines, and nobody is named who may label. Name "
            f"people first: allrounder label PROJECT --add NAME (they stand in {people.path})."
        )


def is_loopback(host: str) -> bool:
    """Return whether an address is reached from this machine alone."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _bound(host: str, port: int | None) -> socket.socket:
    """Return a socket that listens; where no port is named, at the first free one."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    tried = range(PORT, PORT + TRIES) if port is None else [port]
    if port is not None and not 0 <= port < 1 << 16:
        raise ProjectError(f"--port {port}: a port is a number from 0 to 65535.")
    why = ""
    for number in tried:
        try:
            return socket.create_server((host, number), family=family, backlog=256)
        except OSError as error:
            why = error.strerror or str(error)
    place = f"port {port}" if port is not None else f"ports {PORT} to {PORT + TRIES - 1}"
    raise ProjectError(f"{host}, {place} cannot be had: {why}. Name another: --port N.")
