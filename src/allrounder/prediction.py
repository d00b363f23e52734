"""Answers for records, files of records, and streams of them."""

import csv
import json
import os
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import IO, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from allrounder.errors import DataError, Error, RunError, did_you_mean, listed
from allrounder.loading import Informed, load_model
from allrounder.model import (
    Answerer,
    Gallery,
    Prepared,
    Rulebook,
    columns_of,
    galleries_of,
    load_galleries,
)
from allrounder.plan import Plan
from allrounder.records import Part, TextField, handed, stream
from allrounder.rules import Decoder
from allrounder.runs import Run
from allrounder.types import Among

Progress = Callable[[int], None]
"""Called with the number of records answered so far."""

Galleries = Mapping[str, Gallery]
"""By match task, what it searches."""

Columns = Mapping[str, pa.DataType]
"""The columns that answers fill in a table."""

TYPES = {float: pa.float64(), int: pa.int64(), bool: pa.bool_()}

FORMATS = (".jsonl", ".csv", ".tsv", ".parquet")


class Predictor:
    """A trained run, ready to answer.

    Args:
        plan: the project file of the run.
        run: the run folder.
    """

    def __init__(self, plan: Plan, run: Run) -> None:
        self.plan = plan
        passes = load_model(plan, run)
        self.model = passes[0][0]
        self.informed = Informed(plan, run, self.model.knowing)
        galleries = load_galleries(run.path, plan.tasks)
        self.rulebook = Rulebook.of_run(run.path, self.model, plan.fields)
        decoder = self.rulebook and self.rulebook.on()
        self.answerer = Answerer(passes, run.json("calibration.json"), galleries, decoder)

    def answers(
        self,
        values: Mapping[str, pa.Array],
        wrong: Collection[int] = (),
        *,
        among: Galleries | None = None,
        as_of: date | None = None,
    ) -> list[dict[str, Any]]:
        """Return one answer per row and task, none for rows that are `wrong`.

        Args:
            values: a column per field, as its input reads it; at least one.
            wrong: places of rows that cannot be answered.
            among: what match tasks search; by default the values of the run's own records.
            as_of: answer with the facts and the rules that hold on this day; by default today.
        """
        length = len(next(iter(values.values())))
        asked = np.setdiff1d(np.arange(length), list(wrong))
        found: list[dict[str, Any]] = [{} for _ in range(length)]
        if not len(asked):
            return found
        prepared = self.prepared(values, as_of=as_of)
        decoder = self.decoder(as_of)
        answers = self.answerer.answers(prepared, asked, among=among, decoder=decoder)
        for row, answer in zip(asked, answers, strict=True):
            found[row] = answer
        return found

    def decoder(self, as_of: date | None = None) -> Decoder | None:
        """Return what decodes under the rules of a day, by default today; None for a run without.

        Raises:
            ProjectError: hard rules of that day contradict one another.
        """
        if self.rulebook is None or self.answerer.decoder is None:
            return None
        return self.rulebook.on(as_of)

    @cached_property
    def fingerprint(self) -> str:
        """What tells the weights of the run, and their calibration, from any others."""
        return self.informed.run.fingerprint()

    def prepared(self, values: Mapping[str, pa.Array], *, as_of: date | None = None) -> Prepared:
        """Return rows as the model reads them; fields that no column fills are missing."""
        length = len(next(iter(values.values())))
        columns = {
            name: values[name] if name in values else pa.nulls(length, field.type)
            for name, field in self.plan.fields.items()
        }
        return Prepared.of(self.model, columns, knowing=self.informed.on(as_of))

    def rows(
        self,
        rows: Sequence[Mapping[str, Any]],
        *,
        among: Among = None,
        as_of: date | None = None,
    ) -> list[dict[str, Any]]:
        """Return one answer per row and task; a row names its fields, as a source would.

        Files may lie anywhere, and may be handed in as bytes too. `among` is as in `choice`, and
        `as_of` as in `answers`.
        """
        choice = self.choice(among)
        return self.answers(self.handed(rows), among=choice, as_of=as_of) if rows else []

    def handed(self, rows: Sequence[Mapping[str, Any]]) -> dict[str, pa.Array]:
        """Return a column per field of rows that name their fields."""
        values = {
            name: handed(name, field, [row.get(name) for row in rows])
            for name, field in self.plan.fields.items()
        }
        for number, row in enumerate(rows):
            if not any(column[number].is_valid for column in values.values()):
                raise DataError(self._nothing(row, number))
        return values

    def choice(self, among: Among) -> Galleries | None:
        """Return what match tasks search when they are to choose among some records.

        Args:
            among: the records, or a file of them, of which those that cannot be read are left
                out; in answers each goes by its `id`, or by its place.

        Raises:
            DataError: the model has no match task, or there is nothing to choose from.
        """
        if among is None:
            return None
        self._check_matching()
        if isinstance(among, str | Path):
            return self._choice_in(Path(among))
        if not among:
            raise DataError("`among` holds no record: there is nothing to choose from.")
        names = [str(row.get("id", place)) for place, row in enumerate(among)]
        return self._galleries(self.handed(among), names, np.arange(len(among)))

    def _choice_in(self, source: Path) -> Galleries:
        parts = list(stream(source, fields=self.plan.fields))
        values = {
            name: pa.concat_arrays([part.values[name] for part in parts])
            for name in self.plan.fields
        }
        ids = [name for part in parts for name in _ids(part)]
        names = [str(place) if name is None else str(name) for place, name in enumerate(ids)]
        right = [place not in part.wrong for part in parts for place in range(len(part))]
        if not any(right):
            why = next(iter(parts[0].wrong.values()))
            raise DataError(f"{source}: no record can be read, so there is no choice. First: {why}")
        return self._galleries(values, names, np.flatnonzero(right))

    def _check_matching(self) -> None:
        if not any(task.reads == "inputs" for task in self.plan.tasks.values()):
            raise DataError(
                "`among` is what a match task chooses from, and this model has none: its tasks "
                f"are {listed(self.plan.tasks)}."
            )

    def _galleries(
        self, values: Mapping[str, pa.Array], names: Sequence[str], rows: np.ndarray
    ) -> Galleries:
        shown = {
            name: _legible([values[field] for field in encoder.fields or [name]], rows)
            for name, encoder in self.plan.inputs.items()
        }
        prepared = self.prepared(values)
        chosen = [names[row] for row in rows]
        return galleries_of(self.answerer.passes, prepared, rows, chosen, shown)

    def _nothing(self, row: Mapping[str, Any], number: int) -> str:
        fields = self.plan.fields
        if any(name in row for name in fields):
            names = " and ".join(f"`{name}`" for name in fields)
            return f"Record {number}: expected a value in {names}, found none."
        near = next((hint for key in row if (hint := did_you_mean(str(key), fields))), "")
        return (
            f"Record {number} has none of the fields that the model reads ({listed(fields)}). "
            f"Found: {listed(row)}.{near}"
        )

    def stream(
        self,
        source: Path | IO[bytes],
        *,
        format: str | None = None,
        map: Mapping[str, str] | None = None,
        among: Among = None,
        as_of: date | None = None,
        batch: int = 4096,
    ) -> Iterator[tuple[pa.RecordBatch, list[dict[str, Any]]]]:
        """Yield the rows of a file in order, part by part, each part with its answers.

        Where an input is no text, the rows have a column `error` too; a row with an error has no
        answers.
        """
        choice, fields = self.choice(among), self.plan.fields
        texts = all(isinstance(field, TextField) for field in fields.values())
        for part in stream(source, fields=fields, format=format, map=map, batch=batch):
            rows = part.batch if texts else _with_errors(part)
            yield rows, self.answers(part.values, part.wrong, among=choice, as_of=as_of)

    def columns(self, *, as_of: date | None = None) -> Columns:
        """Return the columns that answers fill in a table, and their types.

        They are read off the answer to the smallest record, so that a table has the same columns
        throughout whatever its first rows are asked.
        """
        smallest = {
            name: encoder.sample
            for encoder in self.plan.inputs.values()
            for name in encoder.fields or []
        }
        found = flat(self.rows([smallest], as_of=as_of)[0])
        types = {name: TYPES.get(type(value), pa.string()) for name, value in found.items()}
        if (decoder := self.decoder(as_of)) and len(decoder.rules):
            types |= dict.fromkeys(columns_of(decoder), pa.string())
        unsure = [name for name, task in self.plan.tasks.items() if task.abstain is not None]
        return {**types, **{f"{name}_abstained": pa.bool_() for name in unsure}}

    def file(
        self,
        source: Path | IO[bytes],
        target: Path,
        *,
        format: str | None = None,
        map: Mapping[str, str] | None = None,
        among: Among = None,
        as_of: date | None = None,
        progress: Progress | None = None,
    ) -> int:
        """Answer every row of a file into another one, in order; return how many.

        The target holds the columns of the source and the answers. It appears whole or not at
        all, in the format of its suffix: .jsonl, .csv, .tsv or .parquet.
        """
        done = 0
        with _writing(target, self.columns(as_of=as_of)) as write:
            options = {"format": format, "map": map, "among": among, "as_of": as_of}
            for part, answers in self.stream(source, **options):
                write(part, answers)
                done += len(answers)
                if progress:
                    progress(done)
        return done


