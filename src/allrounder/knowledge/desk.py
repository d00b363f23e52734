"""What the command line does with a store: each verb is one function here."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from allrounder.errors import DataError, did_you_mean
from allrounder.knowledge.facts import Fact
from allrounder.knowledge.findings import Stats, stats_of
from allrounder.knowledge.formats import read, write
from allrounder.knowledge.lexicon import Lexicon
from allrounder.knowledge.snapshot import Snapshot
from allrounder.knowledge.store import Change, Diff, Store, Version


@dataclass(frozen=True)
class Imported:
    """What an import came to: by source its change, and what the active version then holds."""

    changes: dict[str, Change]
    stats: Stats

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        changes = {source: change._asdict() for source, change in self.changes.items()}
        return {"changes": changes, "stats": self.stats.to_dict()}

    def __str__(self) -> str:
        """Return it as a person reads it."""
        lines = [f"{source}: {_changed(change)}" for source, change in self.changes.items()]
        return "\n".join([*lines, str(self.stats)])


@dataclass(frozen=True)
class Rows:
    """A list of things to print, with what each is as plain data."""

    lines: list[str]
    data: Any

    def to_dict(self) -> Any:
        """Return plain data."""
        return self.data

    def __str__(self) -> str:
        """Return one line each."""
        return "\n".join(self.lines)


def import_files(
    store: Path,
    files: Sequence[Path],
    *,
    stage: bool = False,
    source: str | None = None,
    **reading: Any,
) -> Imported:
    """Let each file say what stands in it, and nothing else; one version for each file.

    Args:
        store: the file of the store, made where there is none.
        files: files of facts.
        stage: make the versions without letting them answer yet.
        source: who says so; default: the name of each file.
        reading: further words for `formats.read`.
    """
    if source and len(files) > 1:
        raise DataError(
            "One source can only be one file: leave --source out, or import one by one."
        )
    stated = {source or file.name: read(file, source=source, **reading) for file in files}
    with Store(store) as open_store:
        changes = {
            name: open_store.replace(facts, source=name, stage=stage)
            for name, facts in stated.items()
        }
        return Imported(changes, stats_of(open_store.snapshot(open_store.newest)))


def stats(store: Path, *, version: int | None = None) -> Stats:
    """Return a version in numbers, by default the active one."""
    with Store(store, read_only=True) as open_store:
        return stats_of(open_store.snapshot(version))


def query(store: Path, words: str, *, version: int | None = None, on: date | None = None) -> Rows:
    """Return all facts of the entities with this id, name or alias.

    Args:
        store: the file of the store.
        words: an id, a name or an alias.
        version: by default the active one.
        on: only what is valid on that day.
    """
    with Store(store, read_only=True) as open_store:
        snapshot = open_store.snapshot(version)
    snapshot = snapshot.at(on) if on else snapshot
    found = _meant(snapshot, words)
    if not found:
        hint = did_you_mean(words, snapshot.names()) if len(snapshot.entities) < 100_000 else ""
        raise DataError(f"{store} knows no entity with the id, name or alias {words!r}.{hint}")
    facts = [fact for number in found for fact in snapshot.facts(number)]
    return Rows([str(fact) for fact in facts], [_plain(fact) for fact in facts])


def diff(store: Path, old: int, new: int | None = None) -> Rows:
    """Return what changed between two versions."""
    with Store(store, read_only=True) as open_store:
        found = open_store.diff(old, new)
    return Rows(_differences(found), {
        "added": [_plain(fact) for fact in found.added],
        "retracted": [_plain(fact) for fact in found.retracted],
        "changed": [{**_plain(fact), "before": before} for fact, before in found.changed],
    })  # fmt: skip


def export(
    store: Path, file: Path, *, format: str | None = None, version: int | None = None
) -> Rows:
    """Write a version into a file of any format."""
    with Store(store, read_only=True) as open_store:
        facts = open_store.snapshot(version).facts()
    write(facts, file, format=format)
    return Rows([f"{len(facts):,} facts: {file}"], {"facts": len(facts), "file": str(file)})


def versions(store: Path) -> Rows:
    """Return all versions, the oldest first."""
    with Store(store, read_only=True) as open_store:
        found = open_store.versions()
    return Rows([_line(version) for version in found], [version._asdict() for version in found])


def activate(store: Path, version: int) -> Rows:
    """Let a version answer."""
    with Store(store) as open_store:
        open_store.activate(version)
    return _active(version)


def rollback(store: Path) -> Rows:
    """Let the version answer that did before."""
    with Store(store) as open_store:
        return _active(open_store.rollback())


def add(store: Path, fact: Fact, *, stage: bool = False) -> Rows:
    """State one fact by hand."""
    with Store(store) as open_store:
        change = open_store.add([fact], stage=stage)
    return Rows([_changed(change)], change._asdict())


def retract(
    store: Path,
    subject: str,
    predicate: str | None = None,
    object: str | None = None,
    *,
    source: str | None = None,
    stage: bool = False,
) -> Rows:
    """Take back what is said of a subject."""
    with Store(store) as open_store:
        change = open_store.retract(subject, predicate, object, source=source, stage=stage)
    return Rows([_changed(change)], change._asdict())


def _meant(snapshot: Snapshot, words: str) -> list[int]:
    number = snapshot.number(words)
    return [number] if number is not None else list(Lexicon.of(snapshot).meanings(words)[0])


def _changed(change: Change) -> str:
    return (
        f"version {change.version}: {change.added:,} facts added, {change.retracted:,} retracted, "
        f"{change.changed:,} with another confidence, {change.kept:,} kept"
    )


def _differences(found: Diff) -> list[str]:
    changed = [f"~ {fact}: {before:g} → {fact.confidence:g}" for fact, before in found.changed]
    return [
        *[f"- {fact}" for fact in found.retracted],
        *[f"+ {fact}" for fact in found.added],
        *changed,
    ] or ["no difference"]


def _line(version: Version) -> str:
    mark = "*" if version.active else " "
    return (
        f"{mark} {version.version}  {version.made[:19]}  {version.note}  "
        f"+{version.added:,} -{version.retracted:,}"
    )


def _active(version: int) -> Rows:
    return Rows([f"version {version} answers now"], {"active": version})


def _plain(fact: Fact) -> dict[str, Any]:
    """Return a fact as JSON has it, without what is not said."""
    whole: Mapping[str, Any] = json.loads(json.dumps(fact._asdict(), default=str))
    return {name: value for name, value in whole.items() if value not in (None, "")}
