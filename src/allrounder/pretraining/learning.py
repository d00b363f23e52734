"""The loop of pretraining: learn, look at what was held out, keep the best, go on after a kill."""

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from allrounder.encoders.modules import best_device, choose_precision, evaluating
from allrounder.errors import RunError
from allrounder.model.tensors import load_tensors, save_tensors
from allrounder.pretraining.base import Pretraining
from allrounder.pretraining.corpus import Corpus
from allrounder.pretraining.objective import Objective
from allrounder.training.epochs import cut, grouped

Tell = Callable[[str, float, float, str], None]

CHECKPOINT, BEST = "checkpoint.safetensors", "best.safetensors"


@dataclass
class State:
    """Where learning stands, besides weights."""

    epoch: int = 0
    batch: int = 0
    step: int = 0
    waited: int = 0
    """Looks since the loss on what was held out was lowest."""
    seconds: float = 0.0
    """Of learning and looking, without reading."""
    losses: list[float] = field(default_factory=list)
    """Of the batches since the last look, each a mean."""
    curve: list[dict[str, Any]] = field(default_factory=list)
    """A row a look: `step`, `epoch`, `loss` since the last one, `held_out`."""

    @property
    def before(self) -> float:
        """The loss on what is held out before the first step."""
        return self.curve[0]["held_out"]

    @property
    def best(self) -> float:
        """The lowest loss on what is held out."""
        return min(row["held_out"] for row in self.curve)


