"""Load records from text written in the test."""

from pathlib import Path

import pytest

from allrounder import kinds
from allrounder.records import Records, Source, TextField, load


class Desk:
    """A folder with files, and `load` for them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def write(self, name: str, text: str | bytes) -> str:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return name

    def load(self, *sources: dict | str, fields=("text",), trains=True, **columns) -> Records:
        specs = [{"path": spec} if isinstance(spec, str) else spec for spec in sources]
        return load(
            [kinds.build(Source, spec, at=f"sources.{i}") for i, spec in enumerate(specs)],
            fields=dict(fields) if isinstance(fields, dict) else dict.fromkeys(fields, TextField()),
            columns=columns,
            folder=self.folder,
            cache=self.folder / "cache",
            trains=trains,
        )


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)
