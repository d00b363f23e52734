"""The weighting protocols: over losses, and over the gradients of shared features.

Shapes: K tasks of positive weight, k of them in a batch.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING, ClassVar

from allrounder.errors import DataError, MissingExtra
from allrounder.kinds import Kind
from allrounder.lazy import lazy

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from allrounder.model import Model
    from allrounder.training.weighting import descents
else:
    torch = lazy("torch")
    descents = lazy("allrounder.training.weighting.descents")

State = dict[str, "Tensor"]
"""All that a weighting remembers; a checkpoint holds it."""

TINY = 1e-8
"""Added to losses before a logarithm or a quotient."""


@dataclass(kw_only=True)
class Weighting(Kind, ABC):
    """How the losses of the tasks make one step.

    Every kind but `sum` reads one number a task: the mean loss over the labels of it that the
    batch holds, times the task's `weight`. A task of weight 0 is left out.
    """

    def ready(self) -> None:
        """Raise `MissingExtra` where a library that the kind needs is not installed."""

    @abstractmethod
    def descent(self, model: "Model") -> "descents.Descent":
        """Return what turns the losses of a model into gradients, with a fresh state."""


@dataclass(kw_only=True)
class Scalarization(Weighting, ABC):
    """One number from the losses, whose gradient is followed."""

    learned: ClassVar[tuple[str, ...]] = ()
    """Which tensors of the state the optimizer trains, at the rate of heads, without decay."""
    compares: ClassVar[bool] = False
    """Whether `stepped` wants the losses of the same batch after the step."""

    def begin(self, num_tasks: int) -> State:
        """Return the first state."""
        return {}

    @abstractmethod
    def combine(self, losses: "Tensor", present: "Tensor", state: State) -> "Tensor":
        """Return the number to descend.

        Args:
            losses: one a task, [K]; where the batch has no label of a task, its last known one,
                a constant. A task that no batch had so far stands at the mean of the others.
            present: whether the batch has labels of the task, [K].
            state: may be written.
        """

    def stepped(self, before: "Tensor", after: "Tensor", state: State) -> None:
        """Learn from the losses [K] of one batch before and after a step."""

    def passed(self, state: State) -> None:
        """Take note of the end of an epoch."""

    def descent(self, model: "Model") -> "descents.Descent":
        """Return the descent of one number."""
        return descents.Scalarized(model, self)


@dataclass(kw_only=True)
class Aggregation(Weighting, ABC):
    """One gradient of the shared features from the tasks' gradients, Σ w_t · g_t.

    Heads follow their own loss alone (Sener and Koltun 2018, section 3.3); the encoder gets the
    weighted sum in a single backward pass. How tasks conflict is read from gradients of a few
    numbers: see `descents.Aggregated`.
    """

    needs: ClassVar[tuple[str, ...]] = ("torchjd",)
    extra: ClassVar[str] = "sharing"

    def ready(self) -> None:
        """Raise `MissingExtra` where the solver is not installed."""
        missing = [name for name in self.needs if find_spec(name) is None]
        if missing:
            raise MissingExtra(
                f"`weighting: {self.kind_name()}` needs {' and '.join(missing)}. "
                f"Try: pip install 'allrounder[{self.extra}]'"
            )

    @abstractmethod
    def weigh(self, gramian: "Tensor", tasks: tuple[int, ...], state: State) -> "Tensor":
        """Return the weight of each task of the batch, [k].

        Args:
            gramian: the products of the tasks' gradients, [k, k], on the CPU in double
                precision; its trace is k.
            tasks: their numbers, in increasing order.
            state: what the kind remembers; may be written.
        """

    def descent(self, model: "Model") -> "descents.Descent":
        """Return the descent of a weighted sum of gradients."""
        self.ready()
        return descents.Aggregated(model, self)


def logs(losses: "Tensor", kind: str) -> "Tensor":
    """Return the logarithms of losses, finite at 0: [K] → [K]."""
    if (losses < 0).any():
        raise DataError(
            f"`weighting: {kind}` takes logarithms, and a task's mean loss is "
            f"{losses.min().item():.4g}. Choose another weighting, such as sum or uncertainty."
        )
    return torch.log(losses + TINY)
