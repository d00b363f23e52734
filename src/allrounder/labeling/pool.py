"""The records that can be labelled, by the key of their content; read when they are shown."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pyarrow as pa

from allrounder.encoders import Encoder
from allrounder.records import FileField, NumberField, Records

KEY = re.compile("[0-9a-f]{16}")

EXCERPT = 90
"""Characters by which a record is named in a list."""

MEDIA = {"a picture": "picture", "a sound": "sound"}


class Pool:
    """The records of a project, each content once.

    Args:
        records: the records.
        inputs: the encoders by input.
    """

    def __init__(self, records: Records, inputs: Mapping[str, Encoder]) -> None:
        self.records = records
        self.inputs = dict(inputs)
        keys = records.numbers("key")
        order = np.argsort(keys, kind="stable")
        new = np.ones(len(keys), bool)
        new[1:] = keys[order][1:] != keys[order][:-1]
        self.starts = np.flatnonzero(new)
        self.order = order
        self.keys = keys[order][self.starts]

    def __len__(self) -> int:
        return len(self.keys)

    def place(self, key: str) -> int | None:
        """Return where a key stands among all, or None where no record has it."""
        if not KEY.fullmatch(key):
            return None
        number = np.uint64(int(key, 16))
        at = int(np.searchsorted(self.keys, number))
        return at if at < len(self.keys) and self.keys[at] == number else None

    def key(self, place: int) -> str:
        """Return the key at a place."""
        return format(int(self.keys[place]), "016x")

    def row(self, place: int) -> int:
        """Return the first record with the content at a place."""
        return int(self.order[self.starts[place]])

    def missing(self, task: str) -> np.ndarray:
        """Return which contents have no label for a task in any record."""
        known = np.asarray(self.records.labels(task).is_valid())[self.order]
        return ~np.logical_or.reduceat(known, self.starts) if len(self.keys) else ~known

    def view(self, key: str) -> list[dict[str, Any]]:
        """Return what there is to see of a record, input by input; a field is shown once."""
        row, seen = self.row(self._known(key)), set()
        found = []
        for name, encoder in self.inputs.items():
            fields = [one for one in encoder.fields or [name] if one not in seen]
            seen.update(fields)
            parts = [part for one in fields if (part := self._part(one, encoder, row))]
            if fields:
                found.append({"name": name, "kind": _kind(encoder), "fields": parts})
        return found

    def text(self, key: str, field: str) -> str | None:
        """Return the text of a field."""
        return self.records.take(field, [self.row(self._known(key))])[0]

    def file(self, key: str, field: str) -> Mapping[str, Any] | None:
        """Return a file of a record: digest, and path or bytes; None where there is none."""
        place = self.place(key)
        if place is None or field not in self.records.fields:
            return None
        if not pa.types.is_struct(self.records.values(field).type):
            return None
        return self.records.take(field, [self.row(place)])[0]

    def excerpt(self, key: str) -> str:
        """Return a few words by which a person would know a record."""
        place = self.place(key)
        if place is None:
            return key
        shown = " ".join(self.records.legible(self.records.fields, [self.row(place)])[0].split())
        return shown if len(shown) <= EXCERPT else shown[: EXCERPT - 1] + "…"

    def _known(self, key: str) -> int:
        place = self.place(key)
        if place is None:
            raise KeyError(key)
        return place

    def _part(self, field: str, encoder: Encoder, row: int) -> dict[str, Any] | None:
        if isinstance(encoder.field, FileField):
            value = self.records.take(field, [row])[0]
            return value and {"name": field, "digest": value["digest"]}
        value = self.records.take(field, [row])[0]
        return None if value is None else {"name": field, "value": value}


def _kind(encoder: Encoder) -> str:
    """Return how an input is shown: `text`, `table`, `picture`, `sound` or `file`."""
    if isinstance(encoder.field, FileField):
        return MEDIA.get(encoder.field.what, "file")
    is_table = isinstance(encoder.field, NumberField) or encoder.values == "labels"
    return "table" if is_table else "text"


def in_pool(pool: Pool, keys: Iterable[str]) -> list[str]:
    """Return the keys that some record has, each once, in their order."""
    return [key for key in dict.fromkeys(keys) if pool.place(key) is not None]
