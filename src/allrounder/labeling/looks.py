"""What is kept beside the page of looks at the labels so far: whether choosing pays, and doubts."""

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

from allrounder.labeling.board import Board, Pair
from allrounder.labeling.pool import Pool
from allrounder.ledger import canonical


class Kept:
    """A file of JSON that another process writes whole, read again when it has changed.

    Args:
        path: the file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.mark: Any = None
        """What is another value for other contents."""
        self._found: dict[str, Any] = {}

    def read(self) -> dict[str, Any]:
        """Return what it holds; nothing where nothing, or nothing whole, is there."""
        with suppress(OSError, ValueError):
            stat = self.path.stat()
            mark = (stat.st_mtime_ns, stat.st_size, stat.st_ino)
            if mark != self.mark:
                found = json.loads(self.path.read_text(encoding="utf-8"))
                self._found = found if isinstance(found, dict) else {}
                self.mark = mark
        return self._found


class Doubts:
    """Labels that are likely wrong, until a reviewer has settled them.

    Args:
        path: the file in which `allrounder.asking.doubting` keeps them.
        pool: the records.
        board: what was said.
    """

    def __init__(self, path: Path, pool: Pool, board: Board) -> None:
        self._kept, self.pool, self.board = Kept(path), pool, board
        self._at: Any = None
        self._open: dict[str, list[dict[str, Any]]] = {}

    def open(self) -> dict[str, list[dict[str, Any]]]:
        """Return by record, in order, its tasks with what is doubted and what is likelier."""
        rows = self._kept.read().get("doubts", [])
        at = (self._kept.mark, self.board.latest)
        if at != self._at:
            self._at, self._open = at, {}
            for key, task, given, other, sure in rows:
                if self.pool.place(key) is not None and self._stands((key, task), given):
                    one = {"task": task, "given": given, "other": other, "sure": sure}
                    self._open.setdefault(key, []).append(one)
        return self._open

    def _stands(self, pair: Pair, given: Any) -> bool:
        """Return whether a label is still what it was, and nobody had the last word."""
        standing = self.board.standing.get(pair)
        if standing is None:
            return True
        return not standing.settled and canonical(standing.value) == canonical(given)
