"""Snapshots of files, kept on disk until the file changes."""

import hashlib
import shutil
from collections.abc import Callable
from pathlib import Path

from allrounder.errors import RunError
from allrounder.knowledge.snapshot import Snapshot

KEPT = 4
"""Snapshots that stay on disk, those used last."""


def kept_snapshot(path: Path, cache: Path, told: str, make: Callable[[], Snapshot]) -> Snapshot:
    """Return the snapshot of a file, made anew only where it has changed.

    Args:
        path: the file.
        cache: the folder of what can be made again.
        told: all else that the snapshot depends on.
        make: reads the file.
    """
    stat = path.stat()
    mark = repr((str(path.absolute()), stat.st_size, stat.st_mtime_ns, told))
    folder = cache / "knowledge" / hashlib.blake2b(mark.encode(), digest_size=16).hexdigest()
    found = _opened(folder)
    if found is None:
        found = make()
        found.save(folder)
    folder.touch()
    _tidy(folder.parent)
    return found


def _opened(folder: Path) -> Snapshot | None:
    try:
        return Snapshot.load(folder)
    except RunError:
        return None


def _tidy(folder: Path) -> None:
    """Remove all but the snapshots used last."""
    found = sorted(folder.iterdir(), key=lambda one: one.stat().st_mtime_ns)
    for old in found[:-KEPT]:
        shutil.rmtree(old, ignore_errors=True)
