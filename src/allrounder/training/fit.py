"""From records to a finished run: train, choose snapshots, calibrate, judge, save."""

import shutil
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from torch import Tensor

from allrounder.evaluation import Report, TaskReport, write_report
from allrounder.evaluation.assess import Known, Passes, Said, assess, calibrate
from allrounder.kinds import dump
from allrounder.model import Model, Prepared, save_model
from allrounder.runs import environment, write_json, write_yaml
from allrounder.tasks import Task
from allrounder.tasks.columns import in_parts
from allrounder.training.course import CHECKPOINT, Course, train
from allrounder.training.job import Job, fill, kept_chance
from allrounder.training.keeping import Keeper
from allrounder.training.probe import probe


def fit(
    job: Job, *, project: Mapping[str, Any], data: Mapping[str, Any], resume: bool = False
) -> Report:
    """Train one model for all tasks, judge it on test records, and fill the run folder.

    Args:
        job: what to train on what.
        project: the project file with every default written out.
        data: what is known of the records, for the report.
        resume: go on from the checkpoint of an interrupted run.
    """
    with kept_chance():
        job = replace(job, tasks=job.learned())
        write_yaml(job.run.path / "project.yaml", {**project, "tasks": dump(job.tasks)})
        model = job.model(dropout=job.settings.dropout)
        prepared = job.prepared(model)
        keeper, course = train(job, model, prepared, resume=resume)
        passes, own = _chosen(job, model, keeper)
        job.tell("calibrate", 0, 1, "")
        calibration = calibrate(passes, prepared, job.rows("validation"))
        job.tell("calibrate", 1, 1, "")
        reports, speed = _judged(job, passes, prepared, calibration)
    report = Report(
        tasks=reports,
        history=course.history,
        snapshots=_snapshots(keeper, own),
        speed={**_trained(model, course), **speed},
        data=dict(data),
        project=job.run.project(),
        environment=environment(),
        split="test",
        notes=[*course.notes, *_notes(prepared)],
        created=environment()["created"],
    )
    _save(job, model, own, calibration, report)
    return report


def _notes(prepared: Prepared) -> list[str]:
    """Say which inputs have texts longer than their encoder reads at once."""
    notes = []
    for name, encoder in prepared.model.inputs.items():
        full = prepared.tokens[name].full
        long = int((full > encoder.reach).sum())
        if long:
            notes.append(
                f"{long:,} of {int((full > 0).sum()):,} texts of {name} are longer than "
                f"{encoder.reach} tokens: tasks that read the whole record saw their beginning, "
                "spans tasks read them in windows."
            )
    return notes


def _chosen(job: Job, model: Model, keeper: Keeper) -> tuple[Passes, dict[str, dict[str, Tensor]]]:
    """Return the models that will answer, and the weights of tasks with their own snapshot."""
    shared = keeper.shared
    fill(model, keeper.weights(shared))
    own = {}
    if job.settings.snapshots == "own":
        own = {name: keeper.weights(at) for name, at in keeper.best.items() if at != shared}
    passes = [(model, [name for name in job.tasks if name not in own])]
    for name, weights in own.items():
        twin = job.model(dropout=0.0)
        fill(twin, weights)
        passes.append((twin, [name]))
    return passes, own


def _judged(
    job: Job, passes: Passes, prepared: Prepared, calibration: Mapping[str, Any]
) -> tuple[dict[str, TaskReport], dict[str, float]]:
    before = probe(job)
    _keep_probe(job, before)
    constants = _constants(job)
    write_json(job.run.path / "constants.json", constants)
    rows, began = job.rows("test"), time.perf_counter()
    counts: list[float] = []

    def tell(done: int, total: int) -> None:
        job.tell("judge", done, total, "")
        counts.append(time.perf_counter() - began)

    reports = assess(
        passes,
        prepared,
        job.records,
        rows,
        known=Known(calibration=calibration, constants=constants, before=before),
        seed=job.settings.seed,
        tell=tell,
    )
    return reports, {"predict_records_per_second": round(len(rows) / max(counts[-1], 1e-9), 1)}


def _keep_probe(job: Job, before: Mapping[str, Said] | None) -> None:
    """Keep what the probe said of the test records, so that `evaluate` can compare again."""
    said = {
        name: {"rows": one.rows, "decoded": one.decoded} for name, one in (before or {}).items()
    }
    write_json(job.run.path / "probe.json", {"records": job.records.fingerprint, "said": said})


def _constants(job: Job) -> dict[str, Any]:
    """Return what a constant would answer to each task, from training labels."""
    return {name: task.baseline(_truths(job, name, task)) for name, task in job.tasks.items()}


def _truths(job: Job, name: str, task: Task) -> np.ndarray:
    """Return the training labels as metrics read them, made in parts."""
    if task.reads == "tokens":
        return np.empty(0, dtype=object)  # no constant answer fits another text
    labels = job.records.labels(name).take(job.records.indices("train")).drop_null()
    return np.concatenate([task.array(part) for part in in_parts(labels)])


def _snapshots(keeper: Keeper, own: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    shared = keeper.shared
    return {
        name: {
            "best_step": at,
            "best": keeper.scores[at][name],
            "shipped_step": at if name in own else shared,
            "shipped": keeper.scores[at if name in own else shared].get(name),
        }
        for name, at in keeper.best.items()
    }


def _trained(model: Model, course: Course) -> dict[str, Any]:
    return {
        "train_tokens_per_second": round(course.rate, 1),
        "train_records_per_second": round(course.records / max(course.seconds, 1e-9), 1),
        "train_seconds": round(course.seconds, 2),
        "num_parameters": sum(weight.numel() for weight in model.parameters()),
        "num_trained": sum(weight.numel() for weight in model.trained().values()),
        "precision": str(model.precision or "float32").removeprefix("torch."),
        "device": model.device.type,
    }


def _save(
    job: Job,
    model: Model,
    own: Mapping[str, Mapping[str, Tensor]],
    calibration: Mapping[str, Any],
    report: Report,
) -> None:
    """Write the model, then what is known of it, and only then call the run complete."""
    save_model(job.run.path, model, own)
    write_json(job.run.path / "calibration.json", dict(calibration))
    write_report(report, job.run.path)
    job.run.complete()
    (job.run.path / CHECKPOINT).unlink(missing_ok=True)
    for scratch in ("steps", "probe"):
        shutil.rmtree(job.run.path / scratch, ignore_errors=True)
