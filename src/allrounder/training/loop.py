"""The training loop is a generator: whoever calls it decides when to evaluate, save or stop."""

import math
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from allrounder.encoders.modules import Encoding
from allrounder.model import Batch, Model, Prepared
from allrounder.model.mixing import Mixed, mixes
from allrounder.training.ascent import Ascent
from allrounder.training.averaging import Average
from allrounder.training.epochs import Epochs
from allrounder.training.lessons import Lessons
from allrounder.training.settings import Training


@dataclass(frozen=True, kw_only=True)
class Step:
    """What one optimizer step did.

    `losses` holds the mean loss of each task over its labels in the step; `epoch` counts passes,
    so 1.5 is the middle of the second. `tokens` counts what encoders read; `evaluates` says that
    an evaluation is due.
    """

    number: int
    epoch: float
    losses: dict[str, float]
    lr: float
    records: int
    tokens: int
    seconds: float
    evaluates: bool


@dataclass
class State:
    """Where training stands, besides weights: enough to go on as if nothing had happened."""

    step: int = 0
    epoch: int = 0
    batch: int = 0
    stage: int = 0
    """1 once the tasks of `first` have had their epochs."""
    stopped: list[str] = field(default_factory=list)
    planned_without: list[str] = field(default_factory=list)
    """The tasks that had stopped when the current epoch was planned."""
    multipliers: dict[str, float] = field(default_factory=dict)
    """By rule, what its loss weighs, where training is pulled towards rules."""


