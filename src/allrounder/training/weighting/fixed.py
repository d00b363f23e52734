"""Sums whose weights never change."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from allrounder.lazy import lazy
from allrounder.training.weighting.base import Scalarization, State, Weighting

if TYPE_CHECKING:
    from torch import Tensor

    from allrounder.model import Model
    from allrounder.training.weighting import descents
else:
    descents = lazy("allrounder.training.weighting.descents")


@dataclass(kw_only=True)
class Sum(Weighting):
    """Every label weighs alike: Σ over tasks and labels of weight · loss, a record."""

    def descent(self, model: "Model") -> "descents.Descent":
        """Return the descent of the plain sum."""
        return descents.Summed(model)


@dataclass(kw_only=True)
class Mean(Scalarization):
    """Every task weighs alike in every batch: the mean of its losses (equal weighting)."""

    def combine(self, losses: "Tensor", present: "Tensor", state: State) -> "Tensor":
        """Return Σ L_t / K over the tasks of the batch."""
        return (losses * present).sum() / len(losses)
