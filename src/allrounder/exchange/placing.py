"""Where answers of a file belong: which record, which task, which characters of the text."""

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa

from allrounder.exchange.rows import Asked, Row
from allrounder.records import Records

GONE = "no source holds the record"


class Placing:
    """Finds the record and the task of answers.

    A record is found by its key, else by the values of its fields, whitespace aside.

    Args:
        records: the records.
        tasks: the tasks by name.
        map: names of the file → fields and tasks.
        task: the one task that all answers are to, if that is said.
    """

    def __init__(
        self,
        records: Records,
        tasks: Mapping[str, Asked],
        *,
        map: Mapping[str, str] | None = None,
        task: str | None = None,
    ) -> None:
        self.records, self.tasks, self.map, self.task = records, tasks, dict(map or {}), task
        keys = records.numbers("key")
        self._first = {format(key, "016x"): row for row, key in reversed(list(enumerate(keys)))}
        self._rows = {name: _by_value(records, name) for name in records.fields}

    def place(self, row: Row) -> Row:
        """Return an answer with key, task and label as they are here, or with why it cannot be."""
        if row.why is not None:
            return row
        task = self._task(row)
        if isinstance(task, str):
            return replace(row, why=task)
        index = self._index(row)
        if index is None:
            return replace(row, why=GONE)
        key = format(self.records.numbers("key")[index], "016x")
        found = replace(row, task=task.name, key=key)
        if row.act == "skip":
            return replace(found, value=None)
        try:
            value = shaped(row.value, task)
        except (ValueError, TypeError, OverflowError, RecursionError):
            return replace(found, why=f"{task.name} does not take the label")
        if task.form == "spans":
            value = self._moved(row, task, index, value)
            if value is None:
                return replace(found, why="the spans do not lie in the text of the record")
        return replace(found, value=value)

    def text(self, row: Row) -> str | None:
        """Return the text that the spans of a placed answer point into."""
        (found,) = self.records.take(self.tasks[row.task or ""].of, [self._first[row.key or ""]])
        return found if isinstance(found, str) else None

    def _task(self, row: Row) -> Asked | str:
        """Return the task of an answer, or why there is none."""
        if self.task is not None:
            named = self.map.get(row.task or "", row.task)
            other = named in self.tasks and named != self.task
            return "is to another task" if other else self.tasks[self.task]
        named = self.map.get(row.task or "", row.task)
        if named in self.tasks:
            return self.tasks[named]
        fits = [task for task in self.tasks.values() if _fits(row, task)]
        if len(fits) == 1:
            return fits[0]
        return f"there is no task {named!r}" if named else "it does not say which task it is to"

    def _index(self, row: Row) -> int | None:
        """Return a record with this content, if there is one, and none with other content."""
        if row.key in self._first:
            return self._first[row.key]
        named = {self.map.get(name, name): value for name, value in row.fields.items()}
        known = {name: value for name, value in named.items() if name in self._rows}
        if not known and len(self._rows) == 1:
            only = next(iter(self._rows))
            texts = [value for value in named.values() if isinstance(value, str)]
            known = {only: texts[0]} if len(texts) == 1 else {}
            known = {only: named["text"]} if "text" in named else known
        found: set[int] | None = None
        for name, value in known.items():
            here = set(self._rows[name].get(_squeezed(value), ()))
            found = here if found is None else found & here
        keys = self.records.numbers("key")
        return min(found) if found and len({keys[index] for index in found}) == 1 else None

    def _moved(
        self, row: Row, task: Asked, index: int, spans: Sequence[Mapping[str, Any]]
    ) -> list[dict[str, Any]] | None:
        """Return spans in the text of the record, which may have other whitespace than the file."""
        (here,) = self.records.take(task.of, [index])
        texts = [value for value in row.fields.values() if isinstance(value, str)]
        there = next((one for one in texts if _squeezed(one) == _squeezed(here)), None)
        plain = [{name: span[name] for name in ("start", "end", "label")} for span in spans]
        if there is None or there == here:
            return plain
        before, after = _solid(there), _solid(here)
        moved = []
        for span in plain:
            first, last = np.searchsorted(before, [span["start"], span["end"]]).tolist()
            if not 0 <= first < last <= len(after):
                return None
            moved.append({**span, "start": int(after[first]), "end": int(after[last - 1]) + 1})
        return moved


def shaped(value: Any, task: Asked) -> Any:
    """Return a label in the form of a task.

    Raises:
        ValueError: it cannot be brought into it.
    """
    if task.form == "name":
        if isinstance(value, list):
            (value,) = value
        if not isinstance(value, str | int | float):
            raise ValueError
        return value if isinstance(value, str) else json.dumps(value)
    if isinstance(value, str) and (task.form != "names" or value.startswith("[")):
        value = json.loads(value)
    if task.form == "number":
        return float(value)
    if task.form == "names":
        return [value] if isinstance(value, str) else list(map(_name, value))
    return [_span(span) for span in value]


def _name(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError
    return value


def _span(span: Any) -> dict[str, Any]:
    if not isinstance(span, Mapping) or not isinstance(span.get("label"), str):
        raise ValueError
    edges = (span.get("start"), span.get("end"))
    if not all(isinstance(edge, int) and edge >= 0 for edge in edges):
        raise ValueError
    return {"start": edges[0], "end": edges[1], "label": span["label"]}


def _fits(row: Row, task: Asked) -> bool:
    if row.form in ("name", "names"):
        return task.form in ("name", "names")
    return row.form == task.form


def _by_value(records: Records, name: str) -> dict[str, list[int]]:
    """Return the records by what a field holds, as files would tell it."""
    found: dict[str, list[int]] = defaultdict(list)
    for index, value in enumerate(told(records, name, range(len(records)))):
        if value is not None:
            found[_squeezed(value)].append(index)
    return found


def told(records: Records, name: str, rows: Sequence[int]) -> list[Any]:
    """Return values of a field as files tell them: a file by its path, the rest as it is."""
    if pa.types.is_struct(records.values(name).type):
        return list(records.shown(name, rows))
    whole = isinstance(rows, range) and len(rows) == len(records)
    return records.values(name).to_pylist() if whole else records.take(name, rows)


def _squeezed(value: Any) -> str:
    """Return a value without whitespace, which other programs change."""
    if isinstance(value, int | float):
        return f"{value:g}"
    return "".join(value.split()) if isinstance(value, str) else ""


def _solid(text: str) -> np.ndarray:
    """Return where characters stand that are no whitespace."""
    return np.array([place for place, sign in enumerate(text) if not sign.isspace()], np.int64)
