"""Labels made for a project: from its records, its latest run and its rules, into its ledger."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

from allrounder.checking import learned, load_records, ruled
from allrounder.errors import RunError
from allrounder.knowledge import MentionFacts
from allrounder.plan import Plan, make_plan
from allrounder.prediction import Predictor
from allrounder.records import Records
from allrounder.records.ledger import NAME, Ledger
from allrounder.rules.votes import SoftLabels, Votes
from allrounder.runs import Run, latest
from allrounder.synthesis import Noise
from allrounder.synthesis.material import Judge, Material
from allrounder.synthesis.report import SynthesisReport
from allrounder.synthesis.verb import synthesize as made

Tell = Callable[[str, float, float, str], None]


def synthesize(plan: Plan, *, runs: Path, resume: bool, tell: Tell) -> SynthesisReport:
    """Make labels as the `synthesis` section says, and put the good ones into the ledger.

    Args:
        plan: the project file.
        runs: where its runs are numbered.
        resume: go on with the latest synthesis that was interrupted.
        tell: called as it goes on.
    """
    retire(plan, runs)
    material = material_of(plan, runs, tell)
    return made(
        plan.synthesis or [Noise()],
        material,
        folder=plan.folder / "synthesis",
        ledger=plan.folder / NAME,
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
    path, run = plan.folder / NAME, _latest(runs)
    if run is None or not path.exists():
        return 0
    with Ledger(path) as ledger:
        if not ledger.has_models:
            return 0
        return ledger.retire(run.fingerprint(), f"run {run.path.name} is complete")
