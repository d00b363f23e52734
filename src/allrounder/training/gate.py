"""A gate, not a hope: the same model is trained without a change and with it, over seeds."""

import hashlib
import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from allrounder.errors import DataError
from allrounder.evaluation.gate import Gain, GateReport, TaskGate, totals
from allrounder.evaluation.score import Score
from allrounder.evaluation.sharing import over_seeds
from allrounder.kinds import dump
from allrounder.training.job import Job, kept_chance
from allrounder.training.settings import Gate
from allrounder.training.twins import CHOSEN, JUDGED, Told, gain_of, part_of, told, value_of

WITHOUT = "without"


def gated(
    job: Job, changed: Mapping[str, Job], *, gate: Gate, project: Mapping[str, Any]
) -> GateReport:
    """Train without any change and with each; say per task what each is worth.

    Finished trainings are kept in the run folder until all are done: none is done twice.

    Args:
        job: the training without any change.
        changed: the training with each, by the name of the change. Its records may be more, those
            of validation and test are the same in the same order.
        gate: how many seeds, and for what share of the epochs.
        project: the project file with every default written out.

    Raises:
        DataError: no task can be judged.
    """
    with kept_chance():
        jobs = {name: one.learned() for name, one in {WITHOUT: job, **changed}.items()}
        trained = {n: _trained(one, n, gate, project) for n, one in jobs.items()}
    court = _Court(jobs, trained)
    if not court.tasks:
        raise DataError(
            "No task can be judged: each needs labels in validation and in test. Label some."
        )
    shutil.rmtree(job.run.path / "twins", ignore_errors=True)
    return GateReport(
        tasks={name: court.task(name) for name in court.tasks},
        seeds=gate.seeds,
        budget=gate.budget,
        seconds=totals({n: [told.seconds for told in models] for n, models in trained.items()}),
    )


def _trained(job: Job, name: str, gate: Gate, project: Mapping[str, Any]) -> list[Told]:
    """Train for every seed, or read what was noted."""
    seeds = [job.settings.seed + number for number in range(gate.seeds)]
    parts = [part_of(job, list(job.tasks), seed, gate.budget) for seed in seeds]
    return [told(part, f"{name}-{part.settings.seed} {_mark(part, project)}") for part in parts]


def _mark(job: Job, project: Mapping[str, Any]) -> str:
    """Return what tells a training from one of other settings or records."""
    parts = [project, dump(job.inputs), dump(job.settings), job.records.fingerprint]
    found = json.dumps(parts, sort_keys=True, default=str)
    return hashlib.sha256(found.encode()).hexdigest()[:12]


@dataclass(frozen=True)
class _Court:
    """Compares the answers of the models, by change and seed."""

    jobs: Mapping[str, Job]
    trained: Mapping[str, Sequence[Told]]

    @property
    def tasks(self) -> list[str]:
        """The tasks that have labels in validation and in the split judged."""
        found = [models[0].shared[split] for models in self.trained.values()
                 for split in (CHOSEN, JUDGED)]  # fmt: skip
        return [name for name in self.jobs[WITHOUT].tasks if all(name in tasks for tasks in found)]

    def task(self, name: str) -> TaskGate:
        """Return what every change did to a task."""
        return TaskGate(
            metric=self.jobs[WITHOUT].tasks[name].decides,
            without=self._values(name, WITHOUT, JUDGED),
            gains={
                change: Gain(
                    values=self._values(name, change, JUDGED),
                    gain=self._gain(name, change, JUDGED),
                    validation=self._gain(name, change, CHOSEN),
                )
                for change in self.trained
                if change != WITHOUT
            },
        )

    def _values(self, name: str, change: str, split: str) -> list[float]:
        models, job = self.trained[change], self.jobs[change]
        return [value_of(job, name, one.shared[split][name]) for one in models]

    def _gain(self, name: str, change: str, split: str) -> Score:
        """Return what a change gains: by seed, or on resamples of the records with one seed."""
        ones, others = self.trained[change], self.trained[WITHOUT]
        job = self.jobs[WITHOUT]
        if len(ones) == 1:
            one, other = (models[0].shared[split][name] for models in (ones, others))
            return gain_of(job, name, replace(one, rows=other.rows), other).score()
        values = [np.array(self._values(name, who, split)) for who in (change, WITHOUT)]
        better = job.tasks[name].metrics()[job.tasks[name].decides].higher_is_better
        gains = values[0] - values[1] if better else values[1] - values[0]
        return over_seeds(gains.tolist())
