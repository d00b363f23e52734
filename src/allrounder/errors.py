"""Everything Allrounder raises on purpose.

* Error
  + ProjectError    the project file, or the parts it names, do not fit together
  + DataError       the records do not fit the project
  + RunError        a run folder cannot be read or written
  + MissingExtra    an optional library is not installed

Each message is one sentence or two: where, what was expected, what was found, what to do.
"""

from collections.abc import Iterable
from difflib import get_close_matches


class Error(Exception):
    """Base of every error raised here; the command line turns it into exit code 2."""


class ProjectError(Error, ValueError):
    """The project file, or the parts it names, do not fit together."""


class DataError(Error, ValueError):
    """The records do not fit the project."""


class RunError(Error, RuntimeError):
    """A run folder cannot be read or written."""


class MissingExtra(Error, ImportError):
    """An optional library is not installed."""


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return a hint such as " Did you mean 'topic'?", or an empty string where nothing is near."""
    near = get_close_matches(word, list(known), n=1)
    return f" Did you mean {near[0]!r}?" if near else ""


def listed(names: Iterable[str], limit: int = 12) -> str:
    """Return names for a sentence, cut with a count where there are many."""
    names = [str(name) for name in names]
    more = f", … ({len(names) - limit} more)" if len(names) > limit else ""
    return ", ".join(names[:limit]) + more if names else "none"
