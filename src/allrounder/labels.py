"""Labels of people, out of the ledger into a file and from a file into the ledger."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from allrounder.checking import load_records
from allrounder.errors import DataError, Error, ProjectError, did_you_mean, listed
from allrounder.exchange import FORMATS, Asked, Placing, Row, format_of
from allrounder.exchange.placing import told
from allrounder.exchange.rows import form_of
from allrounder.ledger import Answer, Answers, canonical, given
from allrounder.plan import Plan
from allrounder.records import Records, labels_read
from allrounder.runs import written_whole

MISFITS = (ValueError, TypeError, LookupError, AttributeError, ArithmeticError, RecursionError,
           pa.ArrowException)  # fmt: skip
"""What files raise whose parts are of other kinds than expected."""

SHOWN = 5
"""Answers that are shown, and reasons for which some are left out."""

SEVERAL = 10_000
"""Answers that are appended at once."""


@dataclass(frozen=True, kw_only=True)
class Exported:
    """What was written.

    Args:
        file: the file.
        format: its format.
        answers: how many answers are in it.
        records: of how many records.
        notes: sentences on what is not in it.
    """

    file: Path
    format: str
    answers: int
    records: int
    notes: list[str] = field(default_factory=list)

    def to_dict(self) -> dict[str, Any]:
        """Return plain data, ready for JSON."""
        return {**asdict(self), "file": str(self.file)}

    def __str__(self) -> str:
        said = f"{self.answers:,} labels of {self.records:,} records in {self.file} ({self.format})"
        return "\n".join([said, *self.notes])


@dataclass(frozen=True, kw_only=True)
class Imported:
    """What was read, and what of it is new.

    Args:
        file: the file.
        format: its format.
        dry_run: whether nothing was written, only looked at.
        new: how many answers are new to the ledger.
        known: how many were in it already.
        tasks: the new answers by task.
        people: the new answers by person.
        sample: some of them: task, person, label, text of the record.
        left_out: why answers were left out → how many, and where the first of them stands.
    """

    file: Path
    format: str
    dry_run: bool
    new: int
    known: int
    tasks: dict[str, int]
    people: dict[str, int]
    sample: list[dict[str, Any]]
    left_out: dict[str, tuple[int, str]]

    def to_dict(self) -> dict[str, Any]:
        """Return plain data, ready for JSON."""
        return {**asdict(self), "file": str(self.file)}

    def __str__(self) -> str:
        verb = "would be" if self.dry_run else "were"
        lines = [
            f"{self.new:,} answers {verb} added from {self.file} ({self.format}); "
            f"{self.known:,} are in the ledger already."
        ]
        if self.new:
            lines += [f"Tasks: {_counts(self.tasks)}", f"People: {_counts(self.people)}"]
        lines += [
            f"  {one['task']}, {one['who']}: {json.dumps(one['value'], ensure_ascii=False)}"
            f"  <- {one['record']}"
            for one in self.sample
        ]
        for why, (n, place) in self.left_out.items():
            lines.append(f"Left out: {n:,}, because {why}; the first is {place}.")
        return "\n".join(lines)


def export_labels(
    plan: Plan, target: Path, *, format: str | None = None, task: str | None = None
) -> Exported:
    """Write the labels that people gave: of each person what counts, with who, when and how long.

    Args:
        plan: the project.
        target: the file; it appears whole or not at all.
        format: of the file, where its suffix does not tell.
        task: only labels of this task.
    """
    name, tasks = format_of(target, format), _asked(plan, task)
    if name == "conll":
        tasks = _only_spans(tasks)
    rows, gone = _rows(plan, load_records(plan, trains=False), tasks)
    if name == "conll":
        rows = _standing(rows)
    with written_whole(target) as file:
        for part in FORMATS[name].write(rows, tasks):
            file.write(part)
    notes = [f"{gone:,} labels are not in it: no source holds the record."] if gone else []
    return Exported(
        file=target,
        format=name,
        answers=len(rows),
        records=len({row.key for row in rows}),
        notes=notes,
    )


def import_labels(
    plan: Plan,
    path: Path,
    *,
    format: str | None = None,
    task: str | None = None,
    map: Mapping[str, str] | None = None,
    who: str = "import",
    dry_run: bool = False,
) -> Imported:
    """Add the labels of a file to the ledger; what is in it already is not added again.

    Args:
        plan: the project.
        path: the file.
        format: of the file, where its suffix does not tell.
        task: the one task that all of it is about, where the file does not say.
        map: names of the file to fields and tasks.
        who: the person, where the file names nobody.
        dry_run: only look what would be added.
    """
    if not path.exists():
        raise DataError(f"{path}: there is no such file.")
    name = format_of(path, format)
    placing = _placing(plan, task, map)
    with _misfits(path, name):
        rows = _fitting(plan, placing, [placing.place(row) for row in FORMATS[name].read(path)])
    answers = {one.id: one for one in (_answer(row, who) for row in rows if row.why is None)}
    known = _known(plan, answers)
    new = [one for id, one in answers.items() if id not in known]
    if not dry_run and new:
        _append(plan, new)
    return Imported(
        file=path,
        format=name,
        dry_run=dry_run,
        new=len(new),
        known=len(answers) - len(new),
        tasks=dict(Counter(one.task for one in new)),
        people=dict(Counter(one.who for one in new)),
        sample=_sample(placing.records, new[:SHOWN]),
        left_out=_left_out(rows),
    )


@contextmanager
def _misfits(path: Path, format: str) -> Iterator[None]:
    """Turn what no reader expects, such as a number in place of a list, into one sentence."""
    try:
        yield
    except Error:
        raise
    except MISFITS as error:
        raise DataError(
            f"{path}: this cannot be read as {format}: something in it is of another kind than the "
            f"format has there ({type(error).__name__})."
        ) from None


def _placing(plan: Plan, task: str | None, map: Mapping[str, str] | None) -> Placing:
    tasks = _asked(plan)
    if task is not None:
        _asked(plan, task)
    return Placing(load_records(plan, trains=False), tasks, map=map, task=task)


def _asked(plan: Plan, only: str | None = None) -> dict[str, Asked]:
    """Return the tasks that people can answer.

    Raises:
        ProjectError: there is no such task.
    """
    found = {}
    for name, column in plan.columns().items():
        if column.made_of is None:
            read = plan.inputs[column.task.reading(plan.inputs)[0]].fields or []
            labels = getattr(column.task, "labels", None)
            form = form_of(column.type)
            found[name] = Asked(name=name, form=form, of=column.of or read[0], labels=labels)
    if only is None:
        return found
    if only not in found:
        raise ProjectError(
            f"--task {only!r} is no task that people label.{did_you_mean(only, found)} "
            f"Tasks: {listed(found)}."
        )
    return {only: found[only]}


def _only_spans(tasks: Mapping[str, Asked]) -> dict[str, Asked]:
    spans = {name: task for name, task in tasks.items() if task.form == "spans"}
    if len(spans) == 1:
        return spans
    found = f"there are {listed(spans)}" if spans else "there is none"
    raise ProjectError(f"CoNLL holds the labels of one spans task, and {found}. Name it: --task.")


def _rows(plan: Plan, records: Records, tasks: Mapping[str, Asked]) -> tuple[list[Row], int]:
    """Return the answers that count, in the order of records, and how many have none."""
    if not given(plan.where):
        return [], 0
    with Answers(plan.where, read_only=True) as ledger:
        standing = ledger.standing()
    keys = [format(key, "016x") for key in records.numbers("key").tolist()]
    first = {key: row for row, key in reversed(list(enumerate(keys)))}
    kept = [
        (first.get(key), number, one, standing[key, task])
        for number, (key, task) in enumerate(standing)
        for one in standing[key, task].answers
        if task in tasks
    ]
    there = sorted((one for one in kept if one[0] is not None), key=lambda one: one[:2])
    places = np.unique([one[0] for one in there]).tolist()
    columns = {name: told(records, name, places) for name in records.fields}
    fields = {
        place: {name: values[n] for name, values in columns.items() if values[n] is not None}
        for n, place in enumerate(places)
    }
    rows = [
        _row(one, fields[place], stands=canonical(one.value) == canonical(whole.value))
        for place, _, one, whole in there
    ]
    return rows, len(kept) - len(there)


def _row(one: Answer, fields: Mapping[str, Any], *, stands: bool) -> Row:
    said = {
        name: getattr(one, name)
        for name in ("task", "value", "act", "who", "created", "seconds", "model", "suggested",
                     "source", "id", "key")
    }  # fmt: skip
    return Row(fields=fields, stands=stands, **said)


def _standing(rows: Sequence[Row]) -> list[Row]:
    """Return of each record the latest answer that says what counts."""
    return list({row.key: row for row in rows if row.stands}.values())


def _fitting(plan: Plan, placing: Placing, rows: Sequence[Row]) -> list[Row]:
    """Return answers, those marked whose label the task does not take."""
    columns, rows = plan.columns(), list(rows)
    for name in placing.tasks:
        mine = [
            place
            for place, row in enumerate(rows)
            if row.why is None and row.task == name and row.act != "skip"
        ]
        of = columns[name].of
        texts = None if of is None else [placing.text(rows[place]) for place in mine]
        fits = labels_read(columns[name], [rows[place].value for place in mine], texts).is_valid()
        for place, good in zip(mine, fits.to_pylist(), strict=True):
            if not good:
                rows[place] = replace(rows[place], why=f"{name} does not take the label")
    return rows


def _answer(row: Row, who: str) -> Answer:
    """Return an answer of a file; its id follows from what it says, so it is added but once."""
    act = row.act if row.act in ("skip", "settle") else "label"
    person = row.who or who
    said = [row.key, row.task, person, act, row.value, row.created]
    content = json.dumps(said, sort_keys=True).encode()
    return Answer(
        id=row.id or f"import-{blake2b(content, digest_size=16).hexdigest()}",
        who=person,
        key=row.key or "",
        task=row.task or "",
        act=act,  # type: ignore[arg-type]
        value=row.value,
        seconds=row.seconds,
        model=row.model,
        suggested=row.suggested,
        source="import",
        created=row.created,
    )


def _known(plan: Plan, answers: Mapping[str, Answer]) -> set[str]:
    if not given(plan.where):
        return set()
    with Answers(plan.where, read_only=True) as ledger:
        return {one.id for one in ledger.events() if one.id in answers}


def _append(plan: Plan, answers: Sequence[Answer]) -> None:
    with Answers(plan.where) as ledger:
        for first in range(0, len(answers), SEVERAL):
            ledger.append(answers[first : first + SEVERAL])


def _sample(records: Records, answers: Sequence[Answer]) -> list[dict[str, Any]]:
    """Return some answers with the record as a person would read it."""
    keys = records.numbers("key")
    rows = [int(np.flatnonzero(keys == np.uint64(int(one.key, 16)))[0]) for one in answers]
    texts = records.legible(records.fields, rows) if rows else []
    return [
        {"task": one.task, "who": one.who, "value": one.value, "record": text[:80]}
        for one, text in zip(answers, texts, strict=True)
    ]


def _left_out(rows: Sequence[Row]) -> dict[str, tuple[int, str]]:
    left: dict[str, tuple[int, str]] = {}
    for row in rows:
        if row.why is not None:
            n, place = left.get(row.why, (0, row.place))
            left[row.why] = n + 1, place
    return dict(sorted(left.items(), key=lambda one: -one[1][0]))


def _counts(counts: Mapping[str, int]) -> str:
    return listed((f"{name} {n:,}" for name, n in counts.items()), SHOWN)
