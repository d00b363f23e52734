"""The folder of one search: what is searched, what came of every trial, and who is at work.

tuning/2/
  study.db       every trial, in SQLite: written by one process, whole after every change
  search.json    the spaces, the seed, the number of trials, the fingerprint of the records
  project.yaml   the project file that was searched, as it was written
  report.html    the search drawn
  workers.log    what the workers had to say
  trials/        scratch of the trials that are going on
  lock           held by the search and by its workers as long as they live
"""

import fcntl
import json
import os
import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from allrounder.documents import from_yaml, to_yaml
from allrounder.errors import RunError
from allrounder.plan import Plan, make_plan
from allrounder.runs import next_numbered, write_json, write_text
from allrounder.tuning.space import Space, read_spaces

PATIENCE = 10.0
"""Seconds that a resumed search gives the workers of a dead one to notice and end."""


@dataclass(kw_only=True)
class Search:
    """What one search is: enough to go on with it.

    Args:
        search: the spaces as they were written.
        trials: how many trials are to end.
        seed: of the sampler.
        records: the fingerprint of the records.
        name: the name of the project file.
        project_folder: what its paths are relative to, seen from the folder of the search.
    """

    search: list[str]
    trials: int
    seed: int
    records: str
    name: str
    project_folder: str

    @property
    def spaces(self) -> list[Space]:
        """Where is searched."""
        return read_spaces(self.search)


class Folder:
    """The folder of one search.

    Args:
        path: the folder.
        search: what is searched.
    """

    def __init__(self, path: Path, search: Search) -> None:
        self.path, self.search = path, search

    @classmethod
    def create(cls, plan: Plan, spaces: Sequence[Space], *, trials: int, records: str) -> "Folder":
        """Make the next numbered folder beside `runs`."""
        path = next_numbered(plan.folder / "tuning")
        search = Search(
            search=[space.text for space in spaces],
            trials=trials,
            seed=plan.training.seed,
            records=records,
            name=plan.name,
            project_folder=os.path.relpath(plan.folder, path),
        )
        write_text(path / "project.yaml", to_yaml(plan.sections))
        folder = cls(path, search)
        folder.save()
        return folder

    @classmethod
    def open(cls, path: Path) -> "Folder":
        """Open the folder of a search that began."""
        about = json.loads((path / "search.json").read_text(encoding="utf-8"))
        return cls(path, Search(**about))

    @classmethod
    def latest(cls, plan: Plan) -> "Folder":
        """Return the newest search of a project that can be gone on with."""
        for path in sorted(
            (p for p in (plan.folder / "tuning").glob("*") if p.name.isdigit()),
            key=lambda p: -int(p.name),
        ):
            if (path / "search.json").exists() and cls.open(path).search.name == plan.name:
                return cls.open(path)
        raise RunError(
            f"There is no search of {plan.name} under {plan.folder / 'tuning'}. "
            "Start one: allrounder tune"
        )

    def save(self) -> None:
        """Write `search.json`, the file that makes a search of the folder."""
        write_json(self.path / "search.json", asdict(self.search))

    def plan(self) -> Plan:
        """Return the plan that is searched."""
        sections = from_yaml((self.path / "project.yaml").read_text(encoding="utf-8"))
        folder = (self.path / self.search.project_folder).resolve()
        return make_plan(sections, folder=folder, name=self.search.name)

    def scratch(self, number: int) -> Path:
        """Return where a trial keeps its snapshots as long as it goes on."""
        return self.path / "trials" / str(number)

    def tidy(self) -> None:
        """Delete what trials left behind."""
        shutil.rmtree(self.path / "trials", ignore_errors=True)

    def check_same(self, plan: Plan, spaces: Sequence[Space], records: str) -> None:
        """Refuse to go on with another search than the one that began."""
        if spaces and [space.text for space in spaces] != self.search.search:
            raise RunError(
                f"{self.path} cannot go on: it searches {' '.join(self.search.search)}. Resume it "
                "without --search, or start anew without --resume."
            )
        if (self.path / "project.yaml").read_text(encoding="utf-8") != to_yaml(plan.sections):
            raise RunError(
                f"{self.path} cannot go on: the project file has changed since it began. Start "
                "anew without --resume."
            )
        if records != self.search.records:
            raise RunError(
                f"{self.path} cannot go on: the records have changed since it began. Start anew "
                "without --resume."
            )

    @contextmanager
    def held(self) -> Iterator[int]:
        """Hold the folder, for this process and every one that inherits the number given.

        Raises:
            RunError: another search holds it, or a worker that does not end.
        """
        with open(self.path / "lock", "a", encoding="utf-8") as file:
            until = time.monotonic() + PATIENCE
            while not _taken(file.fileno()):
                if time.monotonic() > until:
                    raise RunError(f"{self.path} is being searched by another process. Let it end.")
                time.sleep(0.05)
            yield file.fileno()


def _taken(number: int) -> bool:
    try:
        fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@contextmanager
def one_at_a_time(path: Path) -> Iterator[None]:
    """Wait until no other process is inside a block that names the same file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "a", encoding="utf-8") as file:
        fcntl.flock(file.fileno(), fcntl.LOCK_EX)
        yield