class Learning:
    """One objective, its optimizer, and the texts it learns from.

    Args:
        objective: the network and its loss.
        corpus: the texts.
        settings: the `pretraining` section.
    """

    def __init__(self, objective: Objective, corpus: Corpus, settings: Pretraining) -> None:
        self.device = best_device()
        self.objective = objective.to(self.device)
        self.corpus, self.settings = corpus, settings
        self.precision = choose_precision(settings.precision, self.device)
        self.state = State()
        self.weights = {
            name: weight for name, weight in objective.named_parameters() if weight.requires_grad
        }
        self.optimizer = settings.optimizer.build(self._groups())

    def _groups(self) -> list[dict[str, Any]]:
        """Return the weights by learning rate and decay; norms and biases are not decayed."""
        groups: dict[tuple[float, float], list[Tensor]] = {}
        for name, weight in self.weights.items():
            lr = self.settings.head_lr if name in self.objective.fresh else self.settings.lr
            decay = self.settings.optimizer.weight_decay if weight.ndim > 1 else 0.0
            groups.setdefault((lr, decay), []).append(weight)
        return [
            {"params": weights, "lr": lr, "full_lr": lr, "weight_decay": decay}
            for (lr, decay), weights in groups.items()
        ]

    def run(self, folder: Path, tell: Tell) -> None:
        """Learn to the end, or until what is held out gets no better.

        Args:
            folder: where the state is saved every few minutes, and the weights with the lowest
                loss on what is held out.
            tell: called after every batch.
        """
        torch.manual_seed(self.settings.seed)
        if (folder / CHECKPOINT).exists():
            self._restore(folder / CHECKPOINT)
        began, saved_at = time.monotonic() - self.state.seconds, time.monotonic()
        if not self.state.curve:
            self._look(folder, epoch=0.0)
        for epoch, due in self._steps():
            self.state.seconds = time.monotonic() - began
            if due:
                self._look(folder, epoch)
            tell("pretrain", epoch, self.settings.epochs, self._word())
            if due and self.state.waited >= self.settings.patience:
                break
            if time.monotonic() - saved_at > 60 * self.settings.checkpoint_minutes:
                self._save(folder / CHECKPOINT)
                saved_at = time.monotonic()
        self.state.seconds = time.monotonic() - began

    def _word(self) -> str:
        return f"held out {self.state.curve[-1]['held_out']:.3f}"

    def _steps(self) -> Iterator[tuple[float, bool]]:
        """Learn batch by batch; yield the epochs that are over and whether a look is due."""
        settings, state = self.settings, self.state
        while state.epoch < settings.epochs:
            batches = self._batches(state.epoch)
            while state.batch < len(batches):
                done = state.epoch + state.batch / len(batches)
                if done >= settings.epochs:
                    return
                self._step(batches[state.batch], done)
                state.batch, state.step = state.batch + 1, state.step + 1
                after = state.epoch + state.batch / len(batches)
                yield after, _is_due(done, after, settings)
            state.epoch, state.batch = state.epoch + 1, 0

    def _batches(self, epoch: int) -> list[np.ndarray]:
        rng = np.random.default_rng([self.settings.seed, epoch])
        rows = rng.permutation(self.corpus.learned)
        return grouped(rows, self.corpus.lengths, self.settings, rng)

    def _step(self, rows: np.ndarray, done: float) -> None:
        factor = self.settings.schedule.factor(done / self.settings.epochs)
        for group in self.optimizer.param_groups:
            group["lr"] = group["full_lr"] * factor
        self.objective.train()
        self.optimizer.zero_grad(set_to_none=True)
        total, count = self._loss(rows, [self.settings.seed, 0, self.state.step])
        (total / max(count, 1)).backward()
        if self.settings.clip:
            torch.nn.utils.clip_grad_norm_(list(self.weights.values()), self.settings.clip)
        self.optimizer.step()
        self.state.losses.append(total.item() / max(count, 1))

    def _loss(self, rows: np.ndarray, chance: list[int]) -> tuple[Tensor, int]:
        drawn = int(np.random.SeedSequence(chance).generate_state(1)[0])
        generator = torch.Generator().manual_seed(drawn)
        batch = self.corpus.batch(np.sort(rows)).to(self.device)
        enabled = self.precision is not None
        with torch.autocast(self.device.type, dtype=self.precision, enabled=enabled):
            return self.objective.loss(batch, generator)

    def held_out(self) -> float:
        """Return the mean loss on the texts held out: the same words hidden at every look."""
        rows = self.corpus.held_out
        rows = rows[np.argsort(self.corpus.lengths[rows], kind="stable")]
        total, number = 0.0, 0
        with torch.no_grad(), evaluating(self.objective), torch.random.fork_rng():
            torch.manual_seed(self.settings.seed)
            for place, some in enumerate(cut(rows, self.corpus.lengths, self.settings)):
                found, count = self._loss(some, [self.settings.seed, 1, place])
                total, number = total + float(found), number + count
        return total / max(number, 1)

    def _look(self, folder: Path, epoch: float) -> None:
        """Judge by what was held out, and keep the network if it was never better."""
        state = self.state
        loss = self.held_out()
        if not math.isfinite(loss):
            raise RunError(
                f"The loss on texts held out is {loss} after step {state.step}: learning has "
                "diverged. Lower `pretraining.lr`, or clip gradients with `pretraining.clip`."
            )
        best = not state.curve or loss < state.best
        since = sum(state.losses) / len(state.losses) if state.losses else None
        row = {"step": state.step, "epoch": round(epoch, 4), "loss": since, "held_out": loss}
        state.curve.append(row)
        state.losses, state.waited = [], 0 if best else state.waited + 1
        if best and state.step:
            self._keep(folder)

    def _keep(self, folder: Path) -> None:
        """Write the weights in place of those kept before."""
        save_tensors(folder / BEST, self.weights)

    def recall(self, folder: Path) -> bool:
        """Put the best weights back; return whether learning ever made any."""
        if self.state.best >= self.state.before:
            return False
        found, _ = load_tensors(folder / BEST)
        with torch.no_grad():
            for name, weight in self.weights.items():
                weight.copy_(found[name])
        return True

    def _save(self, path: Path) -> None:
        tensors = {f"weights.{name}": weight for name, weight in self.weights.items()}
        for name, weight in self.weights.items():
            for key, value in self.optimizer.state[weight].items():
                if isinstance(value, Tensor):
                    tensors[f"optimizer.{key}.{name}"] = value
        tensors["rng.cpu"] = torch.get_rng_state()
        if self.device.type == "cuda":
            tensors["rng.cuda"] = torch.cuda.get_rng_state()
        save_tensors(path, tensors, asdict(self.state))

    def _restore(self, path: Path) -> None:
        tensors, about = load_tensors(path)
        with torch.no_grad():
            for name, weight in self.weights.items():
                weight.copy_(tensors[f"weights.{name}"])
        for place, value in tensors.items():
            if place.startswith("optimizer."):
                _, key, name = place.split(".", 2)
                weight = self.weights[name]
                # Counts of steps stay where torch keeps them; moments lie beside their weight.
                there = value if value.ndim == 0 and self.device.type == "cpu" else value.to(
                    self.device
                )  # fmt: skip
                self.optimizer.state[weight][key] = there
        torch.set_rng_state(tensors["rng.cpu"])
        if "rng.cuda" in tensors and self.device.type == "cuda":
            torch.cuda.set_rng_state(tensors["rng.cuda"])
        self.state = State(**about)


def _is_due(done: float, after: float, settings: Pretraining) -> bool:
    """Return whether a look falls between two moments; the last one always does."""
    every, tiny = settings.evaluate_every, 1e-9
    last = after + tiny >= settings.epochs
    return last or math.floor(after / every + tiny) > math.floor(done / every + tiny)
