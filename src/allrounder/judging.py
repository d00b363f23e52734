"""Judging a finished run on its records again, or on new ones."""

from collections.abc import Callable
from dataclasses import replace

from allrounder.errors import DataError
from allrounder.evaluation import Report
from allrounder.evaluation.assess import Known, Said, assess
from allrounder.model import Prepared, load_passes
from allrounder.plan import Plan
from allrounder.records import Records
from allrounder.runs import Run, environment


def evaluate(
    plan: Plan,
    records: Records,
    run: Run,
    *,
    split: str,
    tell: Callable[[str, float, float, str], None],
) -> Report:
    """Judge a run on the labelled records of a split.

    What is known of its training, and of the probe before fine-tuning where the records are the
    same, comes from the run folder.
    """
    rows = records.labeled(split)
    if not len(rows):
        raise DataError(f"There are no labelled records to judge in {split!r}.")
    passes = load_passes(run.path, plan.inputs, plan.tasks, plan.fusion)
    prepared = Prepared.of(
        passes[0][0],
        {field: records.texts(field) for field in records.fields},
        {name: records.labels(name) for name in plan.tasks},
        cache=plan.cache / "tokens",
    )
    reports = assess(
        passes,
        prepared,
        records,
        rows,
        known=Known(
            calibration=run.json("calibration.json"),
            constants=run.json("constants.json"),
            before=_probe(run, records) if split == "test" else None,
        ),
        seed=plan.training.seed,
        tell=lambda done, total: tell("judge", done, total, ""),
    )
    old = Report.from_dict(run.json("metrics.json"))
    return replace(old, tasks=reports, split=split, created=environment()["created"])


def _probe(run: Run, records: Records) -> dict[str, Said] | None:
    """Return what the probe said when the run was trained, if it was of the same records."""
    kept = run.json("probe.json")
    if kept["records"] != records.fingerprint:
        return None
    return {
        name: Said(rows=one["rows"], decoded=one["decoded"]) for name, one in kept["said"].items()
    }