def _ids(part: Part) -> list[Any]:
    """Return the column `id` of some rows, where there is one."""
    known = "id" in part.batch.schema.names
    return part.batch["id"].to_pylist() if known else [None] * len(part)


def _legible(columns: Sequence[pa.Array], rows: np.ndarray) -> list[str]:
    """Return the values of an input as a person would read them: a file by its path."""
    parts = [column.take(pa.array(rows)).to_pylist() for column in columns]
    return [" ‖ ".join(filter(None, map(_said, row))) for row in zip(*parts, strict=True)]


def _said(value: Any) -> str | None:
    if isinstance(value, dict):
        return value["path"] or f"file {value['digest'][:8]}"
    return None if value is None else str(value)


def _with_errors(part: Part) -> pa.RecordBatch:
    """Return rows with a column that says what is wrong with them."""
    name = "error_answer" if "error" in part.batch.schema.names else "error"
    errors = pa.array([part.wrong.get(place) for place in range(len(part))], pa.string())
    return part.batch.append_column(name, errors)


def topped(answers: Mapping[str, Any], top: int | None) -> dict[str, Any]:
    """Return answers with only the `top` likeliest labels' probabilities; None leaves them all."""
    if top is None:
        return dict(answers)
    return {task: _topped(answer, top) for task, answer in answers.items()}


