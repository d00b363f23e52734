"""Making a run: one model trained for all tasks of a project, and judged.

As a process, `python -m allrounder.running` makes one for every line of standard input that
describes a project, and lets its encoders read the pool, so that questions are chosen by it at
once.
"""

import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from allrounder import errands, synthesizing
from allrounder.asking.inquiry import chosen_strategy, open_inquiry
from allrounder.checking import in_numbers, load_records
from allrounder.errors import Error, RunError
from allrounder.evaluation import Report
from allrounder.judging import job_of
from allrounder.plan import Plan, make_plan
from allrounder.runs import Run
from allrounder.training import fit as fitting

POLITE = 10
"""How far a training that nobody waits for stands back behind other processes."""

Tell = Callable[[str, float, float, str], None]


def make_run(plan: Plan, *, runs: Path, going: Run | None = None, tell: Tell) -> tuple[Run, Report]:
    """Train one model for all tasks and judge it on the test records.

    Args:
        plan: the project file.
        runs: the folder in which runs are numbered.
        going: an interrupted run to go on with, by the project file that it began with.
        tell: called as it goes on.
    """
    if going is not None:
        if going.is_complete:
            raise RunError(f"{going.path} is complete: there is nothing to resume.")
        plan = make_plan(going.json("plan.json"), folder=plan.folder)
    plan.located()  # what is not there is named before anything is read
    plan.opened()
    synthesizing.retire(plan, runs)
    records = load_records(plan, tell=tell)
    run = going or _begun(plan, runs, records.fingerprint)
    run.check_records(records.fingerprint)
    job, data = job_of(plan, records, run, tell), in_numbers(plan, records)
    try:
        report = fitting.fit(job, project=plan.to_dict(), data=data, resume=going is not None)
    except Error:
        run.discard_if_empty()
        raise
    synthesizing.retire(plan, runs)
    return run, report


def _begun(plan: Plan, runs: Path, records: str) -> Run:
    run = Run.create(runs)
    run.about["project_folder"] = os.path.relpath(plan.folder, run.path)
    run.start(plan.to_dict(), records)
    return run


def _errand(told: Mapping[str, Any]) -> None:
    folder = Path(told["folder"])
    plan = make_plan(told["sections"], folder=folder, name=told["name"])
    make_run(plan, runs=folder / "runs", tell=_silent)
    open_inquiry(plan, runs=folder / "runs", strategy=chosen_strategy(plan, None), tell=_silent)


def _silent(stage: str, done: float, total: float, word: str) -> None:
    """Tell nobody."""


if __name__ == "__main__":
    with suppress(AttributeError, OSError):
        os.nice(POLITE)
    errands.run(_errand)
