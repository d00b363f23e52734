"""From losses to gradients: the torch side of weighting. Weighting kinds reach it lazily.

Shapes: n records, T tokens, D width; K tasks of positive weight, k of them in a batch.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from allrounder.encoders.modules import Features
from allrounder.model import Batch, Model

if TYPE_CHECKING:
    from allrounder.training.weighting.base import Aggregation, Scalarization

Losses = dict[str, Tensor]
"""By task, one loss a labelled record: [n]."""


class Descent(ABC):
    """Leaves gradients in the weights of a model, and keeps the state of a weighting.

    Args:
        model: the model.
    """

    def __init__(self, model: Model) -> None:
        self.model = model
        self.names = [name for name, task in model.tasks.items() if task.weight > 0]
        self.state: dict[str, Tensor] = {}

    @abstractmethod
    def backward(self, batch: Batch, total: int) -> Losses:
        """Add the gradients of one batch of a step of `total` records; return its losses."""

    def stepped(self) -> None:  # noqa: B027 - most need not
        """Take note that the optimizer has made its step."""

    def passed(self) -> None:  # noqa: B027 - most need not
        """Take note of the end of an epoch."""

    @property
    def learned(self) -> dict[str, Tensor]:
        """The part of the state that the optimizer trains."""
        return {}

    def means(self, losses: Losses, batch: Batch) -> dict[str, Tensor]:
        """Return weight · mean loss of the tasks that the batch has labels of."""
        tasks = self.model.tasks
        return {
            name: tasks[name].weight * losses[name].mean()
            for name in self.names
            if name in losses and name not in batch.teachers
        }

    def kept(self, losses: Losses, batch: Batch) -> Tensor:
        """Return the summed divergence of the tasks that a teacher holds; none are weighed."""
        found = [losses[name].sum() for name in batch.teachers if name in losses]
        return torch.stack(found).sum() if found else torch.zeros((), device=self.model.device)


class Summed(Descent):
    """The sum over labels of weight · loss, divided by the records of the step."""

    def backward(self, batch: Batch, total: int) -> Losses:
        """Add the gradient of the sum."""
        losses = self.model.losses(batch)
        tasks = self.model.tasks
        parts = [tasks[name].weight * loss.sum() for name, loss in losses.items()]
        if parts:
            (torch.stack(parts).sum() / total).backward()
        return _detached(losses)


class Scalarized(Descent):
    """One number made of the tasks' mean losses; each batch of a step weighs by its records."""

    def __init__(self, model: Model, weighting: "Scalarization") -> None:
        super().__init__(model)
        self.weighting = weighting
        found = weighting.begin(len(self.names))
        self.state = {name: value.to(model.device) for name, value in found.items()}
        for value in self.learned.values():
            value.requires_grad_()
        self.state["last"] = torch.full((len(self.names),), torch.nan, device=model.device)
        self._seen: tuple[Batch, Tensor, _Chance] | None = None

    @property
    def learned(self) -> dict[str, Tensor]:
        """The part of the state that the optimizer trains."""
        return {name: self.state[name] for name in self.weighting.learned}

    def backward(self, batch: Batch, total: int) -> Losses:
        """Add the gradient of the combined losses."""
        chance = _Chance(self.model.device) if self.weighting.compares else None
        losses = self.model.losses(batch)
        means, kept = self.means(losses, batch), self.kept(losses, batch) / total
        self._seen = None
        if not means and kept.requires_grad:
            kept.backward()
        if means:
            places, found = self._places(means), torch.stack(list(means.values()))
            values = self._filled(found).index_put((places,), found)
            present = torch.zeros_like(values, dtype=torch.bool).index_fill(0, places, True)
            one = self.weighting.combine(values, present, self.state)
            (one * (batch.num_records / total) + kept).backward()
            self.state["last"] = self.state["last"].index_put((places,), found.detach())
            if chance is not None:
                self._seen = batch, values.detach(), chance
        return _detached(losses)

    def _places(self, means: Mapping[str, Tensor]) -> Tensor:
        return torch.tensor([self.names.index(name) for name in means], device=self.model.device)

    def _filled(self, found: Tensor) -> Tensor:
        """Return the last known loss of each task, or the mean of those present: [K]."""
        last = self.state["last"]
        return torch.where(last.isnan(), found.detach().mean(), last)

    def stepped(self) -> None:
        """Show the weighting what the step did to the losses, under the same dropout."""
        if self._seen is None:
            return
        batch, before, chance = self._seen
        with torch.no_grad(), chance.again():
            means = self.means(self.model.losses(batch), batch)
        after = before.index_put((self._places(means),), torch.stack(list(means.values())))
        self.weighting.stepped(before, after, self.state)

    def passed(self) -> None:
        """Take note of the end of an epoch."""
        self.weighting.passed(self.state)


