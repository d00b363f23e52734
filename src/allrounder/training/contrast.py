"""Contrastive training of the shared encoders: records of one group are pulled together.

Shapes: n records of a batch, D width, G groups.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from allrounder.model import Model, Prepared
from allrounder.training.loop import parameter_groups
from allrounder.training.settings import HeadStart, Training


def alikeness(groups: Tensor) -> Tensor:
    """Return the share of groups that each two records have in common: [n, G] → [n, n].

    It is the Jaccard index, and 0 for a record with itself and where neither has a group.
    """
    groups = groups.float()
    shared, sizes = groups @ groups.T, groups.sum(-1)
    either = sizes[:, None] + sizes[None] - shared
    return (shared / either.clamp(min=1)).fill_diagonal_(0.0)


def supervised_contrast(vectors: Tensor, alike: Tensor, temperature: float) -> Tensor:
    """Return the supervised contrastive loss (Khosla et al. 2020, equation 2): one number.

    It is the mean of the losses of records i, with unit vectors z:

        -Σ_j w_ij log(exp(z_i·z_j/τ) / Σ_{a≠i} exp(z_i·z_a/τ)) / Σ_j w_ij

    w_ij says how alike two records are; with one label a record it is 1 or 0, as in the paper.
    Records without another one like them only stand among the a; where all are such it is 0.

    Args:
        vectors: z before they are scaled to length 1: [n, D].
        alike: w, zeros on the diagonal: [n, n].
        temperature: τ.
    """
    unit = F.normalize(vectors, dim=-1)
    itself = torch.eye(len(unit), dtype=torch.bool, device=unit.device)
    logits = (unit @ unit.T / temperature).masked_fill(itself, float("-inf"))
    shares = logits.log_softmax(-1).masked_fill(itself, 0.0)
    total = alike.sum(-1)
    losses = -(alike * shares).sum(-1) / total.clamp(min=1e-9)
    anchors = total > 0
    return losses[anchors].sum() / anchors.sum().clamp(min=1)


class Draw:
    """Draws batches for one task: two records of each of some groups, so that all have partners.

    Args:
        rows: the rows of the records, sorted.
        groups: their groups: [n, G]. Records without a group come along as unlike all others.
    """

    def __init__(self, rows: np.ndarray, groups: np.ndarray) -> None:
        self.rows, self.groups = rows, groups
        members = [rows[groups[:, g] > 0] for g in range(groups.shape[1])]
        self.pairs = [found for found in members if len(found) > 1]
        """The rows of each group that has two or more."""
        alone = rows[groups.sum(-1) == 0]
        self._pools = [*self.pairs, *([alone] if len(alone) > 1 else [])]

    def batch(self, size: int, rng: np.random.Generator) -> np.ndarray:
        """Return at most `size` rows, sorted: two of each group, groups in random order."""
        chosen: list[int] = []
        while len(chosen) + 1 < size:
            for place in rng.permutation(len(self._pools)):
                chosen += rng.choice(self._pools[place], 2, replace=False).tolist()
        return np.unique(chosen[: size - size % 2])

    def alike(self, rows: np.ndarray) -> Tensor:
        """Return how alike each two of `rows` are: [n, n]."""
        places = np.searchsorted(self.rows, rows)
        return alikeness(torch.from_numpy(self.groups[places]))


class Contrast:
    """Trains the encoders of a model so that records of one group lie together.

    Every step draws a batch of each task's own records; the gradients of all tasks meet in the
    encoders that they share. Heads are left alone.

    Args:
        model: the model; frozen weights are left alone.
        prepared: its tokens and targets.
        rows: the training rows, sorted.
        settings: the `training` section.
        start: its `head_start`.
    """

    def __init__(
        self,
        model: Model,
        prepared: Prepared,
        rows: np.ndarray,
        settings: Training,
        start: HeadStart,
    ) -> None:
        self.model, self.prepared = model, prepared
        self.settings, self.start = settings, start
        self.lengths = prepared.lengths()
        self.rng = np.random.default_rng([settings.seed, 1 << 31])  # epochs count up from 0
        found = {name: _draw(prepared, name, rows) for name in model.tasks}
        self.draws = {name: draw for name, draw in found.items() if draw is not None}
        """By task that takes part; none where nothing can be pulled together."""

    def steps(self) -> Iterator[float]:
        """Train, yielding the mean loss over tasks after every step."""
        groups = self._weights()
        optimizer = self.settings.optimizer.build(groups)
        self.model.train()
        for step in range(self.start.steps):
            factor = self.settings.schedule.factor((step + 1) / (self.start.steps + 1))
            for group in optimizer.param_groups:
                group["lr"] = group["full_lr"] * factor
            optimizer.zero_grad(set_to_none=True)
            losses = [self._backward(name, draw) for name, draw in self.draws.items()]
            optimizer.step()
            yield float(np.mean(losses))
        optimizer.zero_grad(set_to_none=True)

    def _weights(self) -> list[dict[str, Any]]:
        """Return all weights that learn but those of heads."""
        heads = {id(weight) for weight in self.model.heads.parameters()}
        groups = parameter_groups(self.model, replace(self.settings, lr=self.start.lr))
        for group in groups:
            group["params"] = [weight for weight in group["params"] if id(weight) not in heads]
        return [group for group in groups if group["params"]]

    def _backward(self, name: str, draw: Draw) -> float:
        rows = self._fitting(draw.batch(self.start.batch_records, self.rng))
        batch = self.prepared.batch(rows, {name: np.ones(len(rows), dtype=bool)})
        read = self.model.read(self.model.features(batch), batch)
        vectors = self.model.dropout(read[name])
        alike = draw.alike(rows).to(vectors.device)
        loss = supervised_contrast(vectors, alike, self.start.temperature)
        (loss / len(self.draws)).backward()
        return float(loss.detach())

    def _fitting(self, rows: np.ndarray) -> np.ndarray:
        """Return `rows` without the longest, where `batch_tokens` would be passed."""
        lengths = np.sort(self.lengths[rows])
        fits = np.flatnonzero(lengths * np.arange(1, len(rows) + 1) <= self.settings.batch_tokens)
        most = int(fits[-1]) + 1 if len(fits) else 0
        shortest = np.argsort(self.lengths[rows], kind="stable")[: max(most, 2)]
        return np.sort(rows[shortest])


def _draw(prepared: Prepared, name: str, rows: np.ndarray) -> Draw | None:
    """Return what draws batches for a task, or None where it pulls nothing together."""
    task, model = prepared.model.tasks[name], prepared.model
    if task.reads != "record" or name in prepared.teachers or not _learns(model, name):
        return None
    rows = rows[prepared.labeled(rows, [name])[name]]
    groups = task.groups(prepared.target(name, rows))
    draw = None if groups is None else Draw(rows, groups.numpy())
    return draw if draw is not None and draw.pairs else None


def _learns(model: Model, name: str) -> bool:
    """Return whether anything below the head of a task learns."""
    source = model.reads(model.tasks[name])
    encoders = [model.encoding(one) for one in ([source] if source else model.inputs)]
    return not all(encoder.is_frozen for encoder in encoders)
