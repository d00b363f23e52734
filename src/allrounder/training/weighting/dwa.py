"""Tasks that learn slowly get more weight."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from allrounder.lazy import lazy
from allrounder.training.weighting.base import TINY, Scalarization, State

if TYPE_CHECKING:
    import torch
    from torch import Tensor
else:
    torch = lazy("torch")


@dataclass(kw_only=True)
class DWA(Scalarization):
    """Dynamic weight average (Liu, Johns and Davison 2019): Σ w_t · L_t.

    w = K · softmax(r / temperature), where r_t is the task's mean loss in the last epoch over
    that in the one before; in the first two epochs, and for a task that either lacks, r_t is 1.

    Args:
        temperature: the higher, the more alike the weights.
    """

    temperature: float = 2.0

    def __post_init__(self) -> None:
        if not self.temperature > 0:
            raise ValueError(f"has `temperature: {self.temperature}`. Expected more than 0.")

    def begin(self, num_tasks: int) -> State:
        """Return empty sums; means of epochs that were not are NaN."""
        empty, none = torch.zeros(num_tasks), torch.full((num_tasks,), torch.nan)
        return {"sums": empty, "counts": empty, "newer": none, "older": none}

    def combine(self, losses: "Tensor", present: "Tensor", state: State) -> "Tensor":
        """Return the weighted sum, and take note of the losses."""
        state["sums"] = state["sums"] + losses.detach() * present
        state["counts"] = state["counts"] + present
        return (self.weights(state) * losses).sum()

    def weights(self, state: State) -> "Tensor":
        """Return the weights of this epoch: [K]."""
        rates = (state["newer"] + TINY) / (state["older"] + TINY)
        rates = torch.nan_to_num(rates, nan=1.0)
        return len(rates) * torch.softmax(rates / self.temperature, 0)

    def passed(self, state: State) -> None:
        """Turn the sums of the epoch into means; a task that it lacked keeps its last one."""
        means = state["sums"] / state["counts"]
        state["older"] = state["newer"]
        state["newer"] = torch.where(state["counts"] > 0, means, state["newer"])
        state["sums"] = torch.zeros_like(means)
        state["counts"] = torch.zeros_like(means)
