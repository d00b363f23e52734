"""Advice before spending: what a short probe of the shared model says of sharing it.

Heads learn first, then the whole model for a few steps; meanwhile two things are measured, each on
fresh records of the tasks' own, for tasks often have labels on different records:

- the cosine of two tasks' gradients at the shared weights (Yu et al. 2020, definition 1);
- the lookahead affinity Z of A onto B, 1 − L_B(θ after a step of A) / L_B(θ), θ being the shared
  weights (Fifty et al. 2021, equation 1), as one quotient of mean losses, for the loss of a single
  batch of an easy task is next to nothing. The step is as long as takes 3 % off A's own loss on
  the batch it comes from, to first order, so that tasks with losses of any scale compare.

Intervals are over batches, 95 % for all pairs of tasks at once (Bonferroni).

Shapes: N measurements, T tasks, K batches at one moment, W weights that are looked at.
"""

import hashlib
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import torch
from pydantic import TypeAdapter
from torch import Tensor

from allrounder.errors import DataError
from allrounder.evaluation.advice import Advice, Foreseen, Square
from allrounder.evaluation.score import Score
from allrounder.evaluation.sharing import over_seeds
from allrounder.model import Model, Prepared
from allrounder.runs import write_json
from allrounder.training.hints import best_groups, hints
from allrounder.training.job import Job, kept_chance
from allrounder.training.loop import parameter_groups
from allrounder.training.settings import Training

RECORDS = 512
"""Records of a task that are looked at, at most: half to learn from, half to measure on."""
FEWEST = 8
"""Labels without which nothing is said of a task."""
HEAD_STEPS, STEPS = 20, 16
"""Steps of the heads alone, then of the whole model; each with a batch of every task."""
MOMENTS, BATCHES = 4, 4
"""How often is measured between those steps, and on how many batches of every task."""
BATCH, WORK = 16, 220_000
"""Records in a batch, at most, and tokens read in all, about: a minute of MiniLM on one core."""
FALL = 0.03
"""The part of its own loss that a task's step takes away, to first order."""
WEIGHTS = 2_000_000
"""Weights at which gradients are compared, drawn at random where there are more."""


