"""The model: encoders, then fusion, then one head per task, in one pass.

Shapes: n records of a batch, T tokens, D width.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor, nn

from allrounder.encoders import Encoder
from allrounder.encoders.modules import Encoding, Features
from allrounder.fusion import Concat, Fusion
from allrounder.fusion.bottleneck import Opening
from allrounder.fusion.joining import Joined, Part
from allrounder.injection.modules import Told
from allrounder.kinds import dump
from allrounder.model.knowing import Knowing
from allrounder.model.mixing import Mixed
from allrounder.model.voice import Voice, spread
from allrounder.tasks import Task


@dataclass(frozen=True)
class Given:
    """One input of a batch: the records that have it, and its sequences, states or features.

    `present` holds places in the batch. `states` are those of the encoder's frozen part, and
    `features` all that a frozen encoder says, where they were computed before. `told` is, by
    injection, what is known of the records.
    """

    present: Tensor
    sequences: Any = None
    states: Tensor | None = None
    features: Features | None = None
    told: Mapping[str, Told] = field(default_factory=dict)


@dataclass(frozen=True)
class Guess:
    """Soft labels of records that have no other.

    `there` says which of a task's records these are, in order; `scores` are a teacher's, NaN where
    a label is open; `weight` is what such a record counts.
    """

    there: Tensor
    scores: Tensor
    weight: float


@dataclass(frozen=True)
class Batch:
    """Some records as the model reads them.

    `places` says for each task which records of the batch it is asked of; `targets` their labels
    where those are known, `teachers` the scores of an older model where those take their place, and
    `guesses` soft labels of those of its records that have no target. `r_drop` above 0 says that
    every record stands there twice, side by side, and how much it costs a task to answer the two
    differently. `mixed` says of tasks whose records all have a target how these are mixed.
    """

    num_records: int
    inputs: dict[str, Given]
    places: dict[str, Tensor]
    targets: dict[str, Tensor] = field(default_factory=dict)
    teachers: dict[str, Tensor] = field(default_factory=dict)
    guesses: dict[str, Guess] = field(default_factory=dict)
    r_drop: float = 0.0
    mixed: Mapping[str, Mixed] = field(default_factory=dict)


class Model(nn.Module):
    """Encoders, fusion, and one head per task.

    Args:
        inputs: the encoders by input; inputs with equal settings share one module.
        tasks: the tasks, with everything learned from labels filled in.
        fusion: how tasks that read every input join them.
        dropout: applied to features on their way into the heads.
        precision: the type of matrix products inside encoders; None leaves them in fp32.
        knowing: what the model knows beside its weights.
        writes: inputs whose model is loaded with all that it writes by, whoever reads them; by
            default those that some task goes on from.
    """

    def __init__(
        self,
        inputs: Mapping[str, Encoder],
        tasks: Mapping[str, Task],
        *,
        fusion: Fusion | None = None,
        dropout: float = 0.1,
        precision: torch.dtype | None = None,
        knowing: Knowing | None = None,
        writes: Collection[str] = (),
    ) -> None:
        super().__init__()
        self.writes = writes
        self.inputs, self.tasks, self.knowing = dict(inputs), dict(tasks), knowing
        self.owners = owners(self.inputs)
        self.encoders = nn.ModuleDict(
            {name: self._module(name) for name in dict.fromkeys(self.owners.values())}
        )
        widths = {name: self.encoding(name).width for name in self.inputs}
        fusion = fusion or Concat()
        joint = fusion.joint_width(widths)
        self.opens = self._opens(fusion)
        """The inputs whose tokens some task reads after they have heard of the others."""
        self.fused = [name for name, task in self.tasks.items() if self._is_fused(task)]
        """The tasks whose answers come from several inputs."""
        self.fusion = fusion.module(widths) if self.fused else None
        self.joins_tokens = self.fusion is not None and fusion.reads_tokens
        self.openings = nn.ModuleDict({n: Opening(joint, widths[n]) for n in self.opens})
        self.heads = nn.ModuleDict(
            {name: task.head(self._width(task, widths, joint)) for name, task in self.tasks.items()}
        )
        self.injections = nn.ModuleDict(
            {
                name: found.module(widths[found.of or ""])
                for name, found in (knowing.gated if knowing else {}).items()
            }
        )  # last, so that all else is drawn as without
        self.tellers = nn.ModuleDict()
        """By input, what tells its words in training; no task asks for it."""
        self.dropout = nn.Dropout(dropout)
        self.precision = precision

    def _module(self, name: str) -> Encoding:
        """Build what reads an input; where a task goes on with what was read, it writes too."""
        sharing = [other for other, owner in self.owners.items() if owner == name]
        going = [task for other in sharing for task in going_on(self.tasks, self.inputs, other)]
        if going or any(other in self.writes for other in sharing):
            return self.inputs[name].writing(going[0] if going else "")
        return self.inputs[name].module()

    def _width(self, task: Task, widths: Mapping[str, int], joint: int) -> Any:
        """Return the width of what the head of a task reads; by input where it reads inputs."""
        if task.reads == "states":
            return self.voice(task)
        if task.reads == "inputs":
            return {name: widths[name] for name in task.reading(self.inputs)}
        return widths.get(self.reads(task) or "", joint)

    def voice(self, task: Task) -> Voice:
        """Return what a task that writes goes on with."""
        names = task.reading(self.inputs)
        widths = {name: self.encoding(name).width for name in names}
        if not _goes_on(task):
            return Voice(widths)
        return Voice(widths, self.encoding(names[0]), self.inputs[names[0]])

    def encoding(self, name: str) -> Encoding:
        """Return the module that reads the input `name`."""
        return self.encoders[self.owners[name]]  # type: ignore[return-value]

    def reads(self, task: Task) -> str | None:
        """Return the one input that a task reads, or None where it reads several."""
        names = task.reading(self.inputs)
        return names[0] if len(names) == 1 else None

    def _opens(self, fusion: Fusion) -> list[str]:
        if not fusion.reads_tokens or len(self.inputs) == 1:
            return []
        read = [self.reads(task) for task in self.tasks.values() if task.reads == "tokens"]
        return [name for name in self.inputs if name in read]

    def _is_fused(self, task: Task) -> bool:
        source = self.reads(task)
        if task.reads in ("inputs", "states"):
            return False
        return source is None or (task.reads == "tokens" and source in self.opens)

    def reads_tokens(self, name: str) -> list[str]:
        """Return the tasks that read the tokens of the input `name`, alone or joined to others."""
        joined = self.fused if self.joins_tokens else []
        return [
            task_name
            for task_name, task in self.tasks.items()
            if (task.reads == "tokens" and self.reads(task) == name)
            or (task.reads == "states" and not _goes_on(task) and name in task.reading(self.inputs))
            or task_name in joined
        ]

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
        found = {name: self._encoded(name, given, batch) for name, given in batch.inputs.items()}
        for name, given in batch.inputs.items():
            for each, told in given.told.items():
                found[name] = self.injections[each](found[name], told)
        return found

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
        return Features(found.pooled.float(), whole, found.mask, found.memory)

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        """Return the scores of each task for the records it is asked of, in the order of `places`.

        Every record is encoded once, whatever the number of tasks.
        """
        return self.scores(self.read(self.features(batch), batch))

    def read(self, features: Mapping[str, Features], batch: Batch) -> dict[str, Tensor]:
        """Return what the head of each task reads: vectors [n, D], or those of tokens [n, T, D].

        The rows are the records that the task is asked of, in the order of `places`.
        """
        joined = self._joined(features, batch) if batch.places.keys() & set(self.fused) else None
        states = {name: found.tokens for name, found in features.items()}
        if joined is not None:
            opened = [name for name in self.opens if name in joined.tokens]
            states |= {n: self._opened(n, features[n], joined, batch) for n in opened}
        return {
            name: self._read(name, places, features, states, joined, batch)
            for name, places in batch.places.items()
            if len(places)
        }

    def scores(self, read: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return the scores of each task from what its head reads."""
        return {
            name: self.heads[name](self.dropout(found) if isinstance(found, Tensor) else found)
            for name, found in read.items()
        }

    def _joined(self, features: Mapping[str, Features], batch: Batch) -> Joined:
        parts = {
            name: Part(batch.inputs[name].present, found.pooled, found.tokens, found.mask)
            if self.joins_tokens
            else Part(batch.inputs[name].present, found.pooled)
            for name, found in features.items()
        }
        return self.fusion(parts, batch.num_records)  # type: ignore[misc]

    def _opened(self, name: str, found: Features, joined: Joined, batch: Batch) -> Tensor:
        """Return the states of an input's tokens with what they heard of other inputs."""
        present, heard = joined.tokens[name]
        rows = _position(batch.inputs[name].present, present)
        return self.openings[name](found.tokens, rows, heard)

    def _read(
        self,
        name: str,
        places: Tensor,
        features: Mapping[str, Features],
        states: Mapping[str, Tensor | None],
        joined: Joined | None,
        batch: Batch,
    ) -> Any:
        if self.tasks[name].reads == "inputs":
            return self._side_by_side(name, features, batch)[places]
        if self.tasks[name].reads == "states":
            return self._remembered(self.tasks[name], places, features, batch)
        source = self.reads(self.tasks[name])
        if source is None:
            return joined.vector[places]  # type: ignore[union-attr]
        rows = _position(batch.inputs[source].present, places)
        tokens = self.tasks[name].reads == "tokens"
        return (states[source] if tokens else features[source].pooled)[rows]  # type: ignore[index]

    def _side_by_side(self, name: str, features: Mapping[str, Features], batch: Batch) -> Tensor:
        """Return the vectors of the inputs of a task end to end, zeros where missing: [n, ΣD]."""
        parts = []
        for source in self.tasks[name].reading(self.inputs):
            part = torch.zeros(batch.num_records, self.encoding(source).width, device=self.device)
            if source in features:
                present = batch.inputs[source].present
                part = part.index_copy(0, present, features[source].pooled)
            parts.append(part)
        return torch.cat(parts, -1)

    def _remembered(
        self, task: Task, places: Tensor, features: Mapping[str, Features], batch: Batch
    ) -> Any:
        """Return what a task that writes goes on from; by input where it reads the states."""
        names = task.reading(self.inputs)
        if _goes_on(task):
            rows = _position(batch.inputs[names[0]].present, places)
            return features[names[0]].memory.at(rows)  # type: ignore[union-attr]
        found = {name: features[name] for name in names if name in features}
        return {
            name: spread(each, batch.inputs[name].present, batch.num_records, self.precision)
            .at(places)
            for name, each in found.items()
        }  # fmt: skip

    def losses(self, batch: Batch) -> dict[str, Tensor]:
        """Return the loss of each task for each record of the batch that it has to learn from."""
        return self.losses_from(self.read(self.features(batch), batch), batch)

    def losses_from(self, read: Mapping[str, Tensor], batch: Batch) -> dict[str, Tensor]:
        """Return the losses from what the heads read."""
        mixed = {name: one.features(read[name]) for name, one in batch.mixed.items()}
        found = self.scores({**read, **mixed})
        return {name: self._loss(name, scores, batch) for name, scores in found.items()}

    def _loss(self, name: str, scores: Tensor, batch: Batch) -> Tensor:
        taught = name in batch.teachers
        targets = batch.teachers[name] if taught else batch.targets[name]
        if self.tasks[name].reads == "tokens":
            scores = scores[:, : targets.shape[1]]
            targets = targets[:, : scores.shape[1]]
        if taught:
            return self.tasks[name].divergence(scores, targets.detach())
        if name in batch.mixed:
            return batch.mixed[name].loss(self.tasks[name].loss, scores, targets)
        loss = self._partly(name, scores, targets, batch.guesses.get(name))
        if not batch.r_drop or self.tasks[name].reads == "states":
            return loss
        return loss + batch.r_drop * self._apart(name, scores, targets)

    def _partly(self, name: str, scores: Tensor, targets: Tensor, guess: Guess | None) -> Tensor:
        """Return the loss of records with a target, and of others how far they are from a guess."""
        task = self.tasks[name]
        if guess is None:
            return task.loss(scores, targets)
        known, there = task.loss(scores[~guess.there], targets), guess.there
        guessed = guess.weight * task.divergence(scores[there], guess.scores)
        found = scores.new_zeros(len(scores), dtype=known.dtype)
        return found.masked_scatter(~there, known).masked_scatter(there, guessed.to(known.dtype))

    def _apart(self, name: str, scores: Tensor, targets: Tensor) -> Tensor:
        """Return what the two passes over each record disagree, once for each of the two: [2n].

        R-Drop (Liang et al. 2021): the mean over the rows of loss + α · disagreement is that over
        records of ½ (loss1 + loss2) + α · ½ (KL(p1 ‖ p2) + KL(p2 ‖ p1)). It is equation 4 times
        one half, with its α times two; the authors' own code has it so too.
        """
        apart = self.tasks[name].disagreement(scores[0::2], scores[1::2], targets[0::2])
        return apart.repeat_interleave(2)

    @property
    def num_weights(self) -> int:
        """How many weights answering takes: what only tells words in training is no part of it."""
        named = self.named_parameters()
        return sum(w.numel() for name, w in named if not name.startswith("tellers."))

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


def going_on(tasks: Mapping[str, Task], inputs: Mapping[str, Any], name: str) -> list[str]:
    """Return the tasks that write by the model of an input."""
    return [n for n, task in tasks.items() if _goes_on(task) and name in task.reading(inputs)]


def _goes_on(task: Task) -> bool:
    """Return whether a task writes by the model of its input."""
    return task.reads == "states" and getattr(task, "light", None) is None


def _position(present: Tensor, places: Tensor) -> Tensor:
    """Return where in `present` each of `places` stands; both are sorted."""
    if len(present) and int(present[-1]) == len(present) - 1:
        return places  # every record of the batch has the input
    return torch.searchsorted(present, places)
