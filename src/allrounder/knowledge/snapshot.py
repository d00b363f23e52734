"""One version of what is known, frozen into flat arrays that many processes can map.

The facts of entity i are the rows from ``offsets[i]`` to ``offsets[i + 1]``. Entities, predicates
and literals are sorted, so the same facts always give the same arrays, and the same fingerprint.

    snapshot/
      about.json            format, version of the store, fingerprint
      entities.arrow        ids, sorted; an entity's number is its place
      predicates.arrow literals.arrow
      offsets.npy           where the rows of each entity begin
      predicate.npy object.npy is_entity.npy confidence.npy id.npy valid_from.npy valid_to.npy
"""

import json
import os
import shutil
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from datetime import date
from functools import cached_property
from hashlib import blake2b
from pathlib import Path
from typing import Any, NamedTuple
from uuid import uuid4

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from allrounder.errors import RunError
from allrounder.knowledge.facts import (
    DATES,
    IS_A,
    NAME,
    TYPE,
    Fact,
    as_table,
    days,
    identities,
    local_name,
)
from allrounder.knowledge.hierarchy import Types, closure, typed
from allrounder.knowledge.strings import Strings
from allrounder.runs import write_json

FORMAT = 1
"""Version of the folder's layout."""

BLOCK = 1 << 12
"""Facts that are written out at a time."""

EARLIEST, LATEST = -(1 << 31), (1 << 31) - 1
"""Days that stand for no `valid_from` and no `valid_to`."""

ARRAYS = {
    "offsets": np.int64,
    "predicate": np.int32,
    "object": np.int32,
    "is_entity": np.bool_,
    "confidence": np.float32,
    "id": np.int64,
    "valid_from": np.int32,
    "valid_to": np.int32,
}
TEXTS = ("entities", "predicates", "literals")


class Rows(NamedTuple):
    """The facts of one entity, as views of the snapshot's arrays.

    Args:
        predicates: numbers of predicates.
        objects: numbers of entities, or of literals.
        is_entity: which of the two each object is.
        confidence: how sure each fact is.
        ids: what each fact is known by in every version.
    """

    predicates: np.ndarray
    objects: np.ndarray
    is_entity: np.ndarray
    confidence: np.ndarray
    ids: np.ndarray


class Pairs(NamedTuple):
    """All facts with one predicate."""

    subjects: np.ndarray
    objects: np.ndarray
    is_entity: np.ndarray
    confidence: np.ndarray


