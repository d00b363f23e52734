"""The task protocol."""

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

import numpy as np
import pyarrow as pa

from allrounder.kinds import Kind
from allrounder.lazy import lazy
from allrounder.tasks import columns
from allrounder.types import Likely, Speaks, Variable

if TYPE_CHECKING:
    from torch import Tensor, nn

    from allrounder.tasks import heads
else:
    heads = lazy("allrounder.tasks.heads")


Reads = Literal["record", "tokens", "inputs", "states"]


@dataclass(frozen=True)
class Metric:
    """One number that says how good answers are.

    `score(truths, answers)` takes two arrays of equal length, as `Task.array` makes them.
    """

    score: Callable[[np.ndarray, np.ndarray], float]
    higher_is_better: bool = True

    def better(self, new: float, old: float) -> bool:
        """Return whether `new` is a better value than `old`."""
        return new > old if self.higher_is_better else new < old


@dataclass(kw_only=True)
class Task(Kind, ABC):
    """One question asked of every record.

    A task is its labels, its head, its loss and its reading of the scores. It holds no tensors:
    those belong to the head it builds. Everything down to `metrics` works without torch.

    Args:
        of: the input that the task reads; by default the project's only input, or all of them.
        weight: the factor before this task's loss.
        abstain: answers whose probability is lower are withheld.
        metric: the metric that decides which snapshot is best; by default the kind's first.
    """

    reads: ClassVar[Reads] = "record"
    """Whether the head reads one vector a record, one a token, one of each input, or all states.

    A task that reads inputs is answered for all records of a call together. One that reads states
    writes from them.
    """

    speaks: ClassVar[Speaks | None] = None
    """How the task answers, where rules can read its answers and change them."""

    of: str | None = None
    weight: float = 1.0
    abstain: float | None = None
    metric: str | None = None

    def over(self, inputs: Sequence[str]) -> Self:
        """Return the task with what the names of the project's inputs tell."""
        return self

    def reading(self, inputs: Iterable[str]) -> list[str]:
        """Return which of the project's inputs the task reads."""
        return [self.of] if self.of else list(inputs)

    @property
    def makes_labels(self) -> bool:
        """Whether labels are made from the inputs that it reads, instead of read from a file.

        `read` then gets a hash of every input's value, 0 where it is missing.
        """
        return False

    @property
    @abstractmethod
    def type(self) -> pa.DataType:
        """The Arrow type of a label on disk."""

    @abstractmethod
    def read(self, values: pa.Array, texts: pa.Array | None) -> pa.Array:
        """Turn raw values into labels of `type`; raise `BadValue` at the first bad one."""

    def learn(self, labels: pa.ChunkedArray, every: pa.ChunkedArray) -> Self:
        """Return the task with what only the records can tell.

        Args:
            labels: the training labels: what is learned about how labels lie comes from these.
            every: the labels of all records: the set of labels, so that a label that only a test
                record carries is known, though never learned.
        """
        return self

    def continued(self, old: Self, *, every: bool) -> Self:
        """Return the task, learned, with what an older run knew of it.

        Its labels are the old ones in their order, then those it has gained.

        Args:
            old: the task as the older run learned it.
            every: keep all old labels; otherwise only those that the project file declares.
        """
        if not getattr(self, "labels", None):
            return self
        labels = columns.joined(old.labels, self.labels, every=every)  # type: ignore[attr-defined]
        return replaced(self, labels=self.current(labels))

    def current(self, labels: Sequence[str]) -> list[str]:
        """Return the labels without those that have another name now."""
        return [name for name in labels if name not in (getattr(self, "renamed", None) or {})]

    def called_now(self, old: Self) -> Self:
        """Return an older task with the names that its labels have now.

        What was merged into a label of its own keeps its name, which nothing has any more.
        """
        names: dict[str, str] = getattr(self, "renamed", None) or {}
        known: list[str] = getattr(old, "labels", None) or []
        taken = set(known)
        if not taken & set(names):
            return old
        labels = []
        for name in known:
            new = names.get(name, name)
            free = name == new or new not in taken
            labels.append(new if free else name)
            taken.add(new)
        return replaced(old, labels=labels, renamed=None)

    def outputs(self) -> list[str]:
        """Return a name for each score of the head, so that an older head can be gone on with."""
        return list(getattr(self, "labels", None) or ["value"])

    def continued_head(self, old: Self, weights: "Mapping[str, Tensor]") -> "dict[str, Tensor]":
        """Return the weights of a head that goes on from an older one.

        Scores that the old head gave are given still; those of new outputs start without an
        opinion and no higher than the lowest the old head starts from.
        """
        return heads.grown(weights, old.outputs(), self.outputs())

    @abstractmethod
    def metrics(self) -> dict[str, Metric]:
        """Return the metrics of this kind, the deciding one first."""

    @abstractmethod
    def array(self, labels: Sequence[Any]) -> np.ndarray:
        """Return labels, none missing, in the form that metrics read: one row a record."""

    @abstractmethod
    def baseline(self, truths: np.ndarray) -> Any:
        """Return the one label that is always right most often: what a constant would answer."""

    def constant(self, label: Any, decoded: Sequence[Any]) -> list[Any]:
        """Return what a constant answers to some records.

        Args:
            label: what `baseline` gave.
            decoded: what the model says of them.
        """
        return [label] * len(decoded)

    @abstractmethod
    def head(self, width: int) -> "nn.Module":
        """Build the module from features to scores.

        Features are [n, D] for a task that reads records, [n, T, D] for one that reads tokens. A
        task that reads inputs is given the width of each by name, and reads their vectors end to
        end, zeros where one is missing: [n, ΣD]. One that reads states is given a `Voice`.
        """

    def begin(self, head: "nn.Module", targets: "Tensor") -> None:
        """Set a fresh head to what the training targets alone tell, such as base rates."""

    def groups(self, targets: "Tensor") -> "Tensor | None":
        """Return which groups of alike records each one belongs to: ones and zeros, [n, G].

        A contrastive head start pulls records together that share a group. None where labels
        make no groups.
        """
        return None

    @abstractmethod
    def encode(self, labels: Sequence[Any]) -> "Tensor":
        """Turn labels, none missing, into targets: one row a record."""

    @abstractmethod
    def loss(self, scores: "Tensor", targets: "Tensor") -> "Tensor":
        """Return one loss per record: [n]."""

    @abstractmethod
    def divergence(self, scores: "Tensor", teacher: "Tensor") -> "Tensor":
        """Return how far the scores of each record are from a teacher's: [n], 0 where equal.

        What the teacher did not score is NaN. It has a gradient with respect to both; whoever
        wants the teacher left alone gives it detached.
        """

    def disagreement(self, one: "Tensor", other: "Tensor", targets: "Tensor") -> "Tensor":
        """Return how far two passes over the same records are apart: [n], 0 where equal.

        ½ (KL(p1 ‖ p2) + KL(p2 ‖ p1)), the bidirectional divergence of R-Drop (Liang et al. 2021,
        equation 3), with a gradient through all four places. For kinds whose divergence is a
        squared distance it is that distance.

        Args:
            one: the scores of the first pass, as `loss` takes them.
            other: those of the second.
            targets: of the records; only what trains is compared.
        """
        return (self.divergence(one, other) + self.divergence(other, one)) / 2

    @abstractmethod
    def decode(self, scores: "Tensor") -> list[Any]:
        """Turn scores into labels."""

    def decode_fully(self, scores: "Tensor") -> list[Any]:
        """Turn scores into labels for a report, where `decode` leaves out what takes long."""
        return self.decode(scores)

    @abstractmethod
    def answers(
        self,
        scores: "Tensor",
        calibration: dict[str, float],
        labels: Sequence[Any] | None = None,
    ) -> list[dict[str, Any]]:
        """Turn scores into plain answers with calibrated probabilities, ready for JSON.

        Args:
            scores: of the head.
            calibration: what `calibrate` found.
            labels: what to answer, in the form of `decode`; by default what that gives.
        """

    def options(
        self, scores: "Tensor", calibration: dict[str, float], mentioned: Mapping[Any, int]
    ) -> list[list[Variable]]:
        """Return for each record what it may be answered, and what each option costs.

        Only for kinds that say how they speak.

        Args:
            scores: of the head.
            calibration: what `calibrate` found; costs are calibrated.
            mentioned: what rules tell apart: labels, kinds of spans and up to which number they
                are counted, or numbers that answers are compared with.
        """
        raise AssertionError(f"{type(self).__name__} has no options that rules could read")

    def likely(self, scores: Any, mentioned: Mapping[Any, int]) -> list[Likely]:
        """Return what records may be answered and how likely that is, uncalibrated, in training.

        A kind that gives none takes no part in the rules loss.

        Args:
            scores: of the head, as `options` reads them.
            mentioned: as in `options`.
        """
        return []

    def taken(self, own: Any, variables: Sequence[Variable], picks: Sequence[int]) -> Any:
        """Return the label that some options make, in the form of `decode`.

        Args:
            own: what `decode` gives.
            variables: what `options` gave.
            picks: the place of the option taken in each.
        """
        return variables[0].values[picks[0]]

    def flat(self, scores: Any, targets: "Tensor") -> "tuple[Tensor, Tensor]":
        """Return scores and targets as `calibrate` reads them: one row a decision."""
        return scores, targets

    def calibrate(self, scores: "Tensor", targets: "Tensor") -> dict[str, float]:
        """Fit on validation records what makes `answers` honest, such as a temperature."""
        return {}

    @property
    def decides(self) -> str:
        """The name of the metric that decides which snapshot is best."""
        return self.metric or next(iter(self.metrics()))

    def withheld(self, answer: dict[str, Any], empty: dict[str, Any]) -> dict[str, Any]:
        """Return `answer`, or `empty` and a mark where it is less sure than `abstain` asks."""
        if self.abstain is None or answer["probability"] >= self.abstain:
            return answer
        return {**answer, **empty, "abstained": True}


def replaced(task: Task, **changes: Any) -> Any:
    """Return a copy of `task` with some fields changed."""
    return dataclasses.replace(task, **changes)
