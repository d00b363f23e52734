"""Learning-rate schedules: the share of the full rate at each moment of training."""

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass

from allrounder.kinds import Kind, Kinds


@dataclass(kw_only=True)
class Schedule(Kind, ABC):
    """How the learning rate moves.

    Args:
        warmup: the share of training over which the rate rises from 0.
    """

    warmup: float = 0.1

    def factor(self, done: float) -> float:
        """Return the share of the full rate when a share `done` of training is over."""
        if done < self.warmup:
            return done / self.warmup
        return self.after((done - self.warmup) / max(1e-12, 1 - self.warmup))

    @abstractmethod
    def after(self, done: float) -> float:
        """Return the share of the full rate after warm-up; `done` runs from 0 to 1."""


@dataclass(kw_only=True)
class Linear(Schedule):
    """Down to 0 in a straight line."""

    def after(self, done: float) -> float:
        """Return 1 at the start and 0 at the end."""
        return max(0.0, 1 - done)


@dataclass(kw_only=True)
class Cosine(Schedule):
    """Down to 0 along half a cosine (Loshchilov and Hutter 2017)."""

    def after(self, done: float) -> float:
        """Return 1 at the start, one half in the middle and 0 at the end."""
        return (1 + math.cos(math.pi * min(1.0, done))) / 2


@dataclass(kw_only=True)
class Constant(Schedule):
    """The full rate to the end."""

    def after(self, done: float) -> float:
        """Return 1."""
        return 1.0


SCHEDULES = Kinds[Schedule]("schedules", linear=Linear, cosine=Cosine, constant=Constant)
