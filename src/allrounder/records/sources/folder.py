"""Folders with one file per record; the name of the sub-folder is its label."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path, PurePath

import pyarrow as pa

from allrounder.records.sources.file import File
from allrounder.records.sources.skipped import Batches

BLOCK = 256


@dataclass(frozen=True)
class Folder:
    """Files in the order of their names, as columns `label`, `path`, and `text` where they are."""

    texts: bool

    def batches(self, file: File) -> Batches:
        """Yield the files; a file outside every sub-folder has no label."""
        paths = iter(files_in(file.path))
        while block := list(islice(paths, BLOCK)):
            rows = [path.relative_to(file.path) for path in block]
            texts = [_text(file, path) for path in block] if self.texts else []
            columns = {
                **({"text": pa.array(texts, pa.string())} if self.texts else {}),
                "label": pa.array([_label(row) for row in rows], pa.string()),
                "path": pa.array([row.as_posix() for row in rows], pa.string()),
            }
            yield pa.RecordBatch.from_pydict(columns)

    def places(self, file: File, rows: Sequence[int]) -> list[str]:
        """Return the path of each file."""
        paths = files_in(file.path)
        return [_shown(file, paths[row]) for row in rows]


def files_in(folder: Path) -> list[Path]:
    """Return the files in and below a folder, those with a leading dot left out."""
    return sorted(
        path
        for path in folder.rglob("*")
        if path.is_file()
        and not any(part.startswith(".") for part in path.relative_to(folder).parts)
    )


def _shown(file: File, path: Path) -> str:
    return (PurePath(file.shown) / path.relative_to(file.path)).as_posix()


def _label(row: PurePath) -> str | None:
    return row.parts[0] if len(row.parts) > 1 else None


def _text(file: File, path: Path) -> str:
    with File(path, _shown(file, path), file.encoding).open() as stream:
        return stream.read().decode("utf-8")