def _topped(answer: Mapping[str, Any], top: int) -> dict[str, Any]:
    if "matches" in answer:
        return {**answer, "matches": {n: found[:top] for n, found in answer["matches"].items()}}
    if "probabilities" not in answer:
        return dict(answer)
    ranked = sorted(answer["probabilities"].items(), key=lambda pair: -pair[1])
    return {**answer, "probabilities": dict(ranked[:top])}


def flat(answers: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Return the answers of one record as columns: `topic`, `topic_probability` and so on."""
    columns: dict[str, Any] = {}
    for task, answer in answers.items():
        (_, main), *rest = answer.items()
        columns[task] = _flat(main)
        columns |= {f"{task}_{name}": _flat(v) for name, v in rest if name != "probabilities"}
    return columns


def _flat(value: Any) -> Any:
    return json.dumps(value, ensure_ascii=False) if isinstance(value, list | dict) else value


def as_json(data: Any) -> str:
    """Return data on one line; the bytes of files are left out."""
    return json.dumps(data, ensure_ascii=False, default=_shown)


def _shown(value: Any) -> Any:
    return None if isinstance(value, bytes) else str(value)


def _cell(value: Any) -> Any:
    """Return a value for a table of text, without the bytes of files."""
    if isinstance(value, dict):
        return {name: _cell(part) for name, part in value.items()}
    return None if isinstance(value, bytes) else value


Write = Callable[[pa.RecordBatch, Sequence[Mapping[str, Any]]], None]


@contextmanager
def _writing(target: Path, columns: Columns) -> Iterator[Write]:
    if target.suffix not in FORMATS:
        raise DataError(f"{target}: answers are written to {listed(FORMATS)}, by the suffix.")
    draft = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with _writer(draft, target.suffix, columns) as write:
            yield write
        draft.replace(target)
    except (KeyError, ValueError) as error:
        if isinstance(error, Error):
            raise
        raise DataError(
            f"{target}: a table needs the same columns in every row, and the source has not "
            f"({error}). Write to .jsonl instead."
        ) from error
    except OSError as error:
        raise RunError(f"{target} could not be written: {error.strerror or error}.") from error
    finally:
        with suppress(OSError):
            draft.unlink(missing_ok=True)


@contextmanager
def _writer(path: Path, suffix: str, columns: Columns) -> Iterator[Write]:
    if suffix == ".parquet":
        with _parquet(path, columns) as write:
            yield write
        return
    with open(path, "w", encoding="utf-8", newline="") as file:
        separator = "\t" if suffix == ".tsv" else ","
        yield _jsonl(file) if suffix == ".jsonl" else _csv(file, separator, columns)
        file.flush()
        os.fsync(file.fileno())


def _jsonl(file: IO[str]) -> Write:
    def write(part: pa.RecordBatch, answers: Sequence[Mapping[str, Any]]) -> None:
        for row, answer in zip(part.to_pylist(), answers, strict=True):
            file.write(as_json({**row, "answers": answer}) + "\n")

    return write


def _csv(file: IO[str], separator: str, columns: Columns) -> Write:
    writer: csv.DictWriter | None = None

    def write(part: pa.RecordBatch, answers: Sequence[Mapping[str, Any]]) -> None:
        nonlocal writer
        rows = _tabled(part, answers, columns)
        if writer is None and rows:
            writer = csv.DictWriter(file, list(rows[0]), delimiter=separator, restval="")
            writer.writeheader()
        if writer is not None:
            writer.writerows(rows)

    return write


def _renamed(part: pa.RecordBatch, columns: Columns) -> dict[str, str]:
    """Return what each column of answers is called beside the columns of the source."""
    taken = set(part.schema.names)
    return {name: f"{name}_answer" if name in taken else name for name in columns}


def _tabled(
    part: pa.RecordBatch, answers: Iterable[Mapping[str, Any]], columns: Columns
) -> list[dict[str, Any]]:
    names = _renamed(part, columns)
    return [
        {**_cell(old), **{new: found.get(name) for name, new in names.items()}}
        for old, found in zip(part.to_pylist(), map(flat, answers), strict=True)
    ]


@contextmanager
def _parquet(path: Path, columns: Columns) -> Iterator[Write]:
    writer: pq.ParquetWriter | None = None

    def write(part: pa.RecordBatch, answers: Sequence[Mapping[str, Any]]) -> None:
        nonlocal writer
        table, rows = pa.Table.from_batches([part]), [flat(answer) for answer in answers]
        for name, new in _renamed(part, columns).items():
            values = pa.array([row.get(name) for row in rows], columns[name])
            table = table.append_column(new, values)
        if writer is None:
            writer = pq.ParquetWriter(path, table.schema)
        writer.write_table(table.cast(writer.schema))

    try:
        yield write
    finally:
        if writer is not None:
            writer.close()
