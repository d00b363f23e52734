"""From records to a finished run: train, choose snapshots, calibrate, judge, save."""

import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from torch import Tensor

from allrounder.evaluation import Report, TaskReport, write_report
from allrounder.evaluation.assess import Known, assess
from allrounder.evaluation.fitting import calibrate
from allrounder.evaluation.lift import KnowledgeReport
from allrounder.evaluation.ruling import Ruled, rules_report, under_rules
from allrounder.evaluation.said import Passes, Said
from allrounder.evaluation.telling import Telling
from allrounder.kinds import dump
from allrounder.model import Knowing, Model, Prepared, save_model, save_rules, shelve
from allrounder.records import as_csv
from allrounder.rules import Decoder
from allrounder.runs import environment, write_json, write_text, write_yaml
from allrounder.tasks import Task
from allrounder.tasks.columns import in_parts
from allrounder.training.advice import kept_advice
from allrounder.training.course import CHECKPOINT, Course, train
from allrounder.training.job import Job, fill, kept_chance
from allrounder.training.keeping import SOUP, Keeper
from allrounder.training.lift import lifted
from allrounder.training.loop import moved_by_lr
from allrounder.training.probe import probe
from allrounder.training.settings import Training
from allrounder.training.twins import Comparison, compare, tell_of, visits


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
    job.settings.weighting.ready()
    advice = kept_advice(job.cache, job.records.fingerprint, project)
    with kept_chance():
        job = job.learned()
        decoder = job.decoder()
        write_yaml(job.run.path / "project.yaml", _completed(project, job))
        model = job.model(dropout=job.settings.dropout)
        prepared = job.prepared(model)
        keeper, course = train(job, model, prepared, resume=resume)
        comparison = _compared(job, model, prepared, keeper, course)
        own = {**_own(job, keeper), **comparison.own} if comparison else _own(job, keeper)
        passes = _passes(job, model, keeper.weights(keeper.shared), own)
        lift = _lifted(job, passes, prepared, keeper, course)
        if lift and lift.off:
            job, prepared = _dropped(job, passes, prepared, lift.off)
            write_yaml(job.run.path / "project.yaml", _completed(project, job))
        job.tell("calibrate", 0, 1, "")
        calibration = _calibration(job, passes, prepared)
        job.tell("calibrate", 1, 1, "")
        ruled = _ruled(job, passes, prepared, calibration, decoder)
        reports, speed = _judged(job, passes, prepared, calibration, ruled)
        told = _told(job, model, prepared, course)
        shelved = shelve(job.run.path, passes, prepared, job.records)
    report = Report(
        tasks=reports,
        sharing=comparison and comparison.sharing,
        knowledge=lift,
        rules=ruled and rules_report(ruled, prepared, job.records, job.tasks),
        votes=job.voted.reliabilities if job.voted else [],
        telling=told,
        advice=advice,
        history=course.history,
        snapshots=_snapshots(keeper, own, comparison.origins if comparison else {}),
        speed={**_trained(model, course), **speed},
        data=dict(data),
        project=job.run.project(),
        environment=environment(),
        split="test",
        notes=[*job.records.notes, *course.notes, *notes_of(prepared, job.settings), *shelved],
        created=environment()["created"],
    )
    _save(job, model, own, calibration, report)
    return report


def _told(job: Job, model: Model, prepared: Prepared, course: Course) -> Telling | None:
    """Return how well the model that ships tells words of test texts, where it learned that."""
    lessons = job.lessons(prepared)
    return lessons and lessons.report(job.records.indices("test"), course.told)


def _completed(project: Mapping[str, Any], job: Job) -> dict[str, Any]:
    """Return the project file with what the records told filled in."""
    inputs = {
        name: {**spec, **{key: dump(getattr(job.inputs[name], key))
                          for key in job.inputs[name].learned}}
        for name, spec in project["inputs"].items()
    }  # fmt: skip
    known = {} if job.knowing is None else {"knowledge": _known(project["knowledge"], job.knowing)}
    return {**project, "inputs": inputs, "tasks": dump(job.tasks), **known}


def _known(section: Mapping[str, Any], knowing: Knowing) -> dict[str, Any]:
    facts = {**section["facts"], "without": list(knowing.base.without)}
    return {**section, "facts": facts, "injection": dump([*knowing.injections.values()])}


SEEN = "tasks that read the whole record saw their beginning, spans tasks read them in windows."
HEARD = "only their beginning was read."
"""What became of values that are longer than their encoder reads at once."""


def notes_of(prepared: Prepared, settings: Training) -> list[str]:
    """Say which inputs are cut or read in every epoch, and whether `lr` was set for nothing."""
    notes = []
    if settings.lr != Training.lr and not moved_by_lr(prepared.model, settings):
        notes.append(
            f"`training.lr: {settings.lr:g}` moved nothing: no pretrained layer learned. What "
            "starts from nothing learns at `training.head_lr`."
        )
    for name, encoder in prepared.model.inputs.items():
        full = prepared.tokens[name].full
        long = int((full > encoder.reach).sum())
        if long:
            tail = SEEN if encoder.values == "texts" else HEARD
            notes.append(
                f"{long:,} of {int((full > 0).sum()):,} {encoder.values} of {name} are longer than "
                f"{encoder.reach} tokens: {tail}"
            )
        if full.any() and prepared.model.encoding(name).has_stem and name not in prepared.stored:
            notes.append(
                f"The disk has too little room to keep what frozen layers say of {name}: they ran "
                "in every epoch, which is slow. Make room, and the next training keeps it."
            )
    return notes


