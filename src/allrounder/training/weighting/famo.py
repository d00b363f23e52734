"""Every task's loss falls at the same rate."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from allrounder.lazy import lazy
from allrounder.training.weighting.base import TINY, Scalarization, State, logs

if TYPE_CHECKING:
    import torch
    from torch import Tensor
else:
    torch = lazy("torch")

BETAS, EPS = (0.9, 0.999), 1e-8


@dataclass(kw_only=True)
class FAMO(Scalarization):
    """Fast adaptive multitask optimization (Liu et al. 2023): c · Σ w_t · log L_t.

    w = softmax(z), and c = 1 / Σ (w_t / L_t) is held constant. After the step, z follows by Adam
    the gradient of w · (log L before - log L after) of the same batch: a task that fell fast
    loses weight. The price is one more forward pass a step. Of a step of several batches
    (`accumulate`) the last one is compared.

    Args:
        lr: the rate at which z learns.
        decay: pulls z back to 0.
    """

    compares: ClassVar[bool] = True

    lr: float = 0.025
    decay: float = 0.001

    def __post_init__(self) -> None:
        for name in ("lr", "decay"):
            if not getattr(self, name) >= 0:
                raise ValueError(f"has `{name}: {getattr(self, name)}`. Expected 0 or more.")

    def begin(self, num_tasks: int) -> State:
        """Return logits of 0 and the empty moments of Adam."""
        zeros = torch.zeros(num_tasks)
        return {"logits": zeros, "means": zeros, "squares": zeros, "steps": torch.zeros(())}

    def combine(self, losses: "Tensor", present: "Tensor", state: State) -> "Tensor":
        """Return the weighted sum of logarithms."""
        weights = torch.softmax(state["logits"], 0)
        scale = 1 / (weights / (losses.detach() + TINY)).sum()
        return (scale * weights * logs(losses, "famo") * present).sum()

    def stepped(self, before: "Tensor", after: "Tensor", state: State) -> None:
        """Take one step of Adam (Kingma and Ba 2015) on the logits."""
        weights = torch.softmax(state["logits"], 0)
        fell = logs(before, "famo") - logs(after, "famo")
        gradient = weights * (fell - (weights * fell).sum()) + self.decay * state["logits"]
        state["steps"] = state["steps"] + 1
        for name, beta, new in zip(
            ("means", "squares"), BETAS, (gradient, gradient**2), strict=True
        ):
            state[name] = beta * state[name] + (1 - beta) * new
        mean = state["means"] / (1 - BETAS[0] ** state["steps"])
        square = state["squares"] / (1 - BETAS[1] ** state["steps"])
        state["logits"] = state["logits"] - self.lr * mean / (square.sqrt() + EPS)
