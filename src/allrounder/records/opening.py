"""Sources whose files were found."""

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from allrounder.errors import DataError, did_you_mean, listed
from allrounder.ledger.made import Ledger
from allrounder.records.source import Source, format_of
from allrounder.records.sources import FORMATS, File, Format, files_in


@dataclass(frozen=True)
class Opened:
    """A source whose file was found."""

    source: Source
    file: File
    format: str

    @property
    def reader(self) -> Format:
        """What knows the format."""
        return FORMATS[self.format]

    def places(self, rows: Sequence[int]) -> list[str]:
        """Return where each row stands, such as "data/news.csv, line 17"."""
        if not rows:
            return []
        if not self.file.rereadable:
            return [f"{self.file.shown}, record {row + 1}" for row in rows]
        try:
            return self.reader.places(self.file, rows)
        except (LookupError, OSError):
            raise DataError(
                f"{self.file.shown}: the file is not the one that was read. Load the records again."
            ) from None

    def error(self, row: int, column: str, why: str) -> DataError:
        """Return the error for one cell."""
        return DataError(f"{self.places([row])[0]}, column `{column}`: {why}")


def opened(source: Source, folder: Path) -> Opened:
    """Return a source with its file.

    Raises:
        DataError: where there is no such file.
    """
    path = folder / source.path
    if not path.exists():
        raise DataError(_missing(source.path, path, made=source.format == "ledger"))
    name = source.format or format_of(source.path, is_folder=path.is_dir())
    if path.is_dir() != (name == "folder"):
        kind = "a folder" if path.is_dir() else "a file"
        raise DataError(f"{source.path}: expected what `format: {name}` names, found {kind}.")
    _check_codec(source, name)
    return Opened(source, File(path, source.path, source.encoding), name)


def stat_of(source: Opened) -> list[tuple[str, int, int]]:
    """Return path, size and time of change of every file of a source; of a ledger its mark."""
    path = source.file.path.resolve()
    if source.format == "ledger":  # what was written last may still lie beside the file
        with Ledger(path, read_only=True) as ledger:
            return [ledger.mark]
    files = files_in(path) if path.is_dir() else [path]
    stats = [(file, file.stat()) for file in files]
    return [(str(file), stat.st_size, stat.st_mtime_ns) for file, stat in stats]


def _missing(shown: str, path: Path, *, made: bool) -> str:
    folder = next(parent for parent in path.parents if parent.is_dir())
    names = sorted(entry.name for entry in folder.iterdir() if not entry.name.startswith("."))
    asked = path.relative_to(folder).parts[0]
    near = get_close_matches(asked, names, n=3)
    names = near + [name for name in names if name not in near]
    return (
        f"{shown}: there is no such file or folder.{did_you_mean(asked, near)} "
        f"{folder} holds {listed(names) if names else 'nothing'}. Correct `path` in the source; "
        "it is relative to the project file."
        + (" `allrounder synthesize` makes a ledger, `ledger.db`." if made else "")
    )


def _check_codec(source: Source, name: str) -> None:
    if name == "parquet" and source.path.lower().endswith(".gz"):
        raise DataError(
            f"{source.path}: Parquet files are compressed inside and cannot be read from .gz. "
            "Unpack the file first."
        )
