"""From a model and labelled records to a judgement of every task."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from allrounder.encoders import Encoder
from allrounder.evaluation.judge import judge
from allrounder.evaluation.judged import Judged
from allrounder.evaluation.report import TaskReport
from allrounder.evaluation.robustness import robustness
from allrounder.evaluation.ruling import Ruled
from allrounder.evaluation.said import Calibration, Passes, Said
from allrounder.model import Model, Prepared, Scored, answers_of, reworded, scored
from allrounder.records import Records
from allrounder.tasks import Task

Tell = Callable[[int, int], None]


@dataclass(frozen=True, kw_only=True)
class Known:
    """What an evaluation compares with.

    Args:
        calibration: by task, what was fitted on validation records.
        constants: by task, what a constant would answer.
        before: by task, what the probe on the frozen encoder said of the same records.
        ruled: the joint answers to the records, where the project has rules.
    """

    calibration: Calibration
    constants: Mapping[str, Any]
    before: Mapping[str, Said] | None = None
    ruled: Ruled | None = None


def said(
    passes: Passes,
    prepared: Prepared,
    rows: np.ndarray,
    *,
    calibration: Calibration | None = None,
    ruled: Ruled | None = None,
    tell: Tell | None = None,
) -> dict[str, Said]:
    """Return what the model says of every labelled record, by task.

    With a calibration the answers and their probabilities are kept too, before and after it; with
    joint answers those stand where rules changed something.
    """
    found: dict[str, Said] = {}
    for model, tasks in passes:
        for part in scored(model, prepared, rows, tasks=tasks, labeled=True, progress=tell):
            task, mine = model.tasks[part.task], found.setdefault(part.task, Said())
            mine.rows += [int(row) for row in part.rows]
            decode = task.decode if calibration is None else task.decode_fully
            mine.decoded += decode(part.scores)
            if calibration is not None:
                known = calibration.get(part.task, {})
                mine.answers += answers_of(model, prepared, part, known)
                mine.raw += task.answers(part.scores, {})
                if ruled is not None:
                    _follow(ruled, mine, (model, part), prepared, known)
    return {name: mine.ordered() for name, mine in found.items()}


def _follow(
    ruled: Ruled, mine: Said, told: tuple[Model, Scored], prepared: Prepared, known: Any
) -> None:
    """Put the answers that rules changed in the place of the last ones said."""
    model, part = told
    changed = reworded(model.tasks[part.task], part, prepared, known, ruled.rows)
    first = len(mine.rows) - len(part.rows)
    for place, row in enumerate(part.rows.tolist(), first):
        if row in changed:
            mine.answers[place] = changed[row]
            mine.decoded[place] = ruled.rows[row].labels[part.task]


def quick_scores(
    model: Model, prepared: Prepared, records: Records, rows: np.ndarray
) -> dict[str, dict[str, float]]:
    """Return every metric of every task on labelled records, without intervals."""
    found = said([(model, list(model.tasks))], prepared, rows)
    return {
        name: _metrics(model.tasks[name], records.take(name, mine.rows), mine.decoded)
        for name, mine in found.items()
    }


def _metrics(task: Task, truths: list[Any], decoded: list[Any]) -> dict[str, float]:
    pair = task.array(truths), task.array(decoded)
    found = {name: metric.score(*pair) for name, metric in task.metrics().items()}
    return {name: value for name, value in found.items() if not math.isnan(value)}


def assess(
    passes: Passes,
    prepared: Prepared,
    records: Records,
    rows: np.ndarray,
    *,
    known: Known,
    seed: int = 0,
    tell: Tell | None = None,
) -> dict[str, TaskReport]:
    """Judge every task on the labelled records among `rows`.

    Args:
        passes: the model, and those of tasks with snapshots of their own.
        prepared: the tokens of the records.
        records: the records.
        rows: which of them.
        known: what was found before: calibration, constants and probe.
        seed: of the resamples.
        tell: called with the rows done and the rows in all.
    """
    tasks = passes[0][0].tasks
    options = {"calibration": known.calibration, "ruled": known.ruled}
    found = said(passes, prepared, rows, **options, tell=tell)
    robust = robustness(passes, prepared, records, rows, calibration=known.calibration, seed=seed)
    reports = {}
    for name in tasks:
        if name not in found:
            continue
        mine = found[name]
        old = (known.before or {}).get(name)
        wheres = records.wheres(mine.rows)
        reports[name] = judge(
            Judged(
                task=tasks[name],
                truths=records.take(name, mine.rows),
                decoded=mine.decoded,
                answers=mine.answers,
                raw=mine.raw,
                before=old.decoded if old and old.rows == mine.rows else None,
                baseline=tasks[name].constant(known.constants[name], mine.decoded),
                texts=_texts(passes[0][0], records, name, mine.rows),
                wheres=wheres,
            ),
            seed=seed,
        )
        reports[name].robustness = robust.get(name)
        rows_of = dict(zip(wheres, mine.rows, strict=True))
        _illustrate(reports[name], _read_by(passes[0][0], name), records, rows_of)
    return reports


def _illustrate(
    report: TaskReport, encoders: list[Encoder], records: Records, rows_of: Mapping[str, int]
) -> None:
    """Put small views of pictures and sounds beside the mistakes."""
    for error in report.errors:
        values = [
            (encoder, records.take(field, [rows_of[error.where]])[0])
            for encoder in encoders
            for field in encoder.fields or []
        ]
        error.glimpses = [view for view in (_glimpse(*pair) for pair in values) if view]


def _glimpse(encoder: Encoder, value: Any) -> str | None:
    try:
        return None if value is None else encoder.glimpse(value)
    except (ValueError, OSError):  # the file has gone or changed since
        return None


def _read_by(model: Model, name: str) -> list[Encoder]:
    return [model.inputs[source] for source in model.tasks[name].reading(model.inputs)]


def _texts(model: Model, records: Records, name: str, rows: list[int]) -> list[str]:
    fields = [field for encoder in _read_by(model, name) for field in encoder.fields or []]
    return records.legible(fields, rows)
