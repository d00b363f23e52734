"""What labels are made from: the training records, the tasks, and what there is to ask."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from allrounder.encoders import Encoder
from allrounder.errors import ProjectError, did_you_mean, listed
from allrounder.records import Field, Records
from allrounder.rules.votes import SoftLabels
from allrounder.synthesis.base import Parent
from allrounder.tasks import Task

BLOCK = 256
"""Records that are made from at a time: what a kill may cost."""

AHEAD = 256
"""Blocks whose places are looked for at a time, since that reads their files."""

Answers = Callable[[Mapping[str, pa.Array]], list[dict[str, Any]]]


@dataclass(frozen=True, kw_only=True)
class Judge:
    """The latest complete run, as what is made is asked of it.

    Args:
        name: of the run.
        fingerprint: what tells its weights from any others.
        answers: answers every task for a column per field.
    """

    name: str
    fingerprint: str
    answers: Answers


@dataclass(frozen=True, kw_only=True)
class Author:
    """A model that is tuned to write.

    Args:
        note: which model it is, and how well it learned.
        write: writes a text for each that it is asked, drawn by a seed; each with whether it came
            to its end.
    """

    note: str
    write: Callable[[Sequence[str], int], list[tuple[str, bool]]]


OpenAuthor = Callable[[str, Any, Sequence[tuple[str, str]]], Author]
"""Tunes the model in a folder, as some settings ask for it, on pairs of what it is asked and what
it is to write then."""


@dataclass(kw_only=True)
class Material:
    """What labels are made from.

    Args:
        records: the records; what is made comes from those of training alone.
        tasks: the tasks, their labels known.
        pointed: by task, the field that its labels point into, if they do.
        inputs: the encoders.
        folder: that of the project file.
        cache: where what can be computed again is kept.
        open_judge: opens the latest complete run, or None where there is none.
        open_author: tunes a model to write.
        vote: lets the rules vote on training records: by task; None where there are no rules.
        memory: what was found once.
    """

    records: Records
    tasks: Mapping[str, Task]
    pointed: Mapping[str, str | None]
    inputs: Mapping[str, Encoder]
    folder: Path
    cache: Path
    open_judge: Callable[[], Judge | None]
    open_author: OpenAuthor
    vote: Callable[[], Mapping[str, SoftLabels]] | None = None
    memory: dict[str, Any] = field(default_factory=dict)

    @cached_property
    def judge(self) -> Judge | None:
        """The latest complete run, if there is one."""
        return self.open_judge()

    @cached_property
    def fields(self) -> dict[str, Field]:
        """The columns that inputs read."""
        return {n: one.field for one in self.inputs.values() for n in one.fields or []}

    @cached_property
    def texts(self) -> list[str]:
        """The fields that hold texts."""
        found = [one.fields or [] for one in self.inputs.values() if one.values == "texts"]
        return list(dict.fromkeys(name for names in found for name in names))

    @property
    def files(self) -> list[str]:
        """The fields that hold files, which are not copied into what is made."""
        return [name for name, one in self.fields.items() if pa.types.is_struct(one.type)]

    def chosen(self, names: Sequence[str] | None, able: Sequence[str], what: str) -> list[str]:
        """Return the tasks that are named, or all that a kind can make labels of.

        Args:
            names: what the project file says.
            able: the tasks that the kind can make labels of.
            what: what such tasks are, for a sentence.
        """
        for name in names or []:
            if name not in able:
                raise ProjectError(
                    f"`synthesis.tasks` names {name!r}, which is no task {what}."
                    f"{did_you_mean(name, able)} Such tasks: {listed(able)}."
                )
        if not able:
            raise ProjectError(
                f"`synthesis` of this kind is for tasks {what}, and the project has none: "
                f"{listed(self.tasks)}. Choose another kind."
            )
        return list(names or able)

    def once(self, name: str, find: Callable[[], Any]) -> Any:
        """Return what `find` gives, found once."""
        if name not in self.memory:
            self.memory[name] = find()
        return self.memory[name]

    @property
    def labelled_tasks(self) -> list[str]:
        """The tasks that read labels; others make theirs from inputs."""
        return [name for name, task in self.tasks.items() if not task.makes_labels]

    def labelled(self, tasks: Sequence[str]) -> np.ndarray:
        """Return the training records with a label of some task and a text, but no file."""
        rows = self.records.indices("train")
        known = [self._there(self.records.labels(name))[rows] for name in tasks]
        return self._usable(rows[np.any([np.zeros(len(rows), bool), *known], axis=0)])

    def unlabelled(self, task: str) -> np.ndarray:
        """Return the training records with no label of a task, but with what it reads."""
        rows = self.records.indices("train")
        rows = rows[~self._there(self.records.labels(task))[rows]]
        names = [name for one in self.tasks[task].reading(self.inputs)
                 for name in self.inputs[one].fields or [one]]  # fmt: skip
        read = [self._there(self.records.values(name))[rows] for name in names]
        return self._usable(rows[np.any(read, axis=0)])

    def _usable(self, rows: np.ndarray) -> np.ndarray:
        texts = [self._there(self.records.values(name))[rows] for name in self.texts]
        files = [self._there(self.records.values(name))[rows] for name in self.files]
        none = np.zeros(len(rows), bool)
        return rows[np.any([none, *texts], axis=0) & ~np.any([none, *files], axis=0)]

    def _there(self, column: pa.ChunkedArray) -> np.ndarray:
        return np.asarray(column.is_valid())

    def parents(self, rows: np.ndarray, start: int = 0) -> Iterator[list[Parent]]:
        """Yield training records, `BLOCK` at a time, from block `start` on."""
        places: list[str] = []
        for number, block in enumerate(blocks_of(rows, start), start):
            if not places:
                first = number * BLOCK
                places = self._places(rows[first : first + AHEAD * BLOCK])
            mine, places = places[: len(block)], places[len(block) :]
            yield self.read(block, mine)

    def _places(self, rows: np.ndarray) -> list[str]:
        return self.records.wheres(rows.tolist()) if len(rows) else []

    def read(self, rows: np.ndarray, places: Sequence[str] | None = None) -> list[Parent]:
        """Return some records."""
        places = self._places(rows) if places is None else places
        fields = {n: self.records.take(n, rows) for n in self.fields if n not in self.files}
        labels = {name: self.records.take(name, rows) for name in self.labelled_tasks}
        keys = self.records.numbers("key")[rows].tolist()
        return [
            Parent(place=place, key=key, fields=_given(fields, at), labels=_given(labels, at))
            for at, (place, key) in enumerate(zip(places, keys, strict=True))
        ]

    def pointing(self, parent: Parent, name: str) -> list[str]:
        """Return the tasks whose labels point into a text of a record."""
        return [task for task in parent.labels if self.pointed.get(task) == name]

    def spans(self, parent: Parent, name: str) -> list[dict[str, Any]]:
        """Return all spans in a text of a record."""
        return [span for task in self.pointing(parent, name) for span in parent.labels[task]]

    def columns(self, rows: Sequence[Mapping[str, Any]]) -> dict[str, pa.Array]:
        """Return made records as a run is asked of them."""
        return {
            name: pa.array([row.get(name) for row in rows], one.type)
            for name, one in self.fields.items()
        }

    def text(self, fields: Mapping[str, Any]) -> str:
        """Return all texts of a record."""
        return "\n".join(fields[name] for name in self.texts if fields.get(name) is not None)

    def every_text(self, rows: np.ndarray) -> list[str]:
        """Return all texts of some records."""
        columns = {name: self.records.take(name, rows) for name in self.texts}
        return [self.text(_given(columns, at)) for at in range(len(rows))]


def blocks_of(rows: np.ndarray, start: int = 0) -> Iterator[np.ndarray]:
    """Yield some records, `BLOCK` at a time, from block `start` on."""
    for first in range(start * BLOCK, len(rows), BLOCK):
        yield rows[first : first + BLOCK]


def num_blocks(rows: np.ndarray) -> int:
    """Return how many blocks some records are."""
    return -(-len(rows) // BLOCK)


def _given(columns: Mapping[str, list[Any]], at: int) -> dict[str, Any]:
    """Return what one record has."""
    return {name: values[at] for name, values in columns.items() if values[at] is not None}
