"""What a knowledge base is worth: the same model, trained with ones that say nothing true."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from allrounder.evaluation.assess import Passes, said
from allrounder.evaluation.intervals import Draws
from allrounder.evaluation.lift import KnowledgeReport, TaskLift
from allrounder.evaluation.score import Score
from allrounder.evaluation.sharing import over_seeds
from allrounder.knowledge import ALIAS, NAME, Base
from allrounder.knowledge.controls import renamed, shuffled
from allrounder.model import Knowing, Prepared
from allrounder.training.job import Job
from allrounder.training.settings import Lift
from allrounder.training.twins import CHOSEN, JUDGED, Told, gain_of, part_of, told, value_of

REAL, NOTHING = "real", "nothing"
CONTROLS = (NOTHING, "shuffled", "random")


def lifted(
    job: Job, mine: Told, passes: Passes, prepared: Prepared, *, lift: Lift
) -> KnowledgeReport:
    """Train the controls, and say per task and per predicate what the real one adds.

    Args:
        job: the training, its tasks learned.
        mine: what the model of the job's own seed came to.
        passes: the models that answer.
        prepared: the tokens of the records, with all that is known of them.
        lift: how many seeds, and for what share of the epochs.
    """
    seeds = [job.settings.seed + number for number in range(lift.seeds)]
    brief = f" of {lift.budget:g}" if lift.budget < 1 else ""
    models = {
        name: [
            mine if name == REAL and seed == job.settings.seed and not brief else
            told(_with(job, name, seed, lift.budget), f"knowledge {name}-{seed}{brief}")
            for seed in seeds
        ]
        for name in (REAL, *CONTROLS)
    }  # fmt: skip
    tasks = {name: _task(job, name, models) for name in _judged(job, mine)}
    lost = _predicates(job, passes, prepared, list(tasks))
    for name, found in tasks.items():
        found.predicates = {p: gains[name] for p, gains in lost.items()}
    return KnowledgeReport(
        tasks=tasks,
        seeds=lift.seeds,
        budget=lift.budget,
        mentioned=_mentioned(job, prepared),
        off=[p for p, gains in lost.items() if all(gain.value <= 0 for gain in gains.values())],
    )


def _with(job: Job, name: str, seed: int, budget: float) -> Job:
    """Return the job that trains the same model with the real knowledge base or with a control."""
    part = part_of(job, list(job.tasks), seed, budget)
    if name == NOTHING:
        return replace(part, knowing=None)
    return part if name == REAL else replace(part, knowing=_control(job, name, seed))


def _control(job: Job, name: str, seed: int) -> Knowing:
    knowing = _known(job)
    chance, told = np.random.default_rng(seed), knowing.base.snapshot
    if name == "shuffled":
        return knowing.about(replace(knowing.base, whole=shuffled(told, chance)))
    fields = [(job.inputs[each].fields or [""])[0] for each in knowing.inputs]
    rows = job.records.indices("train")
    texts = [text for field in fields for text in job.records.take(field, rows) if text]
    return knowing.about(replace(knowing.base, whole=renamed(told, texts, chance)))


def _known(job: Job) -> Knowing:
    assert job.knowing is not None, "nothing is known, so there is no lift"
    return job.knowing


def _judged(job: Job, mine: Told) -> list[str]:
    splits = [mine.shared[split] for split in (CHOSEN, JUDGED)]
    return [name for name in job.tasks if all(name in tasks for tasks in splits)]


def _task(job: Job, name: str, models: Mapping[str, Sequence[Told]]) -> TaskLift:
    values = {
        which: [value_of(job, name, one.shared[JUDGED][name]) for one in trained]
        for which, trained in models.items()
    }
    return TaskLift(
        metric=job.tasks[name].decides,
        real=values[REAL],
        controls={control: values[control] for control in CONTROLS},
        lift=_lift(job, name, models, JUDGED),
        validation=_lift(job, name, models, CHOSEN),
    )


def _lift(job: Job, name: str, models: Mapping[str, Sequence[Told]], split: str) -> Score:
    """Return real minus the best control: by seed, or on resamples of the records with one."""
    real = models[REAL]
    gains = {
        control: [
            gain_of(job, name, one.shared[split][name], other.shared[split][name])
            for one, other in zip(real, models[control], strict=True)
        ]
        for control in CONTROLS
    }
    if len(real) > 1:
        least = np.min([[gain.value for gain in found] for found in gains.values()], axis=0)
        return over_seeds(least.tolist())
    best: Draws = min((found[0] for found in gains.values()), key=lambda gain: gain.value)
    return best.score()


def _predicates(
    job: Job, passes: Passes, prepared: Prepared, tasks: Sequence[str]
) -> dict[str, dict[str, Score]]:
    """Return by predicate and task what validation answers lose when it is not told."""
    rows, knowing = job.rows(CHOSEN), _known(job)
    usual = said(passes, prepared, rows)
    found = {}
    for predicate in _told(knowing.base):
        base = knowing.base.dropping(predicate)
        other = said(passes, replace(prepared, knowing=knowing.about(base)), rows)
        found[predicate] = {
            name: gain_of(job, name, usual[name], other[name]).score() for name in tasks
        }
    return found


def _told(base: Base) -> list[str]:
    return [name for name in base.snapshot.predicates
            if name not in (NAME, ALIAS, *base.without)]  # fmt: skip


def _mentioned(job: Job, prepared: Prepared) -> float:
    rows = job.rows(JUDGED)
    counts = [np.diff(one.mentions.starts)[rows] for one in prepared.linked.values()]
    return float((np.sum(counts, axis=0) > 0).mean()) if counts else 0.0
