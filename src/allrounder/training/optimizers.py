"""Optimizers, as torch has them."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from allrounder.kinds import Kind, Kinds
from allrounder.lazy import lazy

if TYPE_CHECKING:
    import torch
else:
    torch = lazy("torch")


@dataclass(kw_only=True)
class Optimizer(Kind, ABC):
    """An optimizer of torch.

    Args:
        weight_decay: of matrices; biases and norms are left alone.
    """

    weight_decay: float = 0.01

    @abstractmethod
    def build(self, groups: list[dict[str, Any]]) -> "torch.optim.Optimizer":
        """Build the optimizer over groups that carry their own `lr` and `weight_decay`."""


@dataclass(kw_only=True)
class AdamW(Optimizer):
    """Adam with decoupled weight decay (Loshchilov and Hutter 2019).

    Args:
        betas: decay of the means of gradients and of their squares.
        eps: added to the root of the mean square.
    """

    betas: tuple[float, float] = (0.9, 0.999)
    eps: float = 1e-8

    def build(self, groups: list[dict[str, Any]]) -> "torch.optim.Optimizer":
        """Build it in its fused form, which reads each weight once."""
        return torch.optim.AdamW(groups, betas=self.betas, eps=self.eps, fused=True)


@dataclass(kw_only=True)
class SGD(Optimizer):
    """Stochastic gradient descent.

    Args:
        momentum: decay of the running gradient.
    """

    momentum: float = 0.9

    def build(self, groups: list[dict[str, Any]]) -> "torch.optim.Optimizer":
        """Build it in its fused form."""
        return torch.optim.SGD(groups, momentum=self.momentum, fused=True)


OPTIMIZERS = Kinds[Optimizer]("optimizers", adamw=AdamW, sgd=SGD)