class Probe:
    """Trains a model shortly, and measures what its tasks do to one another.

    Args:
        model: the model; weights that are not of heads, and learn, are those that are shared.
        prepared: the few records it reads.
        settings: the `training` section.
        tasks: the tasks that are looked at.
    """

    def __init__(
        self, model: Model, prepared: Prepared, settings: Training, tasks: Sequence[str]
    ) -> None:
        self.model, self.prepared, self.settings = model, prepared, settings
        self.names = list(tasks)
        self.rng = np.random.default_rng([settings.seed, 2 << 31])  # epochs count up from 0
        trained = model.trained()
        self.shared = [w for name, w in trained.items() if not name.startswith("heads.")]
        self.heads = [w for name, w in trained.items() if name.startswith("heads.")]
        self.places = _places(self.shared, settings.seed)
        order = self.rng.permutation(len(prepared))
        labeled = prepared.labeled(order, self.names)
        halves = {name: np.array_split(order[labeled[name]], 2) for name in self.names}
        self.learned = {name: half[0] for name, half in halves.items()}
        self.measured = {name: half[1] for name, half in halves.items()}
        self._check()
        self.size = self._size()

    def _check(self) -> None:
        for name, rows in self.measured.items():
            if len(rows) < 2:
                raise DataError(
                    f"Hardly a training record with a label of {name} has the text that the task "
                    "reads, so sharing cannot be looked at. Check `map` of its source."
                )

    def _size(self) -> int:
        """Return how many records a batch has, so that the whole probe stays within its work."""
        tasks = len(self.names)
        forward = MOMENTS * BATCHES * (4 * tasks + tasks**2) + (HEAD_STEPS + 3 * STEPS) * tasks
        length = max(1.0, float(self.prepared.lengths().mean()))
        return int(np.clip(WORK / (forward * length), 4, BATCH))

    def warm(self) -> None:
        """Let heads learn alone: through heads drawn at random, all gradients are noise."""
        for name in self.names:
            task = self.model.tasks[name]
            if task.reads == "record":
                task.begin(self.model.heads[name], self.prepared.target(name, self.learned[name]))
        for weight in self.shared:
            weight.requires_grad_(False)
        optimizer = torch.optim.AdamW(self.heads, lr=3 * self.settings.head_lr)
        for _ in range(HEAD_STEPS):
            self._step(optimizer)
        for weight in self.shared:
            weight.requires_grad_(True)

    def steps(self, optimizer: torch.optim.Optimizer, number: int) -> None:
        """Train the whole model for some steps."""
        for _ in range(number):
            self._step(optimizer)

    def optimizer(self) -> torch.optim.Optimizer:
        """Return the optimizer of the project file."""
        return self.settings.optimizer.build(parameter_groups(self.model, self.settings))

    def _step(self, optimizer: torch.optim.Optimizer) -> None:
        optimizer.zero_grad(set_to_none=True)
        for name in self.names:
            self.loss(name, self._drawn(self.learned[name], 1)[0]).backward()
        optimizer.step()

    def _drawn(self, rows: np.ndarray, parts: int) -> list[np.ndarray]:
        """Return batches of some of `rows`, no record twice."""
        size = min(self.size, len(rows) // parts)
        return np.split(self.rng.choice(rows, size * parts, replace=False), parts)

    def loss(self, name: str, rows: np.ndarray) -> Tensor:
        """Return the mean loss of one task on rows that carry its label."""
        rows = np.sort(rows)
        wanted = {name: np.ones(len(rows), dtype=bool)}
        return self.model.losses(self.prepared.batch(rows, wanted, targets=True))[name].mean()

    def measure(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return what some batches of every task show.

        Returns:
            cosines: [K, T, T].
            before: the loss of each task on records of its own: [K, 1, T].
            after: the same after a step of each task: [K, T, T].
        """
        num = len(self.names)
        start = [weight.detach().clone() for weight in self.shared]
        gradients = torch.empty(BATCHES, num, len(self.places))
        before, after = np.empty((BATCHES, 1, num)), np.empty((BATCHES, num, num))
        for k in range(BATCHES):
            drawn = {name: self._drawn(self.measured[name], 2) for name in self.names}
            before[k] = self._losses(drawn)
            for a, name in enumerate(self.names):
                loss = self.loss(name, drawn[name][0])
                found = torch.autograd.grad(loss, self.shared, materialize_grads=True,
                                            allow_unused=True)  # fmt: skip
                gradients[k, a] = torch.cat([g.flatten() for g in found])[self.places].cpu()
                self._ahead(found, float(loss.detach()))
                after[k, a] = self._losses(drawn)
                self._back(start)
        return cosines(gradients), before, after

    def _losses(self, drawn: Mapping[str, Sequence[np.ndarray]]) -> np.ndarray:
        """Return the loss of each task on the second of its batches, no gradient kept: [T]."""
        with torch.no_grad():
            return np.array([float(self.loss(name, drawn[name][1])) for name in self.names])

    def _ahead(self, gradients: Sequence[Tensor], loss: float) -> None:
        norm = float(torch.linalg.vector_norm(torch.stack([g.norm() for g in gradients])))
        with torch.no_grad():
            for weight, gradient in zip(self.shared, gradients, strict=True):
                weight.sub_(gradient, alpha=FALL * loss / max(norm**2, 1e-12))

    def _back(self, start: Sequence[Tensor]) -> None:
        with torch.no_grad():
            for weight, old in zip(self.shared, start, strict=True):
                weight.copy_(old)


def _places(weights: Sequence[Tensor], seed: int) -> Tensor:
    """Return the places of some weights among all, in one row: [W]."""
    total = sum(weight.numel() for weight in weights)
    if total <= WEIGHTS:
        return torch.arange(total)
    chance = torch.Generator().manual_seed(seed)
    return torch.randint(total, (WEIGHTS,), generator=chance).sort().values


def cosines(gradients: Tensor) -> np.ndarray:
    """Return the cosines of the tasks' gradients: [K, T, W] → [K, T, T].

    Each batch of one task meets one batch of another; on the diagonal a task meets itself on the
    next batch. A gradient that is zero has the cosine 0 with all.
    """
    unit = torch.nn.functional.normalize(gradients, dim=-1)
    found = unit @ unit.mT
    itself = (unit * unit.roll(-1, 0)).sum(-1)
    return torch.diagonal_scatter(found, itself, dim1=1, dim2=2).double().numpy()


def advise(job: Job, *, project: Mapping[str, Any]) -> Advice:
    """Probe the shared model shortly, and say what that suggests; keep it for the report.

    Args:
        job: the training that is planned; nothing is written to its run folder.
        project: the project file with every default written out.
    """
    began = time.perf_counter()
    tasks = [name for name, task in job.tasks.items()
             if name not in job.freeze and task.reads != "states"  # its steps take too long
             and len(job.records.indices("train", name)) >= FEWEST]  # fmt: skip
    if len(tasks) < 2:
        raise DataError(
            f"Advice on sharing needs two tasks with {FEWEST} training labels or more that learn. "
            f"Found {len(tasks)}."
        )
    with kept_chance():
        cos, affinity = _probed(job, tasks)
    counts = {name: len(job.records.indices("train", name)) for name in tasks}
    square = _square(100 * affinity, tasks)
    groups = best_groups(square)
    advice = Advice(
        tasks={name: Foreseen(labels=counts[name], onto=_onto(100 * affinity, at, square))
               for at, name in enumerate(tasks)} if len(affinity) else {},
        cosines=_square(cos, tasks),
        affinities=square,
        groups=groups,
        hints=hints(square, groups, counts, sizes(job)),
        seconds=round(time.perf_counter() - began, 2),
    )  # fmt: skip
    key = {"key": _key(job.records.fingerprint, project)}
    write_json(job.cache / "advice.json", {**key, "advice": asdict(advice)})
    return advice


def _probed(job: Job, tasks: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Return cosines and affinities of all measurements, [N, T, T]; N = 0 if nothing is shared."""
    settings = replace(job.settings, precision="fp32", pretraining=None)
    job = replace(job, settings=settings).learned()
    model = job.model(dropout=0.0).eval()
    nothing = np.empty((0, len(tasks), len(tasks)))
    if not any(not name.startswith("heads.") for name in model.trained()):
        return nothing, nothing
    probe = Probe(model, _few(job, model, tasks), job.settings, tasks)
    job.tell("probe sharing", 0, MOMENTS, "")
    probe.warm()
    optimizer, found = probe.optimizer(), []
    for moment in range(MOMENTS):
        probe.steps(optimizer, STEPS // MOMENTS)
        found.append(probe.measure())
        job.tell("probe sharing", moment + 1, MOMENTS, "")
    cos, before, after = (np.concatenate(parts) for parts in zip(*found, strict=True))
    return cos, (before - after) / np.maximum(before.mean(0), 1e-9)


def _few(job: Job, model: Model, tasks: Sequence[str]) -> Prepared:
    """Tokenize some training records of every task; the others are left alone."""
    rng = np.random.default_rng([job.settings.seed, 3 << 31])
    known = [rng.permutation(job.records.indices("train", name))[:RECORDS] for name in tasks]
    rows = np.unique(np.concatenate(known))

    def column(name: str, kind: pa.DataType) -> pa.ChunkedArray:
        return pa.chunked_array([pa.array(job.records.take(name, rows), kind)])

    return Prepared.of(
        model,
        {field: column(field, job.records.values(field).type) for field in job.records.fields},
        {name: column(name, job.records.labels(name).type) for name in tasks},
    )


def _square(values: np.ndarray, tasks: Sequence[str]) -> Square:
    """Return the mean of measurements [N, T, T] with intervals that hold for all pairs at once."""
    pairs = len(tasks) * (len(tasks) - 1)
    return {
        a: {b: over_seeds(values[:, i, j].tolist(), at_once=pairs) for j, b in enumerate(tasks)}
        for i, a in enumerate(tasks)
    } if len(values) else {}  # fmt: skip


def _onto(affinity: np.ndarray, task: int, square: Square) -> Score | None:
    """Return what a step of the other tasks does to one, on average.

    Steps that do not help their own task beyond noise tell nothing, and are left out.
    """
    others = [i for i, name in enumerate(square) if i != task and square[name][name].low > 0]
    if not others:
        return None
    return over_seeds(affinity[:, others, task].mean(1).tolist(), at_once=len(square))


def sizes(job: Job) -> list[int]:
    """Return how many training records each group has: one source, labels of the same tasks."""
    rows = job.rows("train")
    known = [np.asarray(job.records.labels(name).is_valid())[rows] for name in job.records.tasks]
    keys = np.column_stack([job.records.numbers("source")[rows], *known])
    return np.unique(keys, axis=0, return_counts=True)[1].tolist()


def _key(records: str, project: Mapping[str, Any]) -> str:
    """Return what advice holds for: these records, tasks and encoders."""
    about = [records, project["tasks"], project["inputs"]]
    return hashlib.sha256(json.dumps(about, sort_keys=True, default=str).encode()).hexdigest()


def kept_advice(cache: Path, records: str, project: Mapping[str, Any]) -> Advice | None:
    """Return the advice that was given for the same records, tasks and encoders, if any was.

    What another version wrote is ignored: it can be asked for again.
    """
    path = cache / "advice.json"
    try:
        kept = json.loads(path.read_text(encoding="utf-8"))
        same = kept["key"] == _key(records, project)
        return TypeAdapter(Advice).validate_python(kept["advice"]) if same else None
    except (OSError, ValueError, KeyError, TypeError):
        return None
