"""Labels made for a project: from its records, its latest run and its rules, into its ledger."""

import os
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa

from allrounder.authoring import open_author
from allrounder.checking import learned, load_records, ruled
from allrounder.errors import RunError, listed
from allrounder.evaluation.gate import GateReport
from allrounder.judging import job_of
from allrounder.knowledge import MentionFacts
from allrounder.ledger.made import Ledger
from allrounder.plan import Plan, make_plan
from allrounder.prediction import Predictor
from allrounder.records import Records, Source
from allrounder.rules.votes import SoftLabels, Votes
from allrounder.runs import Run, latest
from allrounder.synthesis import Noise
from allrounder.synthesis.material import Judge, Material
from allrounder.synthesis.report import SynthesisReport
from allrounder.synthesis.verb import Resume, keep
from allrounder.synthesis.verb import synthesize as made
from allrounder.training.gate import gated
from allrounder.training.settings import Gate

Tell = Callable[[str, float, float, str], None]


def synthesize(plan: Plan, *, runs: Path, resume: Resume, tell: Tell) -> SynthesisReport:
    """Make labels as the `synthesis` section says, and put the good ones into the ledger.

    Args:
        plan: the project file.
        runs: where its runs are numbered.
        resume: go on with the latest synthesis, or with the latest that was interrupted.
        tell: called as it goes on.
    """
    retire(plan, runs)
    material = material_of(plan, runs, tell)
    return made(
        plan.synthesis or [Noise()],
        material,
        folder=plan.folder / "synthesis",
        ledger=plan.made,
        resume=resume,
        tell=tell,
    )


def material_of(plan: Plan, runs: Path, tell: Tell) -> Material:
    """Return what labels are made from: what was made before is not among it."""
    own = replace(plan, sources=[one for one in plan.sources if one.format != "ledger"])
    records = load_records(own, tell=tell)
    columns = plan.columns()
    has_rules = plan.knowledge is not None and plan.knowledge.rules is not None
    return Material(
        records=records,
        tasks=learned(plan, records),
        pointed={name: column.of for name, column in columns.items()},
        inputs=plan.inputs,
        folder=plan.folder,
        cache=plan.cache,
        open_judge=partial(_judge, plan, runs),
        open_author=partial(open_author, plan.cache / "authors", tell=tell),
        vote=partial(_votes, own, records, tell) if has_rules else None,
    )


def _votes(plan: Plan, records: Records, tell: Tell) -> dict[str, SoftLabels]:
    """Let the rules of today vote on the training records."""
    rules, terms = ruled(plan, tell)
    base, rows = plan.base(), records.indices("train")
    columns = {
        name: records.values(name).take(rows).to_pylist()
        for name in sorted(terms.fields)
        if name in records.fields
    }
    votes = Votes.of(rules.today(), terms, columns, base and MentionFacts(base))
    return {
        name: votes.soft(name, records.labels(name).take(rows).to_pylist()) for name in votes.tasks
    }


def _judge(plan: Plan, runs: Path) -> Judge | None:
    """Open the latest complete run, if there is one."""
    run = _latest(runs)
    if run is None:
        return None
    predictor = Predictor(make_plan(run.project(), folder=plan.folder), run)
    return Judge(
        name=f"runs/{run.path.name}",
        fingerprint=predictor.fingerprint,
        answers=predictor.answers,
    )


def _latest(runs: Path) -> Run | None:
    try:
        return latest(runs)
    except RunError:
        return None


def retire(plan: Plan, runs: Path) -> int:
    """Let labels count no longer that a run made which is not the latest complete one.

    Looked at after every training, and before one or a synthesis, in case the one before was
    killed in between.

    Returns:
        How many these are.
    """
    path, run = plan.made, _latest(runs)
    if run is None or not path.exists():
        return 0
    with Ledger(path) as ledger:
        if not ledger.has_models:
            return 0
        return ledger.retire(run.fingerprint(), f"run {run.path.name} is complete")


def judge_made(
    plan: Plan, report: SynthesisReport, *, gate: Gate, seed: int, tell: Tell
) -> SynthesisReport:
    """Train without made labels and with those of each kind; keep only kinds that gain.

    Beside them the same model is trained with fewer real labels, as many fewer as were made (half
    of them at most): what it loses is what so many real labels are worth.

    Args:
        plan: the project file.
        report: what a synthesis came to.
        gate: how many seeds, and for what share of the epochs.
        seed: draws the real labels that are taken away.
        tell: called as it goes on.
    """
    own = replace(plan, sources=[one for one in plan.sources if one.format != "ledger"])
    plain = replace(own, training=replace(own.training, mixup=0.0))
    records = load_records(plain, tell=tell)
    job = job_of(plain, records, Run(report.folder, {}), tell)
    changed = {
        kind: replace(job, records=_with_made(plain, report, kind, tell)) for kind in report.kinds
    }
    if own.training.mixup:
        changed["mix"] = replace(job, settings=own.training)
    fewer = _fewer(records, max(map(report.kept_of, report.kinds), default=0), seed)
    if fewer is not None:
        changed[f"{len(records) - len(fewer):,} real labels fewer"] = replace(job, records=fewer)
    found = gated(job, changed, gate=gate, project=plan.to_dict())
    report = replace(report, gate=_kept(report, found))
    for left in (path for kind in report.kinds for path in report.folder.glob(f"{kind}.db*")):
        left.unlink()
    keep(report)
    return report


def _with_made(plan: Plan, report: SynthesisReport, kind: str, tell: Tell) -> Records:
    """Return the records with what one kind made behind them."""
    path = report.folder / f"{kind}.db"
    if not path.exists():
        with Ledger(report.ledger, read_only=True) as whole, Ledger(path) as part:
            part.add(one for one in whole.live() if one.generator == kind)
    inner = os.path.relpath(path, plan.folder)
    made = Source(path=inner, format="ledger", split="train")
    return load_records(replace(plan, sources=[*plan.sources, made]), tell=tell)


def _fewer(records: Records, count: int, seed: int) -> Records | None:
    """Return the records without some of the labelled ones of training."""
    labelled = records.labeled("train")
    count = min(count, len(labelled) // 2)
    if not count:
        return None
    gone = np.random.default_rng(seed).choice(labelled, count, replace=False)
    stays = pa.array(~np.isin(np.arange(len(records)), gone))
    mark = f"{records.fingerprint}-{count}-{seed}"
    return replace(records, table=records.table.filter(stays), fingerprint=mark)


def _kept(report: SynthesisReport, found: GateReport) -> GateReport:
    """Let what kinds made that gain nothing count no longer; say what is kept."""
    better = [kind for kind in found.helped if kind not in found.hurt]
    gone = [kind for kind in report.kinds if kind not in better]
    with Ledger(report.ledger) as ledger:
        for kind in gone:
            ledger.expire(ledger.ids(kind), f"judged in synthesis {report.folder.name}: no gain")
    notes = [f"Kept in the ledger: {listed(one for one in report.kinds if one in better)}."]
    if gone:
        notes.append(f"What {listed(gone)} made is no gain beyond noise, and counts no longer.")
    if any("mix" in task.gains for task in found.tasks.values()) and "mix" not in better:
        notes.append("`mix` is no gain beyond noise: take it out of the project file.")
    return replace(found, notes=notes, adopted={kind: found.helped[kind] for kind in better})
