"""The batches of one file, and where its rows stand."""

from pathlib import Path

import pytest

from allrounder.errors import DataError
from allrounder.records.sources import FORMATS, File


class Reading:
    """Reads text with one format."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def file(self, content: str | bytes, encoding: str = "utf-8", name: str = "a.x") -> File:
        path = self.folder / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return File(path, name, encoding)

    def rows(self, format: str, content: str | bytes, encoding: str = "utf-8") -> list[dict]:
        file = self.file(content, encoding)
        return [row for batch in FORMATS[format].batches(file) for row in batch.to_pylist()]

    def refused(self, format: str, content: str | bytes, encoding: str = "utf-8") -> str:
        with pytest.raises(DataError) as error:
            self.rows(format, content, encoding)
        return str(error.value)

    def lines(self, format: str, content: str | bytes) -> list[int]:
        """Return the line of every row."""
        file = self.file(content)
        n = sum(batch.num_rows for batch in FORMATS[format].batches(file))
        places = FORMATS[format].places(file, range(n))
        return [int(place.removeprefix("a.x, line ")) for place in places]


@pytest.fixture
def reading(tmp_path: Path) -> Reading:
    return Reading(tmp_path)
