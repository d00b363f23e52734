"""A file of labels that somebody drops on the page: looked at first, then added to the ledger."""

import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any
from uuid import uuid4

from allrounder.errors import DataError, Error, listed
from allrounder.exchange import FORMATS, SUFFIXES
from allrounder.labels import Imported, import_labels
from allrounder.plan import Plan

MOST_BYTES = 32 << 20
"""Of a file."""

HOUR = 3600.0
"""Seconds after which a file that a killed server left behind is deleted."""

LONGEST = 100

_reading = threading.Lock()
"""Held while a file is read: one at a time, so memory is bounded."""


@dataclass(frozen=True, kw_only=True)
class Choices:
    """What the person says of a file.

    Args:
        name: what it is called; only its suffix matters.
        format: its format, where the suffix does not tell.
        task: the one task that all of it is to.
        who: whose the labels are, where the file names nobody.
        map: names of the file to fields and tasks.
        dry_run: only look what would be added.
    """

    name: str
    format: str | None = None
    task: str | None = None
    who: str = "import"
    map: Mapping[str, str] = field(default_factory=dict)
    dry_run: bool = True

    @classmethod
    def of(cls, told: Callable[[str], str | None]) -> "Choices":
        """Return what a request says, with a name that is no path.

        Raises:
            DataError: `who` is no name, or `map` is not written as pairs.
        """
        last = PurePosixPath(PureWindowsPath(told("name") or "").name).name[-LONGEST:]
        who = (told("who") or "").strip() or "import"
        if len(who) > LONGEST or not who.isprintable():
            raise DataError(f"A name is a text of 1 to {LONGEST} letters. Got {who!r:.80}.")
        return cls(
            name="".join(filter(str.isprintable, last)) or "the file",
            format=told("format") or None,
            task=told("task") or None,
            who=who,
            map=_pairs(told("map") or ""),
            dry_run=told("dry") == "1",
        )


def _pairs(told: str) -> dict[str, str]:
    """Return names and what they are called here: ``"headline=text, mood=feeling"``."""
    pairs = [one.strip().partition("=") for one in re.split("[,，]", told) if one.strip()]
    for name, _, here in pairs:
        if not name.strip() or not here.strip():
            raise DataError(f"{name!r:.80}: expected name=name, such as headline=text.")
    return {name.strip(): here.strip() for name, _, here in pairs}


def imported(plan: Plan, held: bytes, choices: Choices) -> dict[str, Any]:
    """Return what adding a file comes to, as plain data, which never tells where it lay.

    Args:
        plan: the project.
        held: the file.
        choices: what is said of it.

    Raises:
        Error: it cannot be read, or the ledger cannot be written.
    """
    suffix = Path(choices.name).suffix.lower()
    if choices.format is None and suffix not in SUFFIXES:
        raise DataError(
            f"{choices.name}: the suffix names no format for labels. Choose one: {listed(FORMATS)}."
        )
    if not _reading.acquire(blocking=False):
        raise DataError("Another file of labels is being read. Try again when that is done.")
    try:
        with _lying(plan.cache / "imports", held, suffix if suffix in SUFFIXES else "") as path:
            return _imported(plan, path, choices)
    except OSError as error:
        raise DataError(f"{choices.name}: cannot be kept here: {error.strerror}.") from None
    finally:
        _reading.release()


def _imported(plan: Plan, path: Path, choices: Choices) -> dict[str, Any]:
    options = {name: getattr(choices, name) for name in ("format", "task", "who", "map")}
    try:
        found = import_labels(plan, path, dry_run=choices.dry_run, **options)  # type: ignore[arg-type]
    except Error as error:
        raise DataError(str(error).replace(str(path), choices.name)) from None
    return _named(found, path, choices.name).to_dict()


def _named(found: Imported, path: Path, name: str) -> Imported:
    left = {why: (n, place.replace(str(path), name)) for why, (n, place) in found.left_out.items()}
    return replace(found, file=Path(name), left_out=left)


@contextmanager
def _lying(folder: Path, held: bytes, suffix: str) -> Iterator[Path]:
    """Yield where a file lies as long as it is read; delete what a killed server left."""
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.iterdir():
        if old.stat().st_mtime < time.time() - HOUR:
            old.unlink(missing_ok=True)
    path = folder / f"{uuid4().hex}{suffix}"
    try:
        path.write_bytes(held)
        yield path
    finally:
        path.unlink(missing_ok=True)
