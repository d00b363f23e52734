"""From what a task was asked and what was said to what is true of it."""

from typing import Any

from allrounder.errors import DataError
from allrounder.evaluation.calibration import calibration
from allrounder.evaluation.forms import Form, form_of
from allrounder.evaluation.intervals import Draws, affordable, bootstrap
from allrounder.evaluation.judged import Judged
from allrounder.evaluation.report import MetricReport, TaskReport


def judge(judged: Judged, *, resamples: int = 500, seed: int = 0) -> TaskReport:
    """Return metrics with intervals, calibration, and the mistakes worth reading.

    Args:
        judged: what the task was asked and what was said.
        resamples: how often the bootstrap draws; lowered for many records.
        seed: where its chance comes from.

    Raises:
        DataError: there is no labelled record.
    """
    if not judged.truths:
        raise DataError(
            f"A task of kind {judged.task.kind_name()!r} cannot be judged: the split has no "
            "record labelled for it. Label some, or judge another split."
        )
    resamples = affordable(len(judged.truths), resamples)
    form = form_of(judged.answers)
    return TaskReport(
        kind=judged.task.kind_name(),
        num_records=len(judged.truths),
        resamples=resamples,
        decides=judged.task.decides,
        metrics=_metrics(judged, resamples, seed),
        num_withheld=sum(bool(answer.get("abstained")) for answer in judged.answers),
        **_details(judged, form, seed),
    )


def _details(judged: Judged, form: Form, seed: int) -> dict[str, Any]:
    calibrated = form.decisions(judged, judged.answers)
    raw = None if judged.raw is None else form.decisions(judged, judged.raw)
    return {
        "per_label": form.per_label(judged),
        "confusion": form.confusion(judged),
        "calibration": None if calibrated is None else calibration(calibrated, raw),
        "errors": form.errors(judged),
        **form.extras(judged, seed),
    }


def _metrics(judged: Judged, resamples: int, seed: int) -> dict[str, MetricReport]:
    task, metrics = judged.task, judged.task.metrics()
    systems = {"after": judged.decoded, "before": judged.before, "baseline": judged.baseline}
    truths = task.array(judged.truths)
    arrays = {who: task.array(said) for who, said in systems.items() if said is not None}
    comparisons = {
        (name, who): (metric.score, truths, answers)
        for name, metric in metrics.items()
        for who, answers in arrays.items()
    }
    draws = bootstrap(comparisons, len(truths), resamples=resamples, seed=seed)
    deciding_first = sorted(metrics, key=lambda name: name != task.decides)
    return {
        name: _metric_report(
            {who: draws[name, who] for who in arrays}, metrics[name].higher_is_better
        )
        for name in deciding_first
    }


def _metric_report(draws: dict[str, Draws], higher_is_better: bool) -> MetricReport:
    before = draws.get("before")
    gain = before and draws["after"].gain_over(before, higher_is_better=higher_is_better)
    return MetricReport(
        higher_is_better=higher_is_better,
        after=draws["after"].score(),
        before=before.score() if before else None,
        baseline=draws["baseline"].score(),
        gain=gain.score() if gain else None,
    )
