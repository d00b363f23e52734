"""How each task fares when inputs are missing: one model, the same records, every subset."""

from typing import Any

import numpy as np

from allrounder.evaluation.calibration import calibration as calibrated
from allrounder.evaluation.forms import form_of
from allrounder.evaluation.intervals import affordable, bootstrap
from allrounder.evaluation.judged import Judged
from allrounder.evaluation.report import Robustness, SubsetReport
from allrounder.evaluation.said import Calibration, Passes, Said
from allrounder.model import Prepared, scored_by_subset
from allrounder.model.subsets import Subset, fitting, without
from allrounder.records import Records
from allrounder.tasks import Task


def robustness(
    passes: Passes,
    prepared: Prepared,
    records: Records,
    rows: np.ndarray,
    *,
    calibration: Calibration,
    seed: int,
) -> dict[str, Robustness]:
    """Judge every task that joins inputs on subsets of them.

    Only labelled records with all inputs count, so that every subset is judged on the same ones.

    Args:
        passes: the model, and those of tasks with snapshots of their own.
        prepared: the tokens of the records.
        records: the records.
        rows: which of them.
        calibration: by task, what was fitted on validation records.
        seed: of the resamples.
    """
    found: dict[str, Robustness] = {}
    for model, names in passes:
        fused = [name for name in names if name in model.fused]
        said: dict[str, dict[Subset, Said]] = {}
        for some, part in scored_by_subset(model, prepared, rows, tasks=fused) if fused else ():
            task, known = model.tasks[part.task], calibration.get(part.task, {})
            mine = said.setdefault(part.task, {}).setdefault(some, Said())
            mine.rows += part.rows.tolist()
            mine.decoded += task.decode(part.scores)
            mine.answers += task.answers(
                part.scores, fitting(known, without(list(model.inputs), some))
            )
        for name, by in said.items():
            ordered = {some: mine.ordered() for some, mine in by.items()}
            truths = records.take(name, next(iter(ordered.values())).rows)
            found[name] = judged_by_subset(model.tasks[name], truths, ordered, seed=seed)
    return found


def judged_by_subset(
    task: Task, truths: list[Any], said: dict[Subset, Said], *, seed: int
) -> Robustness:
    """Return every metric for every subset, intervals from the same resamples for all of them."""
    metrics, true = task.metrics(), task.array(truths)
    comparisons = {
        (some, name): (metric.score, true, task.array(mine.decoded))
        for some, mine in said.items()
        for name, metric in metrics.items()
    }
    resamples = affordable(len(truths) * len(said), 500)
    draws = bootstrap(comparisons, len(truths), resamples=resamples, seed=seed)
    deciding_first = sorted(metrics, key=lambda name: name != task.decides)
    return Robustness(
        num_records=len(truths),
        subsets=[
            SubsetReport(
                inputs=list(some),
                metrics={name: draws[some, name].score() for name in deciding_first},
                **_honesty(task, truths, mine),
            )
            for some, mine in said.items()
        ],
    )


def _honesty(task: Task, truths: list[Any], said: Said) -> dict[str, float | None]:
    """Return the mean confidence of the answers, and their calibration error."""
    judged = Judged(
        task=task, truths=truths, decoded=said.decoded, answers=said.answers,
        raw=None, before=None, baseline=[], texts=[], wheres=[],
    )  # fmt: skip
    decisions = form_of(said.answers).decisions(judged, said.answers)
    found = None if decisions is None else calibrated(decisions, None)
    if decisions is None or found is None:
        return {}
    return {"confidence": round(float(decisions[0].mean()), 6), "ece": found.ece_after}
