"""The model: encoders, then fusion, then one head per task, in one pass.

Shapes: n records of a batch, T tokens, D width.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor, nn

from allrounder.encoders import Encoder
from allrounder.encoders.modules import Encoding, Features
from allrounder.fusion import Concat, Fusion
from allrounder.kinds import dump
from allrounder.tasks import Task


@dataclass(frozen=True)
class Given:
    """One input of a batch: the records that have it, and its sequences, states or features.

    `present` holds places in the batch. `states` are those of the encoder's frozen part, and
    `features` all that a frozen encoder says, where they were computed before.
    """

    present: Tensor
    sequences: Any = None
    states: Tensor | None = None
    features: Features | None = None


@dataclass(frozen=True)
class Batch:
    """Some records as the model reads them.

    `places` says for each task which records of the batch it is asked of; `targets` their labels
    where those are known, `teachers` the scores of an older model where those take their place.
    `r_drop` above 0 says that every record stands there twice, side by side, and how much it costs
    a task to answer the two differently.
    """

    num_records: int
    inputs: dict[str, Given]
    places: dict[str, Tensor]
    targets: dict[str, Tensor] = field(default_factory=dict)
    teachers: dict[str, Tensor] = field(default_factory=dict)
    r_drop: float = 0.0


class Model(nn.Module):
    """Encoders, fusion, and one head per task.

    Args:
        inputs: the encoders by input; inputs with equal settings share one module.
        tasks: the tasks, with everything learned from labels filled in.
        fusion: how tasks that read every input join them.
        dropout: applied to features on their way into the heads.
        precision: the type of matrix products inside encoders; None leaves them in fp32.
    """

    def __init__(
        self,
        inputs: Mapping[str, Encoder],
        tasks: Mapping[str, Task],
        *,
        fusion: Fusion | None = None,
        dropout: float = 0.1,
        precision: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        self.inputs, self.tasks = dict(inputs), dict(tasks)
        self.owners = owners(self.inputs)
        self.encoders = nn.ModuleDict(
            {name: self.inputs[name].module() for name in dict.fromkeys(self.owners.values())}
        )
        widths = {name: self.encoding(name).width for name in self.inputs}
        fused = any(self.reads(task) is None for task in self.tasks.values())
        self._fusion = fusion or Concat()
        self.fusion = self._fusion.module(widths) if fused else None
        joint = self._fusion.width(widths)
        self.heads = nn.ModuleDict(
            {
                name: task.head(widths.get(self.reads(task) or "", joint))
                for name, task in self.tasks.items()
            }
        )
        self.dropout = nn.Dropout(dropout)
        self.precision = precision

    def encoding(self, name: str) -> Encoding:
        """Return the module that reads the input `name`."""
        return self.encoders[self.owners[name]]  # type: ignore[return-value]

    def reads(self, task: Task) -> str | None:
        """Return the one input that a task reads, or None where it reads all of them."""
        return task.of or (next(iter(self.inputs)) if len(self.inputs) == 1 else None)

    def reads_tokens(self, name: str) -> list[str]:
        """Return the tasks that read the tokens of the input `name`."""
        return [
            task_name
            for task_name, task in self.tasks.items()
            if task.reads == "tokens" and self.reads(task) == name
        ]

    @property
    def fuses_tokens(self) -> bool:
        """Whether the fusion wants the tokens of every input."""
        return self.fusion is not None and self._fusion.reads_tokens

    def autocast(self) -> torch.autocast:
        """Return the context in which encoders run: matrix products in the chosen precision."""
        enabled = self.precision is not None
        return torch.autocast(self.device.type, dtype=self.precision, enabled=enabled)

    @property
    def device(self) -> torch.device:
        """Where the weights lie."""
        return next(self.parameters()).device

    def features(self, batch: Batch) -> dict[str, Features]:
        """Return what each input's encoder says of the records that have it."""
        return {name: self._encoded(name, given, batch) for name, given in batch.inputs.items()}

    def _encoded(self, name: str, given: Given, batch: Batch) -> Features:
        if given.features is not None:
            return given.features
        module, tokens = (
            self.encoding(name),
            bool(batch.places.keys() & set(self.reads_tokens(name))),
        )
        with self.autocast():
            states = module.stem(given.sequences) if given.states is None else given.states
            found = module.finish(states, given.sequences, tokens=tokens)
        whole = None if found.tokens is None else found.tokens.float()
        return Features(found.pooled.float(), whole, found.mask)

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        """Return the scores of each task for the records it is asked of, in the order of `places`.

        Every record is encoded once, whatever the number of tasks.
        """
        return self.scores(self.read(self.features(batch), batch))

    def read(self, features: Mapping[str, Features], batch: Batch) -> dict[str, Tensor]:
        """Return what the head of each task reads: vectors [n, D], or those of tokens [n, T, D].

        The rows are the records that the task is asked of, in the order of `places`.
        """
        joint = self._joined(features, batch) if self.fusion is not None else None
        return {
            name: self._read(name, places, features, joint, batch)
            for name, places in batch.places.items()
            if len(places)
        }

    def scores(self, read: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return the scores of each task from what its head reads."""
        return {name: self.heads[name](self.dropout(found)) for name, found in read.items()}

    def _joined(self, features: Mapping[str, Features], batch: Batch) -> Tensor:
        parts = {n: (batch.inputs[n].present, found.pooled) for n, found in features.items()}
        return self.fusion(parts, batch.num_records)  # type: ignore[misc]

    def _read(
        self,
        name: str,
        places: Tensor,
        features: Mapping[str, Features],
        joint: Tensor | None,
        batch: Batch,
    ) -> Tensor:
        source = self.reads(self.tasks[name])
        if source is None:
            return joint[places]  # type: ignore[index]
        found = features[source]
        rows = _position(batch.inputs[source].present, places)
        read = found.tokens if self.tasks[name].reads == "tokens" else found.pooled
        return read[rows]  # type: ignore[index]

    def losses(self, batch: Batch) -> dict[str, Tensor]:
        """Return the loss of each task for each record of the batch that it has to learn from."""
        return self.losses_from(self.read(self.features(batch), batch), batch)

    def losses_from(self, read: Mapping[str, Tensor], batch: Batch) -> dict[str, Tensor]:
        """Return the losses from what the heads read."""
        found = self.scores(read)
        return {name: self._loss(name, scores, batch) for name, scores in found.items()}

    def _loss(self, name: str, scores: Tensor, batch: Batch) -> Tensor:
        taught = name in batch.teachers
        targets = batch.teachers[name] if taught else batch.targets[name]
        if self.tasks[name].reads == "tokens":
            scores = scores[:, : targets.shape[1]]
            targets = targets[:, : scores.shape[1]]
        if taught:
            return self.tasks[name].divergence(scores, targets.detach())
        loss = self.tasks[name].loss(scores, targets)
        return loss + batch.r_drop * self._apart(name, scores, targets) if batch.r_drop else loss

    def _apart(self, name: str, scores: Tensor, targets: Tensor) -> Tensor:
        """Return what the two passes over each record disagree, once for each of the two: [2n].

        R-Drop (Liang et al. 2021): the mean over the rows of loss + α · disagreement is that over
        records of ½ (loss1 + loss2) + α · ½ (KL(p1 ‖ p2) + KL(p2 ‖ p1)). It is equation 4 times
        one half, with its α times two; the authors' own code has it so too.
        """
        apart = self.tasks[name].disagreement(scores[0::2], scores[1::2], targets[0::2])
        return apart.repeat_interleave(2)

    def trained(self) -> dict[str, Tensor]:
        """Return the weights that learn, by name: what a snapshot has to hold."""
        return {name: weight for name, weight in self.named_parameters() if weight.requires_grad}


def owners(inputs: Mapping[str, Encoder]) -> dict[str, str]:
    """Return for each input the first one with the same settings: they share a module."""
    seen: dict[str, str] = {}
    return {
        name: seen.setdefault(repr(dump(replace(encoder, fields=None))), name)
        for name, encoder in inputs.items()
    }


def _position(present: Tensor, places: Tensor) -> Tensor:
    """Return where in `present` each of `places` stands; both are sorted."""
    if len(present) and int(present[-1]) == len(present) - 1:
        return places  # every record of the batch has the input
    return torch.searchsorted(present, places)
