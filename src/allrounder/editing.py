"""Changing a file that a person wrote, and nothing else in it: comments and order stay."""

from collections.abc import Callable
from copy import deepcopy
from io import StringIO
from itertools import pairwise
from pathlib import Path
from typing import Any

import yaml

from allrounder.documents import from_yaml
from allrounder.errors import MissingExtra, ProjectError
from allrounder.runs import write_text

Change = Callable[[Any], None]


def edit(path: Path, change: Change, *, check: Callable[[Any], None] = lambda _: None) -> None:
    """Change a YAML file in place, whole or not at all.

    Args:
        path: the file.
        change: changes what the file means, in place, as plain data would be.
        check: raises where what it would mean then is not right; nothing is written then.

    Raises:
        ProjectError: it is no YAML, cannot be changed without losing something, or was changed by
            somebody else meanwhile.
        RunError: it cannot be written.
    """
    before = _text(path)
    try:
        wanted = from_yaml(before)
        change(wanted)
    except yaml.YAMLError as error:
        raise ProjectError(f"{path} is not YAML: {' '.join(str(error).split())}.") from None
    check(deepcopy(wanted))
    after = _changed(before, change)
    if from_yaml(after) != wanted:
        raise ProjectError(
            f"{path} cannot be changed without losing something of how it is written. Change it "
            "by hand."
        )
    if _text(path) != before:
        raise ProjectError(f"{path} was changed by somebody else just now. Try again.")
    write_text(path, after)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise ProjectError(f"{path} cannot be read: {error}.") from None


def _changed(text: str, change: Change) -> str:
    try:
        from ruamel.yaml import YAML
    except ImportError:
        raise MissingExtra(
            "Changing a project file needs ruamel.yaml. Try: pip install 'allrounder[label]'"
        ) from None
    kept = YAML()
    kept.preserve_quotes = True
    kept.width = 1 << 20  # lines stay as long as they are
    kept.allow_unicode = True
    dash = _dash(text)
    kept.indent(mapping=2, sequence=dash + 2, offset=dash)
    found, before = kept.load(text), kept.load(text)
    change(found)
    _quote(found, before)
    target = StringIO()
    kept.dump(found, target)
    return target.getvalue()


def _dash(text: str) -> int:
    """Return how far the items of lists stand in from the key above them."""
    lines = text.splitlines()
    for above, line in pairwise(lines):
        if line.lstrip().startswith("- ") and above.rstrip().endswith(":"):
            inset = len(line) - len(line.lstrip()) - (len(above) - len(above.lstrip()))
            return max(0, inset)
    return 2


def _quote(found: Any, before: Any) -> None:
    """Put new texts between quotation marks that would be read as something else without.

    What stood there before is as it was: whoever wrote `yes` may have meant it.
    """
    from ruamel.yaml.scalarstring import DoubleQuotedScalarString as Quoted

    if isinstance(found, dict):
        places = list(found.items())
        old = before if isinstance(before, dict) else {}
    elif isinstance(found, list):
        places = list(enumerate(found))
        old = dict(enumerate(before)) if isinstance(before, list) else {}
    else:
        return
    known = [one for one in old.values() if type(one) is str]
    for place, one in places:
        if type(one) is str and one not in known and not _is_plain(one):
            found[place] = Quoted(one)
        _quote(one, old.get(place))
    if isinstance(found, dict):
        for key in [key for key in found if type(key) is str and key not in old]:
            if not _is_plain(key):
                found.insert(list(found).index(key), Quoted(key), found.pop(key))


def _is_plain(text: str) -> bool:
    try:
        return from_yaml(text) == text
    except yaml.YAMLError:
        return False
