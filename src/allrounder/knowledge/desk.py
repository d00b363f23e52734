"""What the command line does with a store: each verb is one function here."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import Any

from allrounder.errors import DataError, RunError, did_you_mean, listed
from allrounder.knowledge.changes import Change, Diff, Version
from allrounder.knowledge.days import as_day
from allrounder.knowledge.facts import LITERAL, Fact
from allrounder.knowledge.findings import Finding, Stats, repeated, stats_of
from allrounder.knowledge.formats import UNDATED, format_of, read_table, write
from allrounder.knowledge.lexicon import Lexicon
from allrounder.knowledge.snapshot import Snapshot
from allrounder.knowledge.store import BY_HAND, Store
from allrounder.types import Day

Tell = Callable[[str, float, float, str], None]


@dataclass(frozen=True, kw_only=True)
class Stated:
    """One fact as a person writes it.

    Args:
        subject: the id of an entity.
        predicate: what is said of it.
        object: the id of another entity, or a text.
        kind: "entity" or "text"; by default an object of which something is known is an entity.
        since: the first day on which it holds, such as 2025-01-31.
        until: the first day on which it no longer holds.
        confidence: how sure it is, from 0 to 1.
    """

    subject: str
    predicate: str
    object: str
    kind: str | None = None
    since: Day = None
    until: Day = None
    confidence: str | float | None = None

    def checked(self) -> Fact:
        """Return the fact, its object taken for a text.

        Raises:
            DataError: in one sentence, where it is none.
        """
        fact = Fact(
            _word(self.subject, "the subject"),
            _word(self.predicate, "the predicate"),
            _word(self.object, "the object"),
            valid_from=as_day(self.since or None, "--from"),
            valid_to=as_day(self.until or None, "--until"),
            confidence=_sure(self.confidence),
        )
        if fact.valid_from and fact.valid_to and fact.valid_to <= fact.valid_from:
            raise DataError(
                f"--until must be a day after --from. Found {fact.valid_from} to {fact.valid_to}: "
                "swap them, or leave one out."
            )
        if self.kind == "entity" and fact.predicate in LITERAL:
            raise DataError(f"{fact.predicate!r} is always a text: leave --entity out.")
        return fact

    def is_entity(self, store: Store) -> bool:
        """Return whether the object is an entity, as things stand in a store."""
        if self.kind is not None:
            return self.kind == "entity"
        return self.predicate.strip() not in LITERAL and store.knows(self.object.strip())


def _word(text: str, what: str) -> str:
    if not text.strip():
        raise DataError(f"{what} must not be empty. Found {text!r}: write what it is.")
    if any("\ud800" <= mark <= "\udfff" for mark in text):
        raise DataError(f"{what} is no whole text. Found {text!r}: is the terminal set to UTF-8?")
    return text.strip()


def _sure(confidence: str | float | None) -> float:
    try:
        number = 1.0 if confidence is None else float(confidence)
    except ValueError:
        number = -1.0
    if not 0 <= number <= 1:
        raise DataError(f"--confidence must be a number from 0 to 1. Found {confidence!r}.")
    return number


def _silent(stage: str, done: float, total: float, word: str) -> None:
    """Tell nobody."""


@dataclass(frozen=True)
class Imported:
    """What an import came to.

    Args:
        changes: by source, what changed.
        twice: by source, statements that stand in it more than once; the surest counts.
        stats: what is known then.
    """

    changes: dict[str, Change]
    twice: dict[str, Finding]
    stats: Stats

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        changes = {
            source: {**change._asdict(), "twice": asdict(self.twice[source])}
            for source, change in self.changes.items()
        }
        return {"changes": changes, "stats": self.stats.to_dict()}

    def __str__(self) -> str:
        """Return it as a person reads it."""
        lines = []
        for source, change in self.changes.items():
            lines.append(f"{source}: {_changed(change)}")
            twice = self.twice[source]
            if twice.count:
                lines.append(f"{source}: {twice.count:,} statements more than once: {twice}")
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
    tell: Tell = _silent,
    **reading: Any,
) -> Imported:
    """Let each file say what stands in it, and nothing else; one version for each file.

    Args:
        store: the file of the store, made where there is none.
        files: files of facts.
        stage: make the versions without letting them answer yet.
        source: who says so; default: the name of each file.
        tell: called as work goes on: stage, how much is done, of how much, a word.
        reading: further words for `formats.read_table`.

    Raises:
        DataError: where a file is not as it must be; then none is imported.
    """
    names = _sources(files, source)
    stated, changes = {}, {}
    for number, (name, file) in enumerate(names.items()):
        tell("read", number, len(files), name)
        stated[name] = read_table(file, source=name, **reading)
    with Store(store) as open_store:
        for number, (name, table) in enumerate(stated.items()):
            tell("store", number, len(files), name)
            changes[name] = open_store.replace(table, source=name, stage=stage)
        tell("store", len(files), len(files), "")
        known = stats_of(open_store.snapshot(changes[name].version))
    twice = {name: repeated(table) for name, table in stated.items()}
    return Imported(changes, twice, known)


def _sources(files: Sequence[Path], source: str | None) -> dict[str, Path]:
    """Return the files by the name under which each speaks."""
    names = {source or file.name: file for file in files}
    if len(names) < len(files):
        raise DataError(
            f"{len(files)} files would speak under {len(names)} names ({listed(names)}), and what "
            "one says would replace what another says. Import them one by one, each with its own "
            "--source."
        )
    return names


def stats(store: Path, *, version: int | None = None) -> Stats:
    """Return a version in numbers, by default the active one."""
    with Store(store, read_only=True) as open_store:
        return stats_of(open_store.snapshot(version))


def query(store: Path, words: str, *, version: int | None = None, on: Day = None) -> Rows:
    """Return all facts of the entities with this id, name or alias.

    Args:
        store: the file of the store.
        words: an id, a name or an alias.
        version: by default the active one.
        on: only what is valid on that day.
    """
    day = as_day(on, "--on")
    with Store(store, read_only=True) as open_store:
        snapshot = open_store.snapshot(version)
    snapshot = snapshot.at(day) if day else snapshot
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
    store: Path,
    file: Path,
    *,
    format: str | None = None,
    version: int | None = None,
    as_of: Day = None,
) -> Rows:
    """Write a version into a file of any format.

    Args:
        store: the file of the store.
        file: what to write.
        format: by default the suffix of the file tells.
        version: by default the active one.
        as_of: only what holds on this day; RDF, which has no room for days, gets what holds today.
    """
    day = as_day(as_of, "--as-of")
    if day is None and format_of(file, format) in UNDATED:
        day = date.today()
    with Store(store, read_only=True) as open_store:
        whole = open_store.snapshot(version)
    held = whole.at(day) if day else whole
    write(held, file, format=format)
    left_out = len(whole) - len(held)
    lines = [f"{len(held):,} facts: {file}"]
    if left_out:
        lines.append(f"{left_out:,} facts that do not hold on {day} were left out")
    return Rows(lines, {"facts": len(held), "left_out": left_out, "file": str(file)})


def versions(store: Path) -> Rows:
    """Return all versions, the oldest first."""
    with Store(store, read_only=True) as open_store:
        found = open_store.versions()
    return Rows([_line(version) for version in found], [version._asdict() for version in found])


def activate(store: Path, version: int) -> Rows:
    """Let a version answer."""
    with _made_before(store) as open_store:
        open_store.activate(version)
    return _active(version)


def rollback(store: Path) -> Rows:
    """Let the version answer that did before."""
    with _made_before(store) as open_store:
        return _active(open_store.rollback())


def add(
    store: Path,
    fact: Stated,
    *,
    source: str | None = None,
    stage: bool = False,
    instead: bool = False,
) -> Rows:
    """Let a source say one fact, and make a version of it.

    Args:
        store: the file of the store, made where there is none.
        fact: what is said.
        source: who says so; default: `hand`.
        stage: make the version without letting it answer yet.
        instead: take back whatever else anyone says with this subject and predicate.

    Raises:
        DataError: where it is no fact; then nothing is changed and no store is made.
    """
    if source is not None:
        source = _word(source, "--source")
    plain = fact.checked()
    with Store(store) as open_store:
        is_new = not open_store.knows(plain.subject)
        said = plain._replace(is_entity=fact.is_entity(open_store))
        change = open_store.add([said], source=source or BY_HAND, stage=stage, instead=instead)
    lines = [_changed(change)]
    if not change.is_empty:
        lines += [f"+ {said}"]
        lines += [f"nothing was known of {said.subject!r} before"] if is_new else []
    return Rows(lines, {**change._asdict(), "fact": _plain(said), "is_new": is_new})


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
    with _made_before(store) as open_store:
        change = open_store.retract(subject, predicate, object, source=source, stage=stage)
    return Rows([_changed(change)], change._asdict())


def _made_before(store: Path) -> Store:
    """Return a store to be changed, which must be there already."""
    if not store.exists():
        raise RunError(f"{store} is not there. Import facts first: allrounder knowledge import")
    return Store(store)


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
