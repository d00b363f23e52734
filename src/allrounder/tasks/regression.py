"""One number."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from math import inf
from statistics import NormalDist
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from allrounder.lazy import lazy
from allrounder.tasks import scoring
from allrounder.tasks.base import Metric, Task
from allrounder.tasks.columns import numbers
from allrounder.types import Speaks, Variable

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn
    from torch.nn import functional as F
else:
    torch, nn, F = lazy("torch"), lazy("torch.nn"), lazy("torch.nn.functional")

LEAST = 1e-6
"""How far an answer lies from a number that it may not be: answers have six decimals."""


@dataclass(kw_only=True)
class Regression(Task):
    """One number per record.

    Args:
        range: the least and the greatest label; labels outside are refused, answers are kept in.
        error: `squared`, or `huber`, which far-off labels pull less.
        confidence: the share of records whose label lies in the interval of the answer.
        center: what is subtracted from labels before training; by default their mean.
        scale: what they are divided by; by default their standard deviation.
    """

    speaks: ClassVar[Speaks | None] = "number"

    range: tuple[float, float] | None = None
    error: Literal["squared", "huber"] = "squared"
    confidence: float = 0.9
    center: float | None = None
    scale: float | None = None

    def __post_init__(self) -> None:
        if self.abstain is not None:
            raise ValueError("cannot abstain: a number has an interval, but no probability.")
        if self.range is not None and not self.range[0] < self.range[1]:
            raise ValueError(f"needs a range from low to high. Got {list(self.range)!r}.")

    @property
    def type(self) -> pa.DataType:
        """A label is a float."""
        return pa.float64()

    def read(self, values: pa.Array, texts: pa.Array | None) -> pa.Array:
        """Return the labels as finite floats inside the range."""
        low, high = self.range or (None, None)
        return numbers(values, low=low, high=high)

    def learn(self, labels: pa.ChunkedArray, every: pa.ChunkedArray) -> Self:
        """Fill center and scale from training labels."""
        center = pc.mean(labels).as_py() if self.center is None else self.center
        scale = pc.stddev(labels).as_py() if self.scale is None else self.scale
        return replace(self, center=round(center, 6), scale=round(scale, 6) or 1.0)

    def continued(self, old: Self, *, every: bool) -> Self:
        """Return the task with the center and scale in which the old head answers."""
        return replace(self, center=old.center, scale=old.scale)

    def metrics(self) -> dict[str, Metric]:
        """R² decides; the mean absolute error is in the units of the label."""
        return {
            "r2": Metric(scoring.r2),
            "mean_absolute_error": Metric(scoring.mean_absolute_error, higher_is_better=False),
            "spearman": Metric(scoring.spearman),
        }

    def array(self, labels: Sequence[Any]) -> np.ndarray:
        """Return the labels as floats."""
        return np.array(labels, dtype=np.float64)

    def baseline(self, truths: np.ndarray) -> Any:
        """Return the mean."""
        return float(truths.mean())

    def head(self, width: int) -> "nn.Module":
        """Build a linear layer with one score, in units of `scale` around `center`."""
        return nn.Linear(width, 1)

    def encode(self, labels: Sequence[Any]) -> "Tensor":
        """Return standardised labels: [n]."""
        targets = (self.array(labels) - (self.center or 0.0)) / (self.scale or 1.0)
        return torch.from_numpy(targets).float()

    def loss(self, scores: "Tensor", targets: "Tensor") -> "Tensor":
        """Return the squared (or Huber) error of each record, in units of `scale`."""
        if self.error == "huber":
            return F.huber_loss(scores[:, 0], targets, reduction="none")
        return F.mse_loss(scores[:, 0], targets, reduction="none")

    def divergence(self, scores: "Tensor", teacher: "Tensor") -> "Tensor":
        """Return the squared distance to the teacher's number, in units of `scale`."""
        return F.mse_loss(scores[:, 0], teacher[:, 0], reduction="none")

    def decode(self, scores: "Tensor") -> list[Any]:
        """Return the numbers, kept inside the range."""
        values = scores[:, 0].double() * (self.scale or 1.0) + (self.center or 0.0)
        return (values.clamp(*self.range) if self.range else values).tolist()

    def answers(
        self,
        scores: "Tensor",
        calibration: dict[str, float],
        labels: Sequence[Any] | None = None,
    ) -> list[dict[str, Any]]:
        """Return the number and its interval, which holds a number given by others too."""
        reach, own = calibration.get("reach"), self.decode(scores)
        given = own if labels is None else labels
        return [self._answer(*pair, reach) for pair in zip(own, given, strict=True)]

    def options(
        self, scores: "Tensor", calibration: dict[str, float], mentioned: Mapping[Any, int]
    ) -> list[list[Variable]]:
        """Return one variable a record: the nearest number on every side of those mentioned.

        Distance d costs d² / 2σ², as if errors were normal; σ is what the calibrated reach says.
        """
        wide = NormalDist().inv_cdf((1 + self.confidence) / 2)
        reach = calibration.get("reach") or (self.scale or 1.0) * wide
        cells = list(self._cells(sorted(mentioned)))
        return [[_nearest(value, cells, reach / wide)] for value in self.decode(scores)]

    def _cells(self, cuts: Sequence[float]) -> Iterator[tuple[float, float]]:
        """Yield the least and greatest answer of each stretch that cuts leave, and each cut."""
        low, high = self.range or (-inf, inf)
        for before, after in pairwise([-inf, *cuts, inf]):
            stretch = max(low, before + LEAST), min(high, after - LEAST)
            if stretch[0] <= stretch[1]:
                yield stretch
            if low <= after <= high and after < inf:
                yield after, after

    def _answer(self, own: float, value: float, reach: float | None) -> dict[str, Any]:
        answer: dict[str, Any] = {"value": round(value, 6)}
        if reach is not None:
            low, high = self.range or (-np.inf, np.inf)
            bounds = max(low, min(own - reach, value)), min(high, max(own + reach, value))
            answer["interval"] = [round(float(bound), 6) for bound in bounds]
        return answer

    def calibrate(self, scores: "Tensor", targets: "Tensor") -> dict[str, float]:
        """Measure how far answers reach: the split-conformal quantile of validation errors.

        Source: Lei et al. 2018, algorithm 2; with n errors the ⌈(n + 1) · confidence⌉-th least.
        """
        truths = targets.double() * (self.scale or 1.0) + (self.center or 0.0)
        errors = np.sort(np.abs(truths.cpu().numpy() - np.array(self.decode(scores))))
        rank = int(np.ceil((len(errors) + 1) * self.confidence)) - 1
        return {"reach": round(float(errors[min(rank, len(errors) - 1)]), 6)}


def _nearest(value: float, cells: Sequence[tuple[float, float]], sigma: float) -> Variable:
    """Return the number of each cell that is nearest to `value`, and what going there costs."""
    values = [min(max(value, low), high) for low, high in cells]
    costs = [(value - other) ** 2 / (2 * sigma**2) for other in values]
    return Variable(None, values, costs, costs.index(min(costs)))