class Snapshot:
    """What is known at one version.

    Args:
        arrays: the arrays named in `ARRAYS`.
        texts: the strings named in `TEXTS`.
        version: the version of the store that it shows.
    """

    def __init__(
        self, arrays: dict[str, np.ndarray], texts: dict[str, Strings], *, version: int
    ) -> None:
        self.version = version
        self.entities = texts["entities"]
        self.literals = texts["literals"]
        self.predicates: list[str] = list(texts["predicates"])
        self._arrays = arrays
        self._texts = texts
        self._offsets = arrays["offsets"]
        self._views = tuple(
            arrays[name] for name in ("predicate", "object", "is_entity", "confidence", "id")
        )

    @classmethod
    def of(cls, facts: Iterable[Fact], *, version: int = 1) -> "Snapshot":
        """Return a snapshot of facts; the same statement twice counts once, the surer one."""
        return cls.of_table(as_table(facts), version=version)

    @classmethod
    def of_table(cls, table: pa.Table, *, version: int = 1) -> "Snapshot":
        """Return a snapshot of facts in columns (`facts.SCHEMA`, and if known their `id`)."""
        columns, texts = _numbered(table)
        columns = _distinct(columns)
        subjects = columns.pop("subject")
        counts = np.bincount(subjects, minlength=len(texts["entities"]))
        columns["offsets"] = np.concatenate([[0], np.cumsum(counts)])
        arrays = {name: columns[name].astype(kind) for name, kind in ARRAYS.items()}
        return cls(arrays, texts, version=version)

    def __len__(self) -> int:
        """Return the number of facts."""
        return len(self._arrays["id"])

    def __iter__(self) -> Iterator[Fact]:
        """Yield all facts by their subjects, written out a block at a time."""
        for start in range(0, len(self), BLOCK):
            yield from self._facts(np.arange(start, min(start + BLOCK, len(self))))

    @cached_property
    def fingerprint(self) -> str:
        """A hash of all that it holds; the version is not part of it."""
        whole = blake2b(digest_size=16)
        for name in TEXTS:
            whole.update("\0".join(self._texts[name]).encode() + b"\1")
        for name in ARRAYS:
            whole.update(np.ascontiguousarray(self._arrays[name]).tobytes())
        return whole.hexdigest()

    def number(self, id: str) -> int | None:
        """Return the number of an entity, or None where it is unknown."""
        return self.entities.find(id)

    def facts_of(self, entity: int) -> Rows:
        """Return the facts whose subject is `entity`."""
        start, end = self._offsets[entity], self._offsets[entity + 1]
        return Rows(*[view[start:end] for view in self._views])

    def value(self, object: int, is_entity: bool) -> str:
        """Return the id of an entity or the text of a literal."""
        return self.entities[object] if is_entity else self.literals[object]

    def pairs(self, predicate: str) -> Pairs:
        """Return all facts with `predicate`, in the order of their subjects."""
        rows = self._rows_with(predicate)
        subjects = np.searchsorted(self._offsets, rows, "right") - 1
        return Pairs(subjects, *[view[rows] for view in self._views[1:4]])

    def fact(self, id: int) -> Fact | None:
        """Return the fact known by `id`, or None where it is not known here."""
        rows = np.flatnonzero(self._arrays["id"] == id)
        return next(iter(self._facts(rows)), None)

    def facts(self, entity: int | None = None) -> list[Fact]:
        """Return the facts of one entity, or all, written out."""
        whole = slice(0, len(self._offsets) - 1) if entity is None else slice(entity, entity + 1)
        return self._facts(np.arange(self._offsets[whole.start], self._offsets[whole.stop]))

    def names(self) -> Strings:
        """Return what to call each entity: its surest name, else its id or the end of its IRI."""
        subjects, objects, is_entity, confidence = self.pairs(NAME)
        order = np.lexsort([objects, -confidence, subjects])
        order = order[~is_entity[order]]
        owners, first = np.unique(subjects[order], return_index=True)
        chosen = np.full(len(self.entities), -1)
        chosen[owners] = objects[order][first]
        named = self.literals.array.take(pa.array(chosen, mask=chosen < 0))
        return Strings(pc.coalesce(named, self.short_ids))

    def nameless(self) -> np.ndarray:
        """Return the entities of which something is known, but no name; blank nodes left out."""
        known = np.diff(self._offsets) > 0
        known[self.pairs(NAME).subjects] = False
        blank = pc.starts_with(self.entities.array, "_:").to_numpy(zero_copy_only=False)
        return np.flatnonzero(known & ~blank)

    def unknown(self) -> np.ndarray:
        """Return the entities that only occur as objects."""
        return np.flatnonzero(np.diff(self._offsets) == 0)

    @property
    def num_dated(self) -> int:
        """How many facts have a day from or to which they hold."""
        dated = self._arrays["valid_from"] != EARLIEST
        return int(np.sum(dated | (self._arrays["valid_to"] != LATEST)))

    def types(self) -> Types:
        """Return the types of every entity, and all that these are a kind of."""
        return self._leading_up(TYPE)

    def kinds(self) -> Types:
        """Return what every entity is an instance or a kind of, and all that is above that."""
        return self._leading_up(TYPE, IS_A)

    def _leading_up(self, *predicates: str) -> Types:
        pairs = [self.pairs(predicate) for predicate in predicates]
        subjects = np.concatenate([some.subjects for some in pairs])
        keys = np.concatenate([some.objects * 2 + some.is_entity for some in pairs])
        above = self._above()
        reached = closure(np.unique(keys).tolist(), above)
        names = self.names()
        called = {
            key: [self._called(node, names) for node in nodes] for key, nodes in reached.items()
        }
        return typed(len(self.entities), subjects, [called[key] for key in keys.tolist()])

    def at(self, day: date) -> "Snapshot":
        """Return only what is valid on that day; entities and literals keep their numbers."""
        number = (day - date(1970, 1, 1)).days
        holds = (self._arrays["valid_from"] <= number) & (number < self._arrays["valid_to"])
        return self._only(holds)

    def without(self, predicates: Collection[str]) -> "Snapshot":
        """Return the facts of all other predicates; entities and literals keep their numbers."""
        numbers = [at for at, name in enumerate(self.predicates) if name in predicates]
        return self._only(~np.isin(self._arrays["predicate"], numbers))

    def _only(self, kept: np.ndarray) -> "Snapshot":
        if kept.all():
            return self
        arrays = {name: self._arrays[name][kept] for name in ARRAYS if name != "offsets"}
        arrays["offsets"] = np.concatenate([[0], np.cumsum(kept)])[self._offsets]
        return Snapshot(arrays, self._texts, version=self.version)

    def save(self, folder: str | Path) -> None:
        """Write the snapshot as a folder, whole or not at all."""
        folder = Path(folder)
        draft = folder.with_name(f".{folder.name}.{uuid4().hex[:8]}")
        try:
            draft.mkdir(parents=True)
            self._write(draft)
            _flush(draft)
            if folder.exists():
                shutil.rmtree(folder)
            draft.rename(folder)
        except OSError as error:
            shutil.rmtree(draft, ignore_errors=True)
            raise RunError(f"{folder} could not be written: {error.strerror}.") from error

    @classmethod
    def load(cls, folder: str | Path) -> "Snapshot":
        """Open a snapshot; its arrays stay on disk until they are read."""
        folder = Path(folder)
        about = _about(folder)
        try:
            arrays = {name: np.load(folder / f"{name}.npy", mmap_mode="r") for name in ARRAYS}
            texts = {name: _mapped(folder / f"{name}.arrow") for name in TEXTS}
        except (OSError, ValueError, pa.ArrowInvalid) as error:
            raise RunError(f"{folder} is damaged: {error}. Delete it; it is made anew.") from error
        arrays = {name: array.view(np.ndarray) for name, array in arrays.items()}
        found = cls(arrays, texts, version=about["version"])
        found.__dict__["fingerprint"] = about["fingerprint"]
        return found

    def _write(self, folder: Path) -> None:
        for name, array in self._arrays.items():
            np.save(folder / f"{name}.npy", array, allow_pickle=False)
        for name, strings in self._texts.items():
            table = pa.table({"text": strings.array})
            path = str(folder / f"{name}.arrow")
            with pa.OSFile(path, "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
                writer.write_table(table)
        about = {"format": FORMAT, "version": self.version, "fingerprint": self.fingerprint}
        write_json(folder / "about.json", about)

    def _rows_with(self, predicate: str) -> np.ndarray:
        if predicate not in self.predicates:
            return np.empty(0, np.int64)
        number = self.predicates.index(predicate)
        order, bounds = self._by_predicate
        return order[bounds[number] : bounds[number + 1]]

    @cached_property
    def _by_predicate(self) -> tuple[np.ndarray, np.ndarray]:
        column = self._arrays["predicate"]
        order = np.argsort(column, kind="stable")
        counts = np.bincount(column, minlength=len(self.predicates))
        return order, np.concatenate([[0], np.cumsum(counts)])

    @cached_property
    def short_ids(self) -> pa.Array:
        """What to call entities without a name: their ids, of an IRI the end."""
        ids = self.entities.array
        if not pc.any(pc.match_substring_regex(ids, "^urn:|://")).as_py():
            return ids
        return pa.array([local_name(id) for id in ids.to_pylist()], pa.string())

    def _above(self) -> dict[int, list[int]]:
        """Return what each entity is a kind of; keys are twice the number, plus 1 for entities."""
        subjects, objects, is_entity, _ = self.pairs(IS_A)
        above = defaultdict(list)
        keys = (objects * 2 + is_entity).tolist()
        for subject, key in zip((subjects * 2 + 1).tolist(), keys, strict=True):
            above[subject].append(key)
        return above

    def _called(self, key: int, names: Strings) -> str:
        return names[key // 2] if key % 2 else self.literals[key // 2]

    def _facts(self, rows: np.ndarray) -> list[Fact]:
        subjects = np.searchsorted(self._offsets, rows, "right") - 1
        return [
            self._written(int(subject), int(row))
            for subject, row in zip(subjects, rows, strict=True)
        ]

    def _written(self, subject: int, row: int) -> Fact:
        column = self._arrays
        is_entity = bool(column["is_entity"][row])
        return Fact(
            self.entities[subject],
            self.predicates[column["predicate"][row]],
            self.value(column["object"][row], is_entity),
            is_entity,
            _day(column["valid_from"][row], EARLIEST),
            _day(column["valid_to"][row], LATEST),
            confidence=float(column["confidence"][row]),
        )


def _numbered(table: pa.Table) -> tuple[dict[str, np.ndarray], dict[str, Strings]]:
    """Return facts with numbers for strings, and the strings, sorted."""
    is_entity = _flat(table["is_entity"])
    subject, predicate, object = (_flat(table[name]) for name in ("subject", "predicate", "object"))
    texts = {
        "entities": _sorted(pa.chunked_array([subject, object.filter(is_entity)])),
        "predicates": _sorted(predicate),
        "literals": _sorted(object.filter(pc.invert(is_entity))),
    }
    flags = is_entity.to_numpy(zero_copy_only=False)
    columns = {
        "subject": _places(subject, texts["entities"]),
        "predicate": _places(predicate, texts["predicates"]),
        "object": np.where(
            flags, _places(object, texts["entities"]), _places(object, texts["literals"])
        ),
        "is_entity": flags,
        "confidence": _flat(table["confidence"]).to_numpy(),
        "id": _flat(table["id"]).to_numpy() if "id" in table.column_names else identities(table),
        "valid_from": days(table[DATES[0]], missing=EARLIEST),
        "valid_to": days(table[DATES[1]], missing=LATEST),
    }
    return columns, {name: Strings(array) for name, array in texts.items()}


def _distinct(columns: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return rows sorted by subject and predicate, the surest of those that say the same."""
    keys = ("id", "valid_to", "valid_from", "object", "is_entity", "predicate", "subject")
    order = np.lexsort([-columns["confidence"], *(columns[key] for key in keys)])
    ids = columns["id"][order]
    first = np.ones(len(ids), bool)
    first[1:] = ids[1:] != ids[:-1]
    return {name: column[order[first]] for name, column in columns.items()}


def _flat(column: pa.ChunkedArray) -> pa.Array:
    return column.combine_chunks()


def _sorted(strings: pa.Array | pa.ChunkedArray) -> pa.Array:
    found = pc.unique(strings)
    return found.take(pc.sort_indices(found))


def _places(strings: pa.Array, known: pa.Array) -> np.ndarray:
    return pc.fill_null(pc.index_in(strings, known), -1).to_numpy()


def _flush(folder: Path) -> None:
    """Return once all files of a folder are on disk."""
    for path in folder.iterdir():
        with path.open("rb") as file:
            os.fsync(file.fileno())


def _mapped(path: Path) -> Strings:
    column = pa.ipc.open_file(pa.memory_map(str(path))).read_all()["text"]
    return Strings(column.chunk(0) if column.num_chunks == 1 else column.combine_chunks())


def _day(number: int, missing: int) -> date | None:
    return None if number == missing else date.fromordinal(int(number) + 719163)


def _about(folder: Path) -> dict[str, Any]:
    try:
        about = json.loads((folder / "about.json").read_text(encoding="utf-8"))
    except OSError:
        raise RunError(f"{folder} is no snapshot: it holds no about.json.") from None
    except ValueError as error:
        raise RunError(f"{folder / 'about.json'} is not JSON: {error}.") from error
    if about.get("format", 0) > FORMAT:
        raise RunError(
            f"{folder} was written by a newer Allrounder (snapshot format {about['format']}); "
            f"this one reads formats up to {FORMAT}. Update it, or delete the folder."
        )
    return about
