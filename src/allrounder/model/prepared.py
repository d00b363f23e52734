"""Records as the model reads them: tokens of every input, targets of every task."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from allrounder.encoders import Encoder, Rows
from allrounder.injection import Gated, Reading
from allrounder.knowledge import Linked
from allrounder.model.knowing import Knowing
from allrounder.model.lending import Hidden
from allrounder.model.network import Batch, Given, Guess, Model
from allrounder.model.woven import Woven
from allrounder.tasks import Task
from allrounder.tasks.columns import in_parts

Column = pa.Array | pa.ChunkedArray


class Stored(Protocol):
    """What a frozen encoder, or the frozen part of one, said of every row before."""

    def given(self, rows: np.ndarray, present: Tensor, whole: np.ndarray) -> Given:
        """Return the input of a batch without running the frozen part again."""
        ...


@dataclass
class Targets:
    """The labels of one task: row r has `values[place[r]]`, or none where `place[r]` is -1.

    `values` is a tensor of targets; for a task that reads tokens or states it is the column of
    labels, which a batch turns into tags, or into tokens.
    """

    place: np.ndarray
    values: Any

    @classmethod
    def of(cls, task: Task, labels: pa.ChunkedArray) -> "Targets":
        """Encode a column of labels."""
        known = np.asarray(labels.is_valid())
        place = np.where(known, np.cumsum(known) - 1, -1)
        values = labels.drop_null()
        if task.reads not in ("tokens", "states"):
            encoded = [task.encode(part) for part in in_parts(values)]
            values = torch.cat(encoded) if encoded else task.encode([])
        return cls(place, values)

    def known(self, rows: np.ndarray) -> np.ndarray:
        """Return which of `rows` carry a label."""
        return self.place[rows] >= 0

    def labels(self, rows: np.ndarray) -> list[Any]:
        """Return the labels of rows of a task that reads tokens or states."""
        return self.values.take(pa.array(self.place[rows])).to_pylist()


@dataclass
class Taught:
    """What an older model said of some rows: row r has `values[place[r]]`, or nothing at -1.

    `values` is a tensor of scores, one row each; for a task that reads tokens a list of them, as
    long as the records are.
    """

    place: np.ndarray
    values: Any

    def scores(self, rows: np.ndarray) -> Tensor:
        """Return the scores of rows that are taught, padded with NaN."""
        if isinstance(self.values, Tensor):
            return self.values[torch.from_numpy(self.place[rows])]
        found = [self.values[at] for at in self.place[rows]]
        return pad_sequence(found, batch_first=True, padding_value=float("nan"))


@dataclass
class Recalled:
    """The labels of some rows in the place of what an older model said: place[r] is -1 elsewhere.

    What a model writes has no scores that another could be kept to.
    """

    place: np.ndarray
    prepared: "Prepared"
    task: str

    def scores(self, rows: np.ndarray) -> Tensor:
        """Return the targets of rows."""
        return self.prepared.target(self.task, rows)


@dataclass
class Guessed(Taught):
    """What is guessed of some rows that have no label; each counts `weight`."""

    weight: float = 1.0


@dataclass
class Prepared:
    """The tokens of every input and the targets of every task.

    Args:
        model: the model that will read them.
        values: the columns by field.
        tokens: the rows by input, as its encoder reads them.
        targets: the targets by task; empty where there are only questions.
        stored: by input, what its frozen part said.
        teachers: by task, what an older model said, to be kept to instead of labels.
        guesses: by task, soft labels of rows that have no other.
        knowing: what is known beside the weights; by default what the model was given.
        linked: by input, the mentions in its texts, where any can be known.
        hidden: by row, what is known and kept back.
        unlabelled: rows that are learned from without a label, and so read as if they had all.
    """

    model: Model
    values: dict[str, Column]
    tokens: dict[str, Rows]
    targets: dict[str, Targets] = field(default_factory=dict)
    stored: dict[str, Stored] = field(default_factory=dict)
    teachers: dict[str, Taught | Recalled] = field(default_factory=dict)
    guesses: dict[str, Guessed] = field(default_factory=dict)
    knowing: Knowing | None = None
    linked: dict[str, Linked] = field(default_factory=dict)
    hidden: Hidden = field(default_factory=dict)
    unlabelled: np.ndarray = field(default_factory=lambda: np.empty(0, dtype=np.int64))

    @classmethod
    def of(
        cls,
        model: Model,
        values: Mapping[str, Column],
        labels: Mapping[str, pa.ChunkedArray] | None = None,
        *,
        cache: Path | None = None,
        knowing: Knowing | None = None,
    ) -> "Prepared":
        """Tokenize every input and encode every label; tokens are cached in `cache`."""
        knowing = knowing or model.knowing
        columns = {
            name: [values[f] for f in encoder.fields or []]
            for name, encoder in model.inputs.items()
        }
        return cls(
            model=model,
            values=dict(values),
            tokens={
                name: encoder.prepare(columns[name], cache=cache)
                for name, encoder in model.inputs.items()
            },
            targets={
                name: Targets.of(model.tasks[name], column)
                for name, column in (labels or {}).items()
            },
            knowing=knowing,
            linked={
                name: knowing.link(name, columns[name][0])
                for name in (knowing.inputs if knowing else ())
            },
        )

    def __len__(self) -> int:
        return len(next(iter(self.tokens.values())))

    def has(self, name: str, rows: np.ndarray) -> np.ndarray:
        """Return which of `rows` have the input `name`."""
        return self.tokens[name].lengths[rows] > 0

    def read_keys(self, name: str, rows: np.ndarray) -> list[bytes]:
        """Return what tells apart all that is read of an input at `rows`, which have it."""
        keys = self.tokens[name].keys(rows)
        if name not in self.woven:
            return keys
        return [key + more for key, more in zip(keys, self.woven[name].keys(rows), strict=True)]

    def keys(self, name: str, rows: np.ndarray) -> list[bytes | None]:
        """Return what tells the values of an input apart at `rows`; None where it is missing."""
        has = self.has(name, rows)
        found = iter(self.tokens[name].keys(rows[has]))
        return [next(found) if there else None for there in has]

    def lengths(self) -> np.ndarray:
        """Return how many tokens the model reads of each row over all inputs, and writes of it."""
        read = [self.num_read(name, self._whole(name)) for name in self.model.inputs]
        return np.sum([*read, *(self._num_written(name) for name in self.targets)], axis=0)

    def _num_written(self, task: str) -> np.ndarray:
        """Return how many tokens of each row's label are written at most: a character is one."""
        asked, found = self.model.tasks[task], self.targets[task]
        if asked.reads != "states":
            return np.zeros(len(self), dtype=np.int64)
        sizes = np.asarray(pc.utf8_length(found.values)).clip(max=asked.max_tokens)  # type: ignore[attr-defined]
        return np.where(found.place >= 0, np.append(sizes, 0)[found.place], 0).astype(np.int64)

    def num_read(self, name: str, whole: np.ndarray) -> np.ndarray:
        """Return how many tokens of an input are read of each row, those of facts included.

        Args:
            name: the input.
            whole: which rows are read whole.
        """
        read = self.model.inputs[name].length(self.tokens[name], whole)
        if name in self.woven:
            read = read + self.woven[name].num_read(whole)
        return read

    def _whole(self, name: str) -> np.ndarray:
        """Return which rows of an input are read whole: where a task asks for their tokens."""
        asked = [task for task in self.model.reads_tokens(name) if task in self.targets]
        if not self.targets and self.model.reads_tokens(name):
            return np.ones(len(self), dtype=bool)
        known = [self.targets[task].place >= 0 for task in asked]
        found = np.any([np.zeros(len(self), dtype=bool), *known], axis=0)
        found[self.unlabelled] |= bool(asked)
        return found

    def asked(self, rows: np.ndarray, tasks: Iterable[str]) -> dict[str, np.ndarray]:
        """Return which of `rows` each task can be asked of: those that have what it reads."""
        has = {name: self.has(name, rows) for name in self.model.inputs}
        reading = {name: self.model.tasks[name].reading(has) for name in tasks}
        return {n: np.any([has[source] for source in some], axis=0) for n, some in reading.items()}

    def labeled(self, rows: np.ndarray, tasks: Iterable[str]) -> dict[str, np.ndarray]:
        """Return which of `rows` carry the label of each task and have what it reads."""
        asked = self.asked(rows, tasks)
        return {name: asked[name] & self.targets[name].known(rows) for name in asked}

    def taught(self, rows: np.ndarray, task: str) -> np.ndarray:
        """Return which of `rows` the teacher of a task has something to say of."""
        if task not in self.teachers:
            return np.zeros(len(rows), dtype=bool)
        return self.teachers[task].place[rows] >= 0

    def shown(self, rows: np.ndarray, tasks: Iterable[str]) -> dict[str, np.ndarray]:
        """Return which of `rows` each task can learn from: by a label, or by a guess."""
        asked = self.asked(rows, tasks)
        return {
            name: asked[name] & (self.targets[name].known(rows) | self._guessed(rows, name))
            for name in asked
        }

    def _guessed(self, rows: np.ndarray, task: str) -> np.ndarray:
        if task not in self.guesses:
            return np.zeros(len(rows), dtype=bool)
        return self.guesses[task].place[rows] >= 0

    def batch(
        self, rows: np.ndarray, wanted: Mapping[str, np.ndarray], *, targets: bool = False
    ) -> Batch:
        """Return a batch of `rows` that asks each task of the rows where `wanted` is true."""
        places = {name: np.flatnonzero(mask) for name, mask in wanted.items() if mask.any()}
        learns = {n: rows[at] for n, at in places.items() if targets and n not in self.teachers}
        guesses = {
            name: guess for name, some in learns.items() if (guess := self._guess(name, some))
        }
        return Batch(
            num_records=len(rows),
            inputs={
                name: given
                for name in self.model.inputs
                if (given := self._given(name, rows, places)) is not None
            },
            places={name: self._moved(torch.from_numpy(at)) for name, at in places.items()},
            targets={n: self._moved(self.target(n, some[~self._guessed(some, n)]))
                     for n, some in learns.items()},
            teachers={n: self._moved(self.teachers[n].scores(rows[at]))
                      for n, at in places.items() if targets and n in self.teachers},
            guesses=guesses,
        )  # fmt: skip

    def _guess(self, task: str, rows: np.ndarray) -> Guess | None:
        """Return the soft labels of a task's rows, if some have them."""
        there = self._guessed(rows, task)
        if not there.any():
            return None
        found = self.guesses[task]
        return Guess(
            there=self._moved(torch.from_numpy(there)),
            scores=self._moved(found.scores(rows[there])),
            weight=found.weight,
        )

    def _given(self, name: str, rows: np.ndarray, places: Mapping[str, np.ndarray]) -> Given | None:
        present = np.flatnonzero(self.has(name, rows))
        if not len(present):
            return None
        whole = np.zeros(len(rows), dtype=bool)
        for task in self.model.reads_tokens(name):
            whole[places.get(task, [])] = True
        found, whole = torch.from_numpy(present), whole[present]
        told = self._told(name, rows[present])
        if name in self.stored:
            given = self.stored[name].given(rows[present], self._moved(found), whole)
            return replace(given, told=told) if told else given
        return Given(self._moved(found), self.sequences(name, rows[present], whole), told=told)

    def _told(self, name: str, rows: np.ndarray) -> dict[str, Any]:
        """Return, by injection, what is known of the texts of some rows."""
        if self.knowing is None or name not in self.linked:
            return {}
        linked, tokens = self.linked[name], self.tokens[name]
        return {
            each: self._moved(self.knowing.told(each, linked, tokens, rows, hidden=self.hidden))
            for each in self.knowing.on(name, Gated)
        }

    @cached_property
    def woven(self) -> dict[str, Woven]:
        """By input, the facts that its encoder reads beside its texts."""
        if self.knowing is None:
            return {}
        return {
            name: Woven(self.knowing, name, self.model.inputs[name], self.tokens[name], linked)
            for name, linked in self.linked.items()
            if self.knowing.on(name, Reading)
        }

    def sequences(self, name: str, rows: Sequence[int] | np.ndarray, whole: np.ndarray) -> Any:
        """Return the padded sequences of some rows of one input, on the model's device."""
        encoder: Encoder = self.model.inputs[name]
        read = self.tokens[name], list(rows), whole.tolist()
        if name not in self.woven:
            return self._moved(encoder.collate(*read))
        branches = self.woven[name].branches(np.asarray(rows), self.hidden)
        return self._moved(encoder.collate_beside(*read, branches))  # type: ignore[attr-defined]

    def _moved(self, thing: Any) -> Any:
        return thing.to(self.model.device) if self.model.device.type != "cpu" else thing

    def target(self, name: str, rows: np.ndarray) -> Tensor:
        """Return the targets of one task for rows that carry its label."""
        task, found = self.model.tasks[name], self.targets[name]
        if task.reads == "states":
            return task.encode(found.labels(rows), self.model.voice(task))  # type: ignore[call-arg]
        if task.reads != "tokens":
            return found.values[torch.from_numpy(found.place[rows])]
        tokens = self.tokens[self.model.reads(task) or ""]
        offsets = [tokens.offsets(row) for row in rows]
        return task.encode(found.labels(rows), offsets)  # type: ignore[call-arg]
