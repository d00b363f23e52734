"""Where the people's part of a ledger is: a file, or a PostgreSQL database named by URL."""

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import SplitResult, parse_qsl, urlsplit, urlunsplit

from allrounder.errors import ProjectError

NAME = "ledger.db"
"""What the ledger of a project is called."""

PASSWORD = "ALLROUNDER_LEDGER_PASSWORD"

SCHEMES = ("postgresql", "postgres")


@dataclass(frozen=True)
class Where:
    """A file or a database; its text never tells a password.

    Args:
        file: the file, or None.
        url: the database, or None.
    """

    file: Path | None = None
    url: str | None = None

    @classmethod
    def of(cls, said: str | Path, folder: Path = Path()) -> "Where":
        """Return what a path, relative to `folder`, or a URL names.

        Raises:
            ProjectError: it is a URL of another kind, or none.
        """
        if isinstance(said, Path) or "://" not in said:
            return cls(file=folder / said)
        scheme = said.partition("://")[0]
        if scheme not in SCHEMES:
            raise ProjectError(
                f"`ledger` must be a path or begin with postgresql://. Got a URL with {scheme}://."
            )
        _parts(said)
        return cls(url=said)

    @property
    def has_password(self) -> bool:
        """Whether the URL holds a password, which does not belong into a project file."""
        if self.url is None:
            return False
        parts = _parts(self.url)
        return bool(parts.password) or "password" in dict(parse_qsl(parts.query))

    def __str__(self) -> str:
        if self.url is None:
            return str(self.file)
        parts = _parts(self.url)
        place = parts.netloc.rpartition("@")[2]
        shown = f"{parts.username}@{place}" if parts.username else place
        return urlunsplit((parts.scheme, shown, parts.path, "", ""))


def _parts(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        parts.port  # noqa: B018 - looks whether it is a number
    except ValueError:
        raise ProjectError(
            "`ledger` is no URL. Write it as postgresql://user@host/database"
        ) from None
    return parts