class Loop:
    """One model, its optimizer, and the records it is trained on.

    Args:
        model: the model; frozen weights are left alone.
        prepared: its tokens and targets.
        rows: the training rows.
        settings: the `training` section.
        sources: the number of the source of every record; by default all are of one.
        ascent: pulls towards the rules, where that is asked for.
        lessons: what is learned of texts without labels, where that is asked for.
    """

    def __init__(
        self,
        model: Model,
        prepared: Prepared,
        rows: np.ndarray,
        settings: Training,
        sources: np.ndarray | None = None,
        ascent: Ascent | None = None,
        lessons: Lessons | None = None,
    ) -> None:
        self.model, self.prepared, self.settings = model, prepared, settings
        self.rows, self.ascent, self.lessons = rows, ascent, lessons
        self.state = State()
        self.epochs = Epochs(prepared, rows, settings, sources)
        self.epochs.check()
        self.lengths = self.epochs.lengths
        self.names = list(model.trained())
        self.num_steps = 0
        """Steps in the current epoch."""
        self.average = Average(model, self.names, settings.ema)
        self.descent = settings.weighting.descent(model)
        groups = parameter_groups(model, settings)
        self.optimizer = settings.optimizer.build([*groups, *_weighting_group(self)])

    def steps(self) -> Iterator[Step]:
        """Train until the epochs of a stage are used up, yielding after every optimizer step."""
        self.model.train()  # parts of a fresh model may not be: pretrained ones come in eval mode
        while self.state.epoch - self._start < self.settings.epochs and self.active():
            if self.state.batch == 0:
                self.state.planned_without = list(self.state.stopped)
            stage, batches = self.state.stage, self._plan(self.state.epoch)
            yield from self._epoch(batches)
            if self.state.stage != stage:
                continue
            if self.state.batch < len(batches):
                return
            self.descent.passed()
            self.state.epoch, self.state.batch = self.state.epoch + 1, 0

    @property
    def _start(self) -> int:
        """The epoch in which the stage began."""
        return self.state.stage * math.ceil(self.settings.epochs)

    def active(self) -> list[str]:
        """Return the tasks that learn from their labels."""
        first = self.settings.first if self.state.stage == 0 else []
        names = first or list(self.model.tasks)
        return [name for name in names if name not in self.state.stopped]

    def goes_on(self, step: Step) -> bool:
        """Go over to the next stage if the step was the last of the first one; tell whether so."""
        over = step.epoch - self._start + 1e-9 >= self.settings.epochs or not self.active()
        if not (over and self.settings.first and self.state.stage == 0):
            return False
        self.state.stage, self.state.batch = 1, 0
        self.state.epoch = self._start
        self.state.stopped += [name for name in self.settings.first if name in self.model.tasks
                               and name not in self.state.stopped]  # fmt: skip
        return True

    def _plan(self, epoch: int) -> list[np.ndarray]:
        """Return the batches of one epoch, the tasks that train being those at its beginning."""
        return self.epochs.batches(epoch, self._shown(self.rows, self.state.planned_without))

    def _shown(self, rows: np.ndarray, stopped: Sequence[str]) -> dict[str, np.ndarray]:
        """Return which of `rows` each task sees: its labels, or what its teacher says."""
        first = self.settings.first if self.state.stage == 0 else []
        shown = self.prepared.shown(rows, first or self.model.tasks)
        return shown | {name: self.prepared.taught(rows, name) for name in stopped}

    def _epoch(self, batches: Sequence[np.ndarray]) -> Iterator[Step]:
        size, stage = self.settings.accumulate, self.state.stage
        self.num_steps = -(-len(batches) // size)
        while self.state.batch < len(batches) and self.active() and self.state.stage == stage:
            done = self.state.epoch + self.state.batch / len(batches)
            if done - self._start >= self.settings.epochs:
                return
            group = batches[self.state.batch : self.state.batch + size]
            self.state.batch = min(self.state.batch + size, len(batches))
            self.state.step += 1
            yield self._step(group, done, self.state.epoch + self.state.batch / len(batches))

    def _step(self, group: Sequence[np.ndarray], done: float, after: float) -> Step:
        began = time.perf_counter()
        if not self.model.training:  # walking all modules costs more than a step of small heads
            self.model.train()
        factor = self._schedule(done - self._start)
        self.optimizer.zero_grad(set_to_none=True)
        total = sum(map(len, group))
        passes = 2 if self.settings.r_drop else 1
        found = [
            self._backward(rows.repeat(passes), passes * total, place)
            for place, rows in enumerate(group)
        ]
        self._pull(np.concatenate(group), (done - self._start) / self.settings.epochs)
        told = self.lessons.backward(self.state.step) if self.lessons else None
        if self.settings.clip:
            torch.nn.utils.clip_grad_norm_(self._learning(), self.settings.clip, foreach=True)
        self.average.begins()
        self.optimizer.step()
        self.average.stepped(self.state.step - 1)
        self.descent.stepped()
        return Step(
            number=self.state.step,
            epoch=after,
            losses=_means(found),
            lr=factor * self.settings.lr,
            records=total,
            tokens=passes * int(sum(self.lengths[rows].sum() for rows in group))
            + (told.tokens if told else 0),
            seconds=time.perf_counter() - began,
            evaluates=_crosses(done - self._start, after - self._start, self.settings),
        )

    def _pull(self, rows: np.ndarray, done: float) -> None:
        """Add the gradients of the rules loss, once all tasks train and it has begun."""
        waits = self.settings.first and self.state.stage == 0
        if self.ascent is None or waits or not self.ascent.begins(done):
            return
        state = self.state
        state.multipliers = self.ascent.backward(state.step, rows, state.multipliers, state.stopped)

    def _learning(self) -> list[Tensor]:
        groups = self.optimizer.param_groups
        return [weight for group in groups for weight in group["params"] if weight.grad is not None]

    def _backward(self, rows: np.ndarray, total: int, place: int = 0) -> dict[str, Tensor]:
        rows = np.sort(rows)
        wanted = self._shown(rows, self.state.stopped)
        batch: Batch = self.prepared.batch(rows, wanted, targets=True)
        changed = replace(batch, r_drop=self.settings.r_drop, mixed=self._mixed(batch, place))
        return self.descent.backward(changed, total)

    def _mixed(self, batch: Batch, place: int) -> dict[str, Mixed]:
        """Return how the records of a batch are mixed: the same after a kill."""
        if not self.settings.mixup:
            return {}
        chance = np.random.default_rng([self.settings.seed, self.state.step, place])
        sizes = {
            name: len(batch.places[name]) for name in batch.targets if name not in batch.guesses
        }
        return mixes(self.model.tasks, sizes, self.settings.mixup, chance)

    def _schedule(self, done: float) -> float:
        factor = self.settings.schedule.factor(done / self.settings.epochs)
        for group in self.optimizer.param_groups:
            group["lr"] = group["full_lr"] * factor
            awake = done >= group["asleep_until"]
            if group["params"][0].requires_grad != awake:
                for weight in group["params"]:
                    weight.requires_grad_(awake)
        return factor


def _crosses(done: float, after: float, settings: Training) -> bool:
    """Return whether an evaluation falls between two moments; the last one always does."""
    every, tiny = settings.evaluate_every, 1e-9
    return int(after / every + tiny) > int(done / every + tiny) or after + tiny >= settings.epochs


def _means(found: Sequence[Mapping[str, Tensor]]) -> dict[str, float]:
    names = dict.fromkeys(name for losses in found for name in losses)
    return {name: float(torch.cat([f[name] for f in found if name in f]).mean()) for name in names}


def parameter_groups(model: Model, settings: Training) -> list[dict[str, Any]]:
    """Return the weights that learn, grouped by learning rate, weight decay and waking time."""
    groups: dict[tuple[float, float, float], list[Tensor]] = {}
    for name, weight in model.trained().items():
        lr, asleep = settings.head_lr, 0.0
        if name.startswith("encoders."):
            _, owner, inner = name.split(".", 2)
            lr, asleep = _encoder_rate(model, owner, inner, settings)
        elif name.startswith("tellers."):
            _, owner, inner = name.split(".", 2)
            lr = settings.head_lr if inner in model.tellers[owner].fresh else settings.lr
        elif name.startswith("injections."):
            lr *= model.knowing.gated[name.split(".")[1]].rate  # type: ignore[union-attr]
        # Norms and biases are vectors: decay would only pull them off their scale.
        decay = settings.optimizer.weight_decay if weight.ndim > 1 else 0.0
        groups.setdefault((lr, decay, asleep), []).append(weight)
    return [
        {"params": weights, "lr": lr, "full_lr": lr, "weight_decay": decay, "asleep_until": asleep}
        for (lr, decay, asleep), weights in groups.items()
    ]


def moved_by_lr(model: Model, settings: Training) -> bool:
    """Return whether any weight learns at `lr`, rather than at `head_lr`."""
    twice = replace(settings, lr=2 * settings.lr)
    rates = [[one["lr"] for one in parameter_groups(model, some)] for some in (settings, twice)]
    return rates[0] != rates[1]


def _weighting_group(loop: Loop) -> list[dict[str, Any]]:
    """Return the group of what a weighting learns, if it does: the heads' rate, no decay."""
    weights, lr = list(loop.descent.learned.values()), loop.settings.head_lr
    group = {"params": weights, "lr": lr, "full_lr": lr, "weight_decay": 0.0, "asleep_until": 0.0}
    return [group] if weights else []


def _encoder_rate(model: Model, owner: str, inner: str, settings: Training) -> tuple[float, float]:
    """Return learning rate and waking epoch of an encoder's weight."""
    encoder = model.inputs[owner]
    module: Encoding = model.encoders[owner]  # type: ignore[assignment]
    depth = module.depth(inner)
    decay = getattr(encoder, "layer_decay", 1.0)
    base = settings.lr if module.is_pretrained else settings.head_lr
    return base * decay**depth, getattr(encoder, "unfreeze", 0.0) * depth
