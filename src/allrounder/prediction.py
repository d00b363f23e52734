"""Answers for records, files of records, and streams of them."""

import csv
import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from allrounder.errors import DataError, RunError, did_you_mean, listed
from allrounder.model import Answerer, Prepared, load_passes
from allrounder.plan import Plan
from allrounder.records import stream
from allrounder.runs import Run

Progress = Callable[[int], None]
"""Called with the number of records answered so far."""

FORMATS = (".jsonl", ".csv", ".tsv", ".parquet")


class Predictor:
    """A trained run, ready to answer.

    Args:
        plan: the project file of the run.
        run: the run folder.
    """

    def __init__(self, plan: Plan, run: Run) -> None:
        self.plan = plan
        passes = load_passes(run.path, plan.inputs, plan.tasks, plan.fusion)
        self.model = passes[0][0]
        self.answerer = Answerer(passes, run.json("calibration.json"))

    def answers(self, texts: Mapping[str, pa.Array]) -> list[dict[str, Any]]:
        """Return one answer per row and task; `texts` holds a string array per field."""
        filled = {field: texts.get(field) for field in self.plan.fields}
        length = len(next(column for column in filled.values() if column is not None))
        nothing = pa.nulls(length, pa.string())
        columns = {field: nothing if col is None else col for field, col in filled.items()}
        prepared = Prepared.of(self.model, columns)
        return self.answerer.answers(prepared, np.arange(length))

    def rows(self, rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """Return one answer per row and task; a row names its fields, as a source would."""
        if not rows:
            return []
        for number, row in enumerate(rows):
            self._check(row, number)
        return self.answers(
            {
                field: pa.array([row.get(field) for row in rows], pa.string())
                for field in self.plan.fields
                if any(field in row for row in rows)
            }
        )

    def _check(self, row: Mapping[str, Any], number: int) -> None:
        given = {name: row[name] for name in self.plan.fields if row.get(name) is not None}
        if not given:
            near = next((did_you_mean(str(key), self.plan.fields) for key in row), "")
            raise DataError(
                f"Record {number} has none of the fields that the model reads "
                f"({listed(self.plan.fields)}). Found: {listed(row)}.{near}"
            )
        for name, text in given.items():
            if not isinstance(text, str) or not text.strip():
                raise DataError(f"Record {number}: `{name}` must be a text, found {text!r}.")

    def stream(
        self,
        source: Path | IO[bytes],
        *,
        format: str | None = None,
        map: Mapping[str, str] | None = None,
        batch: int = 4096,
    ) -> Iterator[tuple[pa.RecordBatch, list[dict[str, Any]]]]:
        """Yield the rows of a file in order, part by part, each part with its answers."""
        fields = self.plan.fields
        for part in stream(source, fields=fields, format=format, map=map, batch=batch):
            texts = {f: part.column(f) for f in fields if f in part.schema.names}
            yield part, self.answers(texts)

    def file(
        self,
        source: Path | IO[bytes],
        target: Path,
        *,
        format: str | None = None,
        map: Mapping[str, str] | None = None,
        progress: Progress | None = None,
    ) -> int:
        """Answer every row of a file into another one, in order; return how many.

        The target holds the columns of the source and the answers. It appears whole or not at
        all, in the format of its suffix: .jsonl, .csv, .tsv or .parquet.
        """
        done = 0
        with _writing(target) as write:
            for part, answers in self.stream(source, format=format, map=map):
                write(part, answers)
                done += len(answers)
                if progress:
                    progress(done)
        return done


def topped(answers: Mapping[str, Any], top: int | None) -> dict[str, Any]:
    """Return answers with only the `top` likeliest labels' probabilities; None leaves them all."""
    if top is None:
        return dict(answers)
    return {task: _topped(answer, top) for task, answer in answers.items()}


def _topped(answer: Mapping[str, Any], top: int) -> dict[str, Any]:
    if "probabilities" not in answer:
        return dict(answer)
    ranked = sorted(answer["probabilities"].items(), key=lambda pair: -pair[1])
    return {**answer, "probabilities": dict(ranked[:top])}


def flat(answers: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Return the answers of one record as columns: `topic`, `topic_probability` and so on."""
    columns: dict[str, Any] = {}
    for task, answer in answers.items():
        (_, main), *rest = answer.items()
        columns[task] = json.dumps(main, ensure_ascii=False) if isinstance(main, list) else main
        columns |= {
            f"{task}_{name}": json.dumps(v, ensure_ascii=False) if isinstance(v, list | dict) else v
            for name, v in rest
            if name != "probabilities"
        }
    return columns


Write = Callable[[pa.RecordBatch, Sequence[Mapping[str, Any]]], None]


@contextmanager
def _writing(target: Path) -> Iterator[Write]:
    if target.suffix not in FORMATS:
        raise DataError(f"{target}: answers are written to {listed(FORMATS)}, by the suffix.")
    draft = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with _writer(draft, target.suffix) as write:
            yield write
        draft.replace(target)
    except OSError as error:
        raise RunError(f"{target} could not be written: {error.strerror or error}.") from error
    finally:
        with suppress(OSError):
            draft.unlink(missing_ok=True)


@contextmanager
def _writer(path: Path, suffix: str) -> Iterator[Write]:
    if suffix == ".parquet":
        with _parquet(path) as write:
            yield write
        return
    with open(path, "w", encoding="utf-8", newline="") as file:
        yield _jsonl(file) if suffix == ".jsonl" else _csv(file, "\t" if suffix == ".tsv" else ",")
        file.flush()
        os.fsync(file.fileno())


def _jsonl(file: IO[str]) -> Write:
    def write(part: pa.RecordBatch, answers: Sequence[Mapping[str, Any]]) -> None:
        for row, answer in zip(part.to_pylist(), answers, strict=True):
            file.write(
                json.dumps({**row, "answers": answer}, ensure_ascii=False, default=str) + "\n"
            )

    return write


def _csv(file: IO[str], separator: str) -> Write:
    writer: csv.DictWriter | None = None

    def write(part: pa.RecordBatch, answers: Sequence[Mapping[str, Any]]) -> None:
        nonlocal writer
        rows = _tabled(part, answers)
        if writer is None and rows:
            writer = csv.DictWriter(file, list(rows[0]), delimiter=separator, restval="")
            writer.writeheader()
        if writer is not None:
            writer.writerows(rows)

    return write


def _tabled(part: pa.RecordBatch, answers: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    rows = [flat(answer) for answer in answers]
    names = dict.fromkeys(name for row in rows for name in row)
    taken = set(part.schema.names)
    renamed = {name: f"{name}_answer" if name in taken else name for name in names}
    return [
        {**old, **{renamed[name]: new.get(name) for name in names}}
        for old, new in zip(part.to_pylist(), rows, strict=True)
    ]


@contextmanager
def _parquet(path: Path) -> Iterator[Write]:
    writer: pq.ParquetWriter | None = None

    def write(part: pa.RecordBatch, answers: Sequence[Mapping[str, Any]]) -> None:
        nonlocal writer
        table = pa.Table.from_pylist(_tabled(part, answers))
        if writer is None:
            writer = pq.ParquetWriter(path, table.schema)
        writer.write_table(table.cast(writer.schema))

    try:
        yield write
    finally:
        if writer is not None:
            writer.close()
