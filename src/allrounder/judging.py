"""Judging a finished run on its records again, on new ones, or beside single-task twins."""

import shutil
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import date
from typing import Any

from allrounder.errors import DataError
from allrounder.evaluation import Report, write_report
from allrounder.evaluation.advice import Advice
from allrounder.evaluation.assess import Known, assess
from allrounder.evaluation.fitting import calibrate
from allrounder.evaluation.ruling import rules_report, under_rules
from allrounder.evaluation.said import Passes, Said
from allrounder.evaluation.sharing import Origin
from allrounder.loading import load_model
from allrounder.model import (
    Knowing,
    Prepared,
    add_own,
    decoder_in,
    fresh_readers,
    kept_readers,
    shelve,
)
from allrounder.plan import Plan
from allrounder.records import Records
from allrounder.runs import Run, environment, write_json
from allrounder.training.advice import advise
from allrounder.training.job import Job, kept_chance
from allrounder.training.settings import Twins
from allrounder.training.twins import compare, told_by, visits

Tell = Callable[[str, float, float, str], None]


def job_of(plan: Plan, records: Records, run: Run, tell: Tell) -> Job:
    """Return the training that a plan describes, its models found on disk."""
    inputs, base = plan.located(), plan.base()
    base = base and base.at(date.today())
    injections = (plan.knowledge.injection or []) if base and plan.knowledge else []
    for injection in injections:
        injection.check(base)
    old = plan.opened()
    linking = plan.knowledge and plan.knowledge.linking
    seed = plan.training.seed
    readers = fresh_readers(inputs, injections, seed=seed, linking=linking is not None)
    if old is not None:
        readers |= kept_readers(old.run.path, inputs, injections, linking=linking is not None)
    return Job(
        inputs=inputs,
        tasks=plan.tasks,
        fusion=plan.fusion,
        settings=plan.training,
        records=records,
        run=run,
        cache=plan.cache,
        tell=tell,
        old=old,
        freeze=plan.start.freeze if plan.start else [],
        rules=plan.rules(),
        voting=plan.knowledge.votes if plan.knowledge else None,
        consistency=plan.knowledge.rules_loss if plan.knowledge else None,
        knowing=base and Knowing.of(base, injections, readers, linking),
    )


def advise_on_sharing(plan: Plan, records: Records, tell: Tell) -> Advice:
    """Probe the shared model shortly, and say what that suggests; no run is made."""
    return advise(job_of(plan, records, Run(plan.cache, {}), tell), project=plan.to_dict())


def evaluate(plan: Plan, records: Records, run: Run, *, split: str, tell: Tell) -> Report:
    """Judge a run on the labelled records of a split.

    What is known of its training, and of the probe before fine-tuning where the records are the
    same, comes from the run folder.
    """
    if not len(records.labeled(split)):
        raise DataError(f"There are no labelled records to judge in {split!r}.")
    passes = load_model(plan, run)
    prepared = _prepared(plan, records, passes)
    return _judged(plan, records, run, (passes, prepared), split=split, tell=tell)


def _prepared(plan: Plan, records: Records, passes: Passes) -> Prepared:
    return Prepared.of(
        passes[0][0],
        {field: records.values(field) for field in records.fields},
        {name: records.labels(name) for name in plan.tasks},
        cache=plan.cache / "tokens",
    )


def _judged(
    plan: Plan,
    records: Records,
    run: Run,
    model: tuple[Passes, Prepared],
    *,
    split: str,
    tell: Tell,
) -> Report:
    rows, calibration = records.labeled(split), run.json("calibration.json")
    decoder, ruled = decoder_in(run.path, model[0][0][0], plan.fields), None
    if decoder is not None:
        ruled = under_rules(*model, rows, calibration=calibration, decoder=decoder)
    reports = assess(
        *model,
        records,
        rows,
        known=Known(
            calibration=calibration,
            constants=run.json("constants.json"),
            before=_probe(run, records) if split == "test" else None,
            ruled=ruled,
        ),
        seed=plan.training.seed,
        tell=lambda done, total: tell("judge", done, total, ""),
    )
    old = Report.from_dict(run.json("metrics.json"))
    told = [note for note in old.notes if note not in records.notes]
    changed = {"notes": [*records.notes, *told], "created": environment()["created"]}
    rules = ruled and rules_report(ruled, model[1], records, plan.tasks)
    return replace(old, tasks=reports, split=split, rules=rules, **changed)


def evaluate_twins(plan: Plan, records: Records, run: Run, *, twins: Twins, tell: Tell) -> Report:
    """Train a twin of every task of a finished run and judge both on test records.

    A task that sharing hurt is answered by its twin from then on; the run folder is brought up to
    date, weights first. A short budget changes nothing there.
    """
    passes = load_model(plan, run)
    prepared = _prepared(plan, records, passes)
    old = Report.from_dict(run.json("metrics.json"))
    job = job_of(plan, records, run, tell)
    with kept_chance():
        job = replace(job, visits=visits(job, prepared))
        mine = told_by(job, passes, prepared, float(old.speed.get("train_seconds", 0)))
        found = compare(job, mine, twins=twins, known=_origins(old, passes))
    if found.own:
        add_own(run.path, found.own)
        passes = load_model(plan, run)
        calibration = calibrate(passes, prepared, records.labeled("validation"))
        write_json(run.path / "calibration.json", calibration)
        shelve(run.path, passes, prepared, records)
    report = _judged(plan, records, run, (passes, prepared), split="test", tell=tell)
    report = replace(report, sharing=found.sharing, snapshots=_shipped(old.snapshots, found.own))
    if twins.budget == 1:
        write_report(report, run.path)
    shutil.rmtree(run.path / "twins", ignore_errors=True)
    return report


def _origins(old: Report, passes: Passes) -> dict[str, Origin]:
    """Return where tasks that do not answer from the shared snapshot have their answers from."""
    told = old.sharing.tasks if old.sharing else {}
    return {
        name: told[name].origin if name in told else "own snapshot"
        for _, names in passes[1:]
        for name in names
    }


def _shipped(
    snapshots: dict[str, dict[str, Any]], own: Mapping[str, Any]
) -> dict[str, dict[str, Any]]:
    """Return the snapshots, none of which ships for a task that its twin answers."""
    gone = {"shipped_step": None, "shipped": None}
    return {name: {**found, **(gone if name in own else {})} for name, found in snapshots.items()}


def _probe(run: Run, records: Records) -> dict[str, Said] | None:
    """Return what the probe said when the run was trained, if it was of the same records."""
    kept = run.json("probe.json")
    if kept["records"] != records.fingerprint:
        return None
    return {
        name: Said(rows=one["rows"], decoded=one["decoded"]) for name, one in kept["said"].items()
    }
