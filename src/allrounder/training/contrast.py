"""Contrastive training of the shared encoder: records that share a label are pulled together.

Shapes: n records of a batch, D width, G groups.
"""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from allrounder.model import Model, Prepared
from allrounder.training.loop import parameter_groups
from allrounder.training.settings import Training


def alikeness(groups: Tensor) -> Tensor:
    """Return how alike each two records are: the groups they share among those they have.

    The Jaccard index, 0 where neither has a group and for a record with itself: [n, G] → [n, n].
    """
    groups = groups.float()
    shared, sizes = groups @ groups.T, groups.sum(-1)
    either = sizes[:, None] + sizes[None] - shared
    return (shared / either.clamp(min=1)).fill_diagonal_(0.0)


def supervised_contrast(vectors: Tensor, alike: Tensor, temperature: float) -> Tensor:
    """Return the supervised contrastive loss (Khosla et al. 2020, equation 2): a number.

    For every record i with others like it, -Σ_j w_ij log(exp(z_i·z_j/τ) / Σ_{a≠i} exp(z_i·z_a/τ))
    / Σ_j w_ij, where z are unit vectors and w says how alike two records are: with one label a
    record it is 1 or 0, as in the paper. The mean over such records; 0 where there are none.

    Args:
        vectors: [n, D].
        alike: w, zeros on the diagonal: [n, n].
        temperature: τ.
    """
    unit = F.normalize(vectors, dim=-1)
    itself = torch.eye(len(unit), dtype=torch.bool, device=unit.device)
    logits = (unit @ unit.T / temperature).masked_fill(itself, float("-inf"))
    shares = logits.log_softmax(-1).masked_fill(itself, 0.0)
    total = alike.sum(-1)
    losses = -(alike * shares).sum(-1) / total.clamp(min=1e-9)
    return losses[total > 0].mean() if bool((total > 0).any()) else 0.0 * vectors.sum()


def pair_contrast(vectors: Tensor, alike: Tensor) -> Tensor:
    """SetFit."""
    unit = F.normalize(vectors, dim=-1)
    error = (unit @ unit.T - alike.ceil()) ** 2
    others = ~torch.eye(len(unit), dtype=torch.bool, device=unit.device)
    like, unlike = (alike > 0) & others, (alike == 0) & others
    if not bool(like.any()):
        return 0.0 * vectors.sum()
    return sum(error[m].mean() for m in (like, unlike) if bool(m.any())) / 2


class Draw:
    """Draws batches for one task: two records each of random groups, so that all have partners.

    Args:
        rows: the rows of the records.
        groups: their groups: [n, G]. A record with none comes along as unlike all others.
    """

    def __init__(self, rows: np.ndarray, groups: np.ndarray) -> None:
        alone = groups.sum(-1) == 0
        members = [rows[groups[:, g] > 0] for g in range(groups.shape[1])]
        self.members = [found for found in [*members, rows[alone]] if len(found) > 1]
        self.place = dict(zip(rows.tolist(), range(len(rows)), strict=True))
        self.groups = groups

    def batch(self, size: int, rng: np.random.Generator) -> np.ndarray:
        """Return the rows of at most `size` records, sorted."""
        chosen: list[int] = []
        while len(chosen) < size:
            for g in rng.permutation(len(self.members)):
                chosen += rng.choice(self.members[g], 2, replace=False).tolist()
        return np.unique(chosen[:size])


class Contrast:
    """Trains the encoders of a model so that records that share a label lie together.

    Every step draws a batch of each task's own records; the gradients of all tasks meet in the
    encoders that they share. Heads are left alone.
    """

    def __init__(
        self, model: Model, prepared: Prepared, rows: np.ndarray, settings: Training
    ) -> None:
        self.model, self.prepared, self.settings = model, prepared, settings
        self.start = settings.head_start
        self.lengths = prepared.lengths()
        self.rng = np.random.default_rng([settings.seed, 0xC0])
        found = {name: _draw(prepared, name, rows) for name in model.tasks}
        self.draws = {name: draw for name, draw in found.items() if draw is not None}

    def steps(self) -> Iterator[float]:
        """Train, yielding the mean loss of every step."""
        groups = parameter_groups(self.model, replace(self.settings, lr=self.start.lr))
        heads = {id(weight) for weight in self.model.heads.parameters()}
        for group in groups:
            group["params"] = [w for w in group["params"] if id(w) not in heads]
        groups = [group for group in groups if group["params"]]
        optimizer = self.settings.optimizer.build(groups)
        self.model.train()
        for step in range(self.start.steps):
            factor = self.settings.schedule.factor((step + 1) / (self.start.steps + 1))
            for group in groups:
                group["lr"] = group["full_lr"] * factor
            optimizer.zero_grad(set_to_none=True)
            losses = [self._backward(name, draw) for name, draw in self.draws.items()]
            optimizer.step()
            yield float(np.mean(losses))

    def _backward(self, name: str, draw: Draw) -> float:
        rows = draw.batch(self.start.batch_records, self.rng)
        batch = self.prepared.batch(rows, {name: np.ones(len(rows), bool)})
        vectors = self.model.read(batch)[name]
        groups = torch.from_numpy(draw.groups[[draw.place[row] for row in rows.tolist()]])
        alike = alikeness(groups.to(vectors.device))
        if self.start.loss == "pairs":
            loss = pair_contrast(vectors, alike)
        else:
            loss = supervised_contrast(vectors, alike, self.start.temperature)
        (loss / len(self.draws)).backward()
        return float(loss.detach())


def _draw(prepared: Prepared, name: str, rows: np.ndarray) -> Draw | None:
    task = prepared.model.tasks[name]
    if task.reads != "record":
        return None
    rows = rows[prepared.labeled(rows, [name])[name]]
    groups = task.groups(prepared.target(name, rows))
    if groups is None:
        return None
    draw = Draw(rows, groups.numpy())
    return draw if draw.members else None
