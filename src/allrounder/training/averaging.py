"""Weights averaged over the steps of training, and worn where the model is judged or kept."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor

from allrounder.model import Model
from allrounder.training.job import fill


class Average:
    """The exponential moving average of the weights that learn.

    θ̄ ← d · θ̄ + (1 - d) · θ after every step, from the weights before the first one (averaging:
    Polyak and Juditsky 1992; decayed: Tarvainen and Valpola 2017, section 2). After t earlier
    steps d = min(decay, (1 + t) / (10 + t)), the warm-up of TensorFlow's
    `ExponentialMovingAverage`, so that the start is soon forgotten.

    Args:
        model: the model; it goes on training with the weights as they are.
        names: the weights that are averaged.
        decay: 0 averages nothing.
    """

    def __init__(self, model: Model, names: Sequence[str], decay: float) -> None:
        self.model, self.names, self.decay = model, names, decay
        self.weights: dict[str, Tensor] = {}
        """Empty until the first step: a head start moves the weights before it."""

    def begins(self) -> None:
        """Start from the weights as they are, unless it has started; call it before a step."""
        if self.decay and not self.weights:
            named = dict(self.model.named_parameters())
            self.weights = {name: named[name].detach().clone() for name in self.names}

    def stepped(self, earlier: int) -> None:
        """Take in the weights after a step that `earlier` others came before."""
        if not self.decay:
            return
        share = 1 - min(self.decay, (1 + earlier) / (10 + earlier))
        named = dict(self.model.named_parameters())
        with torch.no_grad():
            for name, average in self.weights.items():
                average.lerp_(named[name], share)

    @contextmanager
    def worn(self) -> Iterator[None]:
        """Let the model have the averaged weights for a while."""
        named = dict(self.model.named_parameters())
        now = {name: named[name].detach().clone() for name in self.weights}
        fill(self.model, self.weights)
        try:
            yield
        finally:
            fill(self.model, now)
