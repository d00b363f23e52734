"""One number."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from allrounder.lazy import lazy
from allrounder.tasks import scoring
from allrounder.tasks.base import Metric, Task
from allrounder.tasks.columns import numbers

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn
    from torch.nn import functional as F
else:
    torch, nn, F = lazy("torch"), lazy("torch.nn"), lazy("torch.nn.functional")


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

    def answers(self, scores: "Tensor", calibration: dict[str, float]) -> list[dict[str, Any]]:
        """Return the number and its interval."""
        reach = calibration.get("reach")
        return [self._answer(value, reach) for value in self.decode(scores)]

    def _answer(self, value: float, reach: float | None) -> dict[str, Any]:
        answer: dict[str, Any] = {"value": round(value, 6)}
        if reach is not None:
            low, high = self.range or (-np.inf, np.inf)
            bounds = max(low, value - reach), min(high, value + reach)
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
