"""Run folders: one trained model, the project that made it, and what is known of it.

    runs/3/
      run.json               format version, state, when and with what it was made
      project.yaml           the project file with every default written out
      model.safetensors      weights (with `snapshots: own` also snapshots/*.safetensors)
      inputs/<input>/        configuration and tokenizer of each encoder
      calibration.json       temperatures and intervals by task
      metrics.json  report.html  card.md
      aside.csv              records that were set aside, if any
      plan.json  checkpoint.safetensors  steps/   what `train --resume` goes on from

Every file is written whole or not at all, and nothing is pickled.
"""

import hashlib
import json
import os
import platform
import shutil
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any, BinaryIO

import yaml

from allrounder.errors import RunError

FORMAT = 1
"""Version of the layout above; a newer one is refused, an older one is read."""


@contextmanager
def written_whole(path: Path) -> Iterator[BinaryIO]:
    """Open a file that appears whole or not at all, and only once it is on disk.

    Raises:
        RunError: where it cannot be written; what stood there before is left alone.
    """
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(draft, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except OSError as error:
        raise RunError(f"{path} could not be written: {error.strerror}.") from error
    finally:
        with suppress(OSError):
            draft.unlink()


def write_text(path: Path, text: str) -> None:
    """Write a file whole or not at all, and only return once it is on disk."""
    with written_whole(path) as file:
        file.write(text.encode("utf-8"))


def write_json(path: Path, data: Any) -> None:
    """Write JSON that a person can read."""
    write_text(path, json.dumps(data, indent=2, ensure_ascii=False) + "\n")


def write_yaml(path: Path, data: Any) -> None:
    """Write YAML with keys in the order given."""
    write_text(path, yaml.safe_dump(data, sort_keys=False, allow_unicode=True))


def next_numbered(folder: Path) -> Path:
    """Make the next numbered folder under `folder`, and return it."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        number = max([0, *(int(p.name) for p in folder.iterdir() if p.name.isdigit())]) + 1
        while True:
            with suppress(FileExistsError):
                (folder / str(number)).mkdir()
                return folder / str(number)
            number += 1
    except OSError as error:
        raise RunError(f"No run folder could be made under {folder}: {error}.") from error


class Run:
    """One run folder.

    Args:
        path: the folder.
        about: the contents of `run.json`.
    """

    def __init__(self, path: Path, about: dict[str, Any]) -> None:
        self.path = path
        self.about = about

    @classmethod
    def create(cls, folder: Path) -> "Run":
        """Make the next numbered folder under `folder`; `start` makes a run of it."""
        return cls(next_numbered(folder), {"format": FORMAT, "state": "training", **environment()})

    @classmethod
    def open(cls, path: Path) -> "Run":
        """Open a run folder, checking that this version can read it."""
        about = path / "run.json"
        if not about.exists():
            raise RunError(f"{path} is no run folder: it holds no run.json.")
        try:
            found = json.loads(about.read_text(encoding="utf-8"))
        except ValueError as error:
            raise RunError(f"{about} is not JSON: {error}.") from error
        if found.get("format", 0) > FORMAT:
            raise RunError(
                f"{path} was written by a newer Allrounder ({found.get('allrounder')}, run format "
                f"{found.get('format')}); this one reads formats up to {FORMAT}. "
                "Update it: pip install --upgrade allrounder"
            )
        return cls(path, found)

    def start(self, plan: Mapping[str, Any], records: str) -> None:
        """Note what is to be trained on what, so that it can be resumed.

        Args:
            plan: the project file with every default written out.
            records: the fingerprint of the records.
        """
        write_json(self.path / "plan.json", plan)
        self.about["records"] = records
        self.save()

    def check_records(self, records: str) -> None:
        """Refuse to go on with other records than the run began with."""
        if self.about.get("records") != records:
            raise RunError(
                f"{self.path} cannot go on: the records have changed since it was interrupted. "
                "Start anew: allrounder train"
            )

    @property
    def is_complete(self) -> bool:
        """Whether training came to its end."""
        return self.about.get("state") == "complete"

    def discard_if_empty(self) -> None:
        """Delete the folder if training never came to a first evaluation or checkpoint."""
        if not any(self.path.glob("**/*.safetensors")):
            shutil.rmtree(self.path, ignore_errors=True)

    def complete(self) -> None:
        """Mark the run as complete."""
        self.about["state"] = "complete"
        self.save()

    def save(self) -> None:
        """Write `run.json`."""
        write_json(self.path / "run.json", self.about)

    def project(self) -> dict[str, Any]:
        """Return the project file that made the run, every default written out."""
        path = self.path / "project.yaml"
        if not path.exists():
            raise RunError(f"{self.path} holds no project.yaml: the run is not complete.")
        return yaml.safe_load(path.read_text(encoding="utf-8"))

    def fingerprint(self) -> str:
        """Return what tells the weights of the run, and their calibration, from any others."""
        found = hashlib.sha256()
        files = [*self.path.glob("*.safetensors"), *self.path.glob("snapshots/*.safetensors")]
        for path in [*sorted(files), self.path / "calibration.json"]:
            found.update(path.name.encode())
            with open(path, "rb") as file:
                found.update(hashlib.file_digest(file, "sha256").digest())
        return found.hexdigest()

    def json(self, name: str) -> Any:
        """Return the contents of a JSON file of the run."""
        path = self.path / name
        if not path.exists():
            raise RunError(f"{self.path} holds no {name}: the run is not complete.")
        return json.loads(path.read_text(encoding="utf-8"))


def newest(folder: Path) -> Iterator[Run]:
    """Yield the runs under `folder`, the newest first."""
    numbers = sorted(
        (int(p.name) for p in folder.glob("*") if p.name.isdigit() and (p / "run.json").exists()),
        reverse=True,
    )
    for number in numbers:
        yield Run.open(folder / str(number))


def latest(folder: Path, *, complete: bool | None = True) -> Run:
    """Return the newest run under `folder`.

    Args:
        folder: where numbered runs lie.
        complete: only runs that came to their end, only those that did not, or any.
    """
    for run in newest(folder):
        if complete is None or run.is_complete == complete:
            return run
    wanted = {True: "complete ", False: "interrupted ", None: ""}[complete]
    raise RunError(f"There is no {wanted}run under {folder}. Try: allrounder train")


def environment() -> dict[str, Any]:
    """Return with what the run was made."""
    names = ("allrounder", "torch", "transformers", "tokenizers", "numpy", "pyarrow")
    versions: Mapping[str, str] = {name: _version(name) for name in names}
    return {
        "allrounder": versions["allrounder"],
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "python": sys.version.split()[0],
        "platform": platform.platform(),
        "cores": os.cpu_count(),
        "versions": dict(versions),
    }


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "not installed"