class Aggregated(Descent):
    """Heads follow their own loss; what is shared follows a weighted sum of gradients."""

    def __init__(self, model: Model, weighting: "Aggregation") -> None:
        super().__init__(model)
        self.weighting = weighting

    def backward(self, batch: Batch, total: int) -> Losses:
        """Add the gradients of the heads, then those of fusion and encoders, each in one pass."""
        said = self.model.features(batch)
        features = {name: _cut(found) for name, found in said.items()}
        read = self.model.read(features, batch)
        leaves = {name: found.detach().requires_grad_() for name, found in read.items()}
        losses = self.model.losses_from(leaves, batch)
        means, held = self.means(losses, batch), [n for n in batch.teachers if n in losses]
        if means or held:
            share = batch.num_records / total
            parts = [share * mean for mean in means.values()]
            torch.stack([*parts, self.kept(losses, batch) / total]).sum().backward()
            pulls = {name: leaves[name].grad for name in means}
            weights = self._weights({n: self._small(read[n], pulls[n], features) for n in means})
            torch.autograd.backward(
                [read[name] for name in [*means, *held]],
                [*(w * pull for w, pull in zip(weights, pulls.values(), strict=True)),
                 *(leaves[name].grad for name in held)],
            )  # fmt: skip
            _sent(said, features)
        return _detached(losses)

    def _small(self, read: Tensor, pull: Tensor, features: Mapping[str, Features]) -> Tensor:
        """Return the gradient of one task in few numbers: Σ x ⊗ dL/dx over all its features x.

        It is the gradient of a linear layer, were there one between an encoder and its heads:
        [D, D], flat, one after the other where there are several encoders. Tasks whose labels lie
        on different records meet there; in the gradients of the features themselves, row by row,
        they never could.
        """
        parts = _parts(features)
        found = torch.autograd.grad(
            read, parts, pull, retain_graph=True, allow_unused=True, materialize_grads=True
        )
        owners = [self.model.owners[name] for name, one in features.items() for _ in _of(one)]
        sums: dict[str, Tensor] = {}
        for owner, x, slope in zip(owners, parts, found, strict=True):
            outer = x.detach().flatten(0, -2).T @ slope.flatten(0, -2)
            sums[owner] = sums[owner] + outer if owner in sums else outer
        return torch.cat([one.flatten() for one in sums.values()])

    def _weights(self, rows: Mapping[str, Tensor]) -> Tensor:
        """Return the weights of the tasks, [k], from their small gradients."""
        if not rows:
            return torch.ones(0)
        matrix = torch.stack(list(rows.values())).double()
        gramian = (matrix @ matrix.T).cpu()
        size = float(gramian.trace())
        if len(gramian) == 1 or not 0 < size < float("inf"):
            return torch.ones(len(gramian), device=matrix.device)  # nothing to weigh
        tasks = tuple(self.names.index(name) for name in rows)
        weights = self.weighting.weigh(gramian * (len(gramian) / size), tasks, self.state)
        return weights.to(matrix.device, torch.float32)


def _of(found: Features) -> list[Tensor]:
    return [found.pooled] if found.tokens is None else [found.pooled, found.tokens]


def _parts(features: Mapping[str, Features]) -> list[Tensor]:
    return [part for found in features.values() for part in _of(found)]


def _cut(found: Features) -> Features:
    """Return the features as leaves of a graph of their own."""
    pooled, *tokens = (part.detach().requires_grad_() for part in _of(found))
    return Features(pooled, tokens[0] if tokens else None, found.mask)


def _sent(said: Mapping[str, Features], features: Mapping[str, Features]) -> None:
    """Send the gradients that have gathered at the leaves back into the encoders."""
    pairs = [
        (part, leaf.grad)
        for part, leaf in zip(_parts(said), _parts(features), strict=True)
        if part.requires_grad and leaf.grad is not None
    ]
    if pairs:
        torch.autograd.backward(*map(list, zip(*pairs, strict=True)))


def _detached(losses: Losses) -> Losses:
    return {name: loss.detach() for name, loss in losses.items()}


class _Chance:
    """The state of torch's random numbers at one moment."""

    def __init__(self, device: torch.device) -> None:
        self.cuda = device.type == "cuda"
        self.states = torch.get_rng_state(), torch.cuda.get_rng_state() if self.cuda else None

    @contextmanager
    def again(self) -> Iterator[None]:
        """Go back to that moment for a while."""
        devices = [torch.cuda.current_device()] if self.cuda else []
        with torch.random.fork_rng(devices=devices):
            torch.set_rng_state(self.states[0])
            if self.states[1] is not None:
                torch.cuda.set_rng_state(self.states[1])
            yield