def _compared(
    job: Job, model: Model, prepared: Prepared, keeper: Keeper, course: Course
) -> Comparison | None:
    """Train the twins, where they are asked for."""
    if job.settings.twins is None:
        return None
    job = replace(job, visits=visits(job, prepared))
    mine = tell_of(job, model, prepared, keeper, course.seconds)
    return compare(job, mine, twins=job.settings.twins, keeper=keeper)


def _lifted(
    job: Job, passes: Passes, prepared: Prepared, keeper: Keeper, course: Course
) -> KnowledgeReport | None:
    """Train the models with other knowledge bases, where that is asked for."""
    if job.settings.lift is None:
        return None
    model = passes[0][0]
    kept = {name: weight.detach().clone() for name, weight in model.named_parameters()}
    mine = tell_of(job, model, prepared, keeper, course.seconds)
    fill(model, kept)
    return lifted(job, mine, passes, prepared, lift=job.settings.lift)


def _dropped(
    job: Job, passes: Passes, prepared: Prepared, predicates: Sequence[str]
) -> tuple[Job, Prepared]:
    """Let nothing be told of some predicates from now on."""
    assert job.knowing is not None
    knowing = job.knowing.about(job.knowing.base.dropping(*predicates))
    for model, _ in passes:
        model.knowing = knowing
    return replace(job, knowing=knowing), replace(prepared, knowing=knowing)


def _own(job: Job, keeper: Keeper) -> dict[str, dict[str, Tensor]]:
    """Return the weights of tasks that are asked to keep their own best snapshot."""
    if job.settings.snapshots != "own":
        return {}
    best = keeper.best.items()
    return {name: keeper.weights(at) for name, at in best if at != keeper.shared}


def _passes(
    job: Job, model: Model, shared: Mapping[str, Tensor], own: Mapping[str, Mapping[str, Tensor]]
) -> Passes:
    """Return the models that will answer, each with its tasks."""
    fill(model, shared)
    passes = [(model, [name for name in job.tasks if name not in own])]
    for name, weights in own.items():
        other = job.model(dropout=0.0)
        fill(other, weights)
        passes.append((other, [name]))
    return passes


def _ruled(
    job: Job,
    passes: Passes,
    prepared: Prepared,
    calibration: Mapping[str, Any],
    decoder: Decoder | None,
) -> Ruled | None:
    """Return the joint answers to the test records, where the project has rules."""
    if decoder is None:
        return None
    return under_rules(passes, prepared, job.rows("test"), calibration=calibration, decoder=decoder)


def _judged(
    job: Job,
    passes: Passes,
    prepared: Prepared,
    calibration: Mapping[str, Any],
    ruled: Ruled | None,
) -> tuple[dict[str, TaskReport], dict[str, float]]:
    before = probe(job)
    _keep_probe(job, before)
    constants = constant_answers(job)
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
        known=Known(calibration=calibration, constants=constants, before=before, ruled=ruled),
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


def _calibration(job: Job, passes: Passes, prepared: Prepared) -> dict[str, Any]:
    """Return what validation records tell; a frozen task without any keeps what it had."""
    kept = job.old.run.json("calibration.json") if job.old else {}
    found = calibrate(passes, prepared, job.rows("validation"))
    return {name: kept[name] for name in job.freeze if name in kept} | found


def constant_answers(job: Job) -> dict[str, Any]:
    """Return what a constant would answer to each task, from the labels it was trained on."""
    kept = job.old.run.json("constants.json") if job.old else {}
    return {
        name: kept[name] if name in job.freeze else task.baseline(_truths(job, name, task))
        for name, task in job.tasks.items()
    }


def _truths(job: Job, name: str, task: Task) -> np.ndarray:
    """Return the training labels as metrics read them, made in parts."""
    if task.reads == "tokens":
        return np.empty(0, dtype=object)  # no constant answer fits another text
    labels = job.records.labels(name).take(job.records.indices("train")).drop_null()
    return np.concatenate([task.array(part) for part in in_parts(labels)])


def _snapshots(
    keeper: Keeper, own: Mapping[str, Any], origins: Mapping[str, str]
) -> dict[str, dict[str, Any]]:
    """Return each task's best step and the one that ships; twins and soups are no step."""
    found = {}
    for name, at in keeper.best.items():
        step = at if name in own else keeper.shared
        ships = origins.get(name) != "twin"
        found[name] = {
            "best_step": at,
            "best": keeper.scores[at][name],
            "shipped_step": step if ships and step != SOUP else None,
            "shipped": keeper.scores[step].get(name) if ships else None,
        }
    return found


def _trained(model: Model, course: Course) -> dict[str, Any]:
    return {
        "train_tokens_per_second": round(course.rate, 1),
        "train_records_per_second": round(course.records / max(course.seconds, 1e-9), 1),
        "train_seconds": round(course.seconds, 2),
        "num_parameters": model.num_weights,
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
    if job.rules is not None:
        save_rules(job.run.path, job.rules)
    if job.records.aside:
        write_text(job.run.path / "aside.csv", as_csv(job.records.aside))
    job.run.complete()
    (job.run.path / CHECKPOINT).unlink(missing_ok=True)
    for scratch in ("steps", "probe", "twins"):
        shutil.rmtree(job.run.path / scratch, ignore_errors=True)
