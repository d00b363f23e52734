"""Who may label: names, roles and the hashes of their tokens, in a file beside the project."""

import getpass
import hashlib
import os
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from allrounder.documents import from_yaml, to_yaml
from allrounder.errors import ProjectError, listed

NAME = "people.yaml"

ROLES = ("annotator", "reviewer", "owner")
"""Each may do what the one before it may: answer; settle disputes; see everything."""

HEAD = "# Who may label. `allrounder label PROJECT --add NAME` makes a token.\n"

LONGEST = 100


@dataclass(frozen=True)
class Person:
    """Somebody who labels.

    Args:
        name: as it stands in the ledger.
        role: `annotator`, `reviewer` or `owner`.
    """

    name: str
    role: str = "annotator"

    @property
    def reviews(self) -> bool:
        """Whether the person may settle what others dispute."""
        return self.role != "annotator"


class People:
    """The people of a project; none as long as there is no file.

    Args:
        path: the file.

    Raises:
        ProjectError: the file is not as it must be.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._stat: Any = None
        self._by_hash: dict[str, Person] = {}
        self._read()

    def __bool__(self) -> bool:
        self._read()
        return bool(self._by_hash)

    def by_token(self, token: str) -> Person | None:
        """Return whose token it is."""
        self._read()
        return self._by_hash.get(_hashed(token))

    def add(self, name: str, role: str) -> str:
        """Let somebody label, or give a new token; return it. It is kept nowhere.

        Raises:
            ProjectError: the name or the role is none.
        """
        _check(name, role, str(self.path))
        token = secrets.token_urlsafe(24)
        kept = {one.name: (one.role, found) for found, one in self._by_hash.items()}
        kept[name] = role, _hashed(token)
        people = {name: {"role": role, "token": found} for name, (role, found) in kept.items()}
        draft = self.path.with_name(self.path.name + ".new")
        draft.touch(mode=0o600)
        draft.write_text(HEAD + to_yaml({"people": people}), encoding="utf-8")
        draft.replace(self.path)
        self._read()
        return token

    def _read(self) -> None:
        """Read the file where it has changed."""
        try:
            found = os.stat(self.path)
            stat = found.st_mtime_ns, found.st_size, found.st_ino
        except FileNotFoundError:
            self._stat, self._by_hash = None, {}
            return
        if stat != self._stat:
            self._by_hash = _people(self.path)
            self._stat = stat


def this_person() -> Person:
    """Return the person at this machine, who owns what is on it."""
    try:
        name = getpass.getuser()
    except (OSError, KeyError):
        name = "me"
    return Person(name, "owner")


def _people(path: Path) -> dict[str, Person]:
    try:
        told = from_yaml(path.read_text(encoding="utf-8"))
        people = told["people"] or {}
        found = {name: (one["role"], one["token"]) for name, one in people.items()}
    except (OSError, yaml.YAMLError, UnicodeDecodeError, KeyError, TypeError, AttributeError):
        raise ProjectError(
            f"{path} must hold `people:` and for each name a `role` and a `token`. "
            "`allrounder label PROJECT --add NAME` writes it."
        ) from None
    for name, (role, token) in found.items():
        _check(name, role, str(path))
        if not isinstance(token, str) or len(token) != 64:
            raise ProjectError(f"{path}: the token of {name!r} must be 64 hexadecimal digits.")
    return {token: Person(name, role) for name, (role, token) in found.items()}


def _check(name: object, role: object, at: str) -> None:
    if role not in ROLES:
        raise ProjectError(f"{at}: a role is one of {listed(ROLES)}. Got {role!r}.")
    if not isinstance(name, str) or not 0 < len(name) <= LONGEST or not name.isprintable():
        raise ProjectError(f"{at}: a name is a text of 1 to {LONGEST} letters. Got {name!r:.80}.")


def _hashed(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "replace")).hexdigest()
