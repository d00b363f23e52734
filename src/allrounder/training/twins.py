"""Single-task twins: what each task would be worth in a model of its own."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from allrounder.evaluation.assess import Passes, Said, said
from allrounder.evaluation.intervals import Draws, affordable, bootstrap
from allrounder.evaluation.score import Score
from allrounder.evaluation.sharing import Cost, Origin, Sharing, TaskSharing, over_seeds, relative
from allrounder.model import Model, Prepared, going_on, scored
from allrounder.model.tensors import load_tensors, save_tensors
from allrounder.runs import Run, write_json
from allrounder.tasks import Metric, Task
from allrounder.training.course import CHECKPOINT, train
from allrounder.training.epochs import Epochs
from allrounder.training.job import Job, fill
from allrounder.training.keeping import Keeper
from allrounder.training.settings import Twins

CHOSEN, JUDGED = SPLITS = ("validation", "test")
TIMED = 128
"""Records that are answered to time an answer."""

Answers = dict[str, dict[str, Said]]
"""By split and task, what a model said."""


@dataclass(kw_only=True)
class Told:
    """What one training came to.

    Args:
        shared: the answers of the one snapshot that serves all tasks.
        own: the answers of each task's own best snapshot.
        seconds: how long training took.
        parameters: the weights of the model.
        milliseconds: the time to answer one record.
    """

    shared: Answers
    own: Answers
    seconds: float
    parameters: int
    milliseconds: float

    def of(self, origin: Origin) -> Answers:
        """Return the answers that come from one of its snapshots."""
        return self.own if origin == "own snapshot" else self.shared

    @classmethod
    def read(cls, path: Path) -> "Told":
        """Return what `told` wrote."""
        found = Run(path.parent, {}).json(path.name)
        for snapshot in ("shared", "own"):
            found[snapshot] = {
                split: {name: Said(**one) for name, one in tasks.items()}
                for split, tasks in found[snapshot].items()
            }
        return cls(**found)


@dataclass(kw_only=True)
class Comparison:
    """What the twins showed, and the weights of tasks that do not stay with the shared snapshot."""

    sharing: Sharing
    own: dict[str, dict[str, Tensor]] = field(default_factory=dict)
    origins: dict[str, Origin] = field(default_factory=dict)


def compare(
    job: Job,
    mine: Told,
    *,
    twins: Twins,
    keeper: Keeper | None = None,
    known: Mapping[str, Origin] | None = None,
) -> Comparison:
    """Train a twin for every task, and more shared models for more seeds; say who is better.

    A task whose interval of joint minus twin lies below zero on validation records is answered by
    its own snapshot, if that is no worse than its twin beyond noise, and by its twin otherwise.
    Finished trainings are kept in the run folder until the run is complete: none is done twice.

    Args:
        job: the training, its tasks learned.
        mine: what the shared model of the job's own seed came to.
        twins: how many seeds, and for what share of the epochs.
        keeper: the snapshots of the shared model, where they are still there to choose from.
        known: where the answers of some tasks come from already.
    """
    short = twins.budget < 1
    brief = f" of {twins.budget:g}" if short else ""
    joints = [] if short else [mine]
    seeds = [job.settings.seed + number for number in range(twins.seeds)]
    for seed in seeds[len(joints) :]:
        part = part_of(job, list(job.tasks), seed, twins.budget)
        joints.append(told(part, f"joint-{seed}{brief}"))
    alone = {
        name: [
            told(
                alone_of(job, name, seed, twins.budget),
                f"{name}-{seed}{brief}",
                keep=seed == job.settings.seed and not short,
            )
            for seed in seeds
        ]
        for name in job.tasks
        if name not in job.freeze
    }
    court = _Court(job, joints, alone)
    usual: Origin = "own snapshot" if job.settings.snapshots == "own" else "shared snapshot"
    others: list[Origin] = [] if short else ["own snapshot", "twin"] if keeper else ["twin"]
    tasks = {
        name: court.task(name, (known or {}).get(name, usual), others) for name in court.judged
    }
    moved = {name: found.origin for name, found in tasks.items() if found.origin != usual}
    return Comparison(
        sharing=court.sharing(tasks, twins),
        own={name: _weights(job, name, origin, keeper) for name, origin in moved.items()
             if origin != (known or {}).get(name)},
        origins={name: found.origin for name, found in tasks.items()},
    )  # fmt: skip


def _weights(job: Job, name: str, origin: Origin, keeper: Keeper | None) -> dict[str, Tensor]:
    if origin == "own snapshot" and keeper is not None:
        return keeper.weights(keeper.best[name])
    return load_tensors(_folder(job, f"{name}-{job.settings.seed}") / "twin.safetensors")[0]


def _folder(job: Job, name: str) -> Path:
    return job.run.path / "twins" / name


def part_of(job: Job, names: Sequence[str], seed: int, budget: float) -> Job:
    """Return the job that trains some of the tasks: the same settings, the same visits to labels.

    A sampling that repeats the records of a small task gives its twin as many more epochs.
    """
    first = job.settings.first if len(names) > 1 else []
    settings = replace(job.settings, seed=seed, probe=False, twins=None, lift=None, first=first)
    tasks = {name: job.tasks[name] for name in names}
    reads = {source for task in tasks.values() for source in task.reading(job.inputs)}
    hears = job.fusion.reads_tokens and any(task.reads == "tokens" for task in tasks.values())
    inputs = {n: e for n, e in job.inputs.items() if hears or n in reads}
    words = settings.pretraining if job.told in inputs else None
    settings = replace(settings, epochs=budget * _epochs(job, names), pretraining=words)
    freeze = [name for name in job.freeze if name in tasks]
    parts = {"tasks": tasks, "inputs": inputs, "freeze": freeze}
    knowing = job.knowing and job.knowing.only(inputs)
    going = [name for name in job.inputs if going_on(job.tasks, job.inputs, name)]
    writes = job.writes | frozenset(going)
    return replace(job, settings=settings, knowing=knowing, writes=writes, **parts)


def alone_of(job: Job, name: str, seed: int, budget: float) -> Job:
    """Return the job that trains one task from its labels: no votes, no pull towards rules.

    What rules teach is a gain of the whole, and a twin is what a team would have without it.
    """
    part = part_of(job, [name], seed, budget)
    return replace(part, voting=None, voted=None, consistency=None)


def _epochs(job: Job, names: Sequence[str]) -> float:
    epochs = job.settings.epochs
    if len(names) > 1:
        return epochs
    known = job.records.indices("train", names[0])
    return max(epochs, job.visits[names[0]] / len(known)) if job.visits else epochs


def visits(job: Job, prepared: Prepared) -> dict[str, float]:
    """Return how often the shared model is shown a label of each task."""
    sources = job.records.numbers("source")
    return Epochs(prepared, job.rows("train"), job.settings, sources).visits()


def told(job: Job, name: str, *, keep: bool = False) -> Told:
    """Train, and note what the model says of validation and test records; or read what was noted.

    Args:
        job: the training.
        name: what it is called among the twins.
        keep: whether its weights may be wanted.
    """
    folder = _folder(job, name)
    if not (folder / "said.json").exists():
        inner = replace(
            job,
            run=Run(folder, {}),
            tell=lambda stage, done, total, word: job.tell(f"{name}: {stage}", done, total, word),
        )
        model = inner.model(dropout=inner.settings.dropout)
        prepared = inner.prepared(model)
        keeper, course = train(inner, model, prepared, resume=True)
        found = tell_of(inner, model, prepared, keeper, course.seconds)
        if keep:
            save_tensors(folder / "twin.safetensors", keeper.weights(keeper.shared))
        write_json(folder / "said.json", asdict(found))
        keeper.clear()
        (folder / CHECKPOINT).unlink(missing_ok=True)
    return Told.read(folder / "said.json")


def tell_of(job: Job, model: Model, prepared: Prepared, keeper: Keeper, seconds: float) -> Told:
    """Return what the snapshots of a training say of validation and test records."""
    fill(model, keeper.weights(keeper.shared))
    shared = _answers(job, [(model, list(job.tasks))], prepared)
    speed = milliseconds([(model, list(job.tasks))], prepared, job.rows("test"))
    own = {split: dict(tasks) for split, tasks in shared.items()}
    for name, at in keeper.best.items():
        if at != keeper.shared:
            fill(model, keeper.weights(at))
            for split, tasks in _answers(job, [(model, [name])], prepared).items():
                own[split] |= tasks
    fill(model, keeper.weights(keeper.shared))
    return Told(
        shared=shared,
        own=own,
        seconds=round(seconds, 2),
        parameters=model.num_weights,
        milliseconds=speed,
    )


def told_by(job: Job, passes: Passes, prepared: Prepared, seconds: float) -> Told:
    """Return what the models of a finished run say of validation and test records."""
    found = _answers(job, passes, prepared)
    model = passes[0][0]
    return Told(
        shared=found,
        own=found,
        seconds=seconds,
        parameters=model.num_weights,
        milliseconds=milliseconds(passes, prepared, job.rows("test")),
    )


def _answers(job: Job, passes: Passes, prepared: Prepared) -> Answers:
    return {split: said(passes, prepared, job.rows(split)) for split in SPLITS}


def timed(rows: np.ndarray) -> np.ndarray:
    """Return up to `TIMED` of the rows, evenly from all of them: one source may cost more."""
    return rows[np.linspace(0, len(rows) - 1, min(len(rows), TIMED)).round().astype(int)]


def milliseconds(passes: Passes, prepared: Prepared, rows: np.ndarray) -> float:
    """Return the time to score one record for all tasks: the median of three goes at a few."""
    rows, times = timed(rows), []
    for _ in range(3):
        began = time.perf_counter()
        for model, tasks in passes:
            for _ in scored(model, prepared, rows, tasks=tasks):
                pass
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        times.append(time.perf_counter() - began)
    return round(1000 * float(np.median(times)) / max(len(rows), 1), 4)


def _deciding(task: Task) -> Metric:
    return task.metrics()[task.decides]


def value_of(job: Job, name: str, one: Said) -> float:
    """Return the deciding metric of what was said of one task."""
    task = job.tasks[name]
    truths = task.array(job.records.take(name, one.rows))
    return round(_deciding(task).score(truths, task.array(one.decoded)), 6)


def gain_of(job: Job, name: str, one: Said, other: Said) -> Draws:
    """Return what one gains over another by the deciding metric, on the same resamples."""
    task = job.tasks[name]
    metric, truths = _deciding(task), task.array(job.records.take(name, one.rows))
    found = bootstrap(
        {who: (metric.score, truths, task.array(it.decoded))
         for who, it in (("one", one), ("other", other))},
        len(truths),
        resamples=affordable(len(truths), 500),
        seed=job.settings.seed,
    )  # fmt: skip
    return found["one"].gain_over(found["other"], higher_is_better=metric.higher_is_better)


@dataclass
class _Court:
    """Compares the answers of shared models and twins.

    Args:
        job: the training.
        joints: the shared models, by seed.
        alone: the twins of each task, by seed.
    """

    job: Job
    joints: Sequence[Told]
    alone: Mapping[str, Sequence[Told]]
    draws: dict[str, tuple[np.ndarray, np.ndarray]] = field(default_factory=dict)

    @property
    def judged(self) -> list[str]:
        """The tasks that have labels in validation and in the split judged."""
        found = [self.joints[0].shared[split] for split in SPLITS]
        return [name for name in self.alone if all(name in tasks for tasks in found)]

    def task(self, name: str, base: Origin, others: Sequence[Origin]) -> TaskSharing:
        """Return what was found of one task, with the first origin of answers not beaten."""
        origin, validation = base, self._gain(name, base, CHOSEN)[0]
        for other in others:
            if self._gain(name, origin, CHOSEN)[0].high < 0:
                origin = other
        before, before_draws = self._gain(name, base, JUDGED)
        after, after_draws = self._gain(name, origin, JUDGED)
        self.draws[name] = before_draws, after_draws
        return TaskSharing(
            metric=self.job.tasks[name].decides,
            joint=self._values(name, base),
            twin=self._values(name, "twin"),
            shipped=self._values(name, origin),
            validation=validation,
            difference=before,
            after=after,
            origin=origin,
        )

    def _said(self, name: str, origin: Origin, split: str) -> list[Said]:
        models = self.alone[name] if origin == "twin" else self.joints
        return [model.of(origin)[split][name] for model in models]

    def _values(self, name: str, origin: Origin, split: str | None = None) -> list[float]:
        said_of = self._said(name, origin, split or JUDGED)
        return [value_of(self.job, name, one) for one in said_of]

    def _gain(self, name: str, origin: Origin, split: str) -> tuple[Score, np.ndarray]:
        """Return what a model gains over the twin, and the draws or seeds it comes from."""
        if len(self.joints) > 1:
            ones, others = (self._values(name, who, split) for who in (origin, "twin"))
            metric = _deciding(self.job.tasks[name])
            sign = 1.0 if metric.higher_is_better else -1.0
            gains = sign * (np.array(ones) - np.array(others))
            return over_seeds(gains.tolist()), gains
        (one,), (other,) = (self._said(name, who, split) for who in (origin, "twin"))
        gain = gain_of(self.job, name, one, other)
        return gain.score(), np.append(gain.resampled, gain.value)

    def sharing(self, tasks: dict[str, TaskSharing], twins: Twins) -> Sharing:
        """Return everything that was found."""
        alone = {name: float(np.mean(found.twin)) for name, found in tasks.items()}
        deltas = [
            self._delta({name: draws[which] for name, draws in self.draws.items()}, alone)
            for which in (0, 1)
        ]
        return Sharing(
            tasks=tasks,
            seeds=len(self.joints),
            budget=twins.budget,
            delta=deltas[0],
            delta_after=deltas[1],
            costs=self._costs(tasks),
        )

    def _delta(self, gains: Mapping[str, np.ndarray], alone: Mapping[str, float]) -> Score:
        if len(self.joints) > 1:
            return over_seeds(relative(gains, alone).tolist())
        size = min(map(len, gains.values()))
        parts = relative({name: draws[-size:] for name, draws in gains.items()}, alone)
        return Draws(float(parts[-1]), parts[:-1]).score()

    def _costs(self, tasks: Mapping[str, TaskSharing]) -> dict[str, Cost]:
        one = _cost(self.joints[:1])
        extra = [name for name, found in tasks.items() if found.origin != "shared snapshot"]
        from_twins = [self.alone[n][0] for n in extra if tasks[n].origin == "twin"]
        own = [self.joints[0] for n in extra if tasks[n].origin == "own snapshot"]
        found = {"one model": one, f"{len(self.alone)} twins": _cost(
            [models[0] for models in self.alone.values()])}  # fmt: skip
        if extra:
            shipped = _cost([self.joints[0], *own, *from_twins])
            shipped.seconds = round(one.seconds + _cost(from_twins).seconds, 2)
            found["shipped"] = shipped
        return found


def _cost(models: Sequence[Told]) -> Cost:
    parameters = sum(model.parameters for model in models)
    return Cost(
        seconds=round(sum(model.seconds for model in models), 2),
        megabytes=round(4 * parameters / 1e6, 2),
        parameters=parameters,
        milliseconds=round(sum(model.milliseconds for model in models), 4),
    )
