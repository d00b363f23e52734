"""Versions of a store, and what lies between two of them."""

from dataclasses import dataclass
from typing import NamedTuple

from allrounder.knowledge.facts import Fact


class Version(NamedTuple):
    """One version of what is known.

    Args:
        version: its number; versions count from 1.
        base: the version that it was built on.
        made: when, as an ISO time in UTC.
        note: what was done.
        added: facts that it has more than its base, by source.
        retracted: facts that it no longer has.
        active: whether it is the one that answers.
    """

    version: int
    base: int
    made: str
    note: str
    added: int
    retracted: int
    active: bool


class Change(NamedTuple):
    """What a change came to.

    Args:
        version: the version that it made; where nothing changed, the one that was there.
        added: facts that are new.
        retracted: facts that were taken back.
        changed: facts that are now more or less sure.
        kept: facts that were stated before.
    """

    version: int
    added: int
    retracted: int
    changed: int
    kept: int

    @property
    def is_empty(self) -> bool:
        """Whether nothing changed."""
        return not (self.added or self.retracted or self.changed)


@dataclass(frozen=True)
class Diff:
    """What one version knows and another does not.

    Args:
        added: facts that only the new one knows.
        retracted: facts that only the old one knows.
        changed: facts that both know but not equally surely, with the old confidence.
    """

    added: list[Fact]
    retracted: list[Fact]
    changed: list[tuple[Fact, float]]
