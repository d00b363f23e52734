"""Ordered labels."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
import pyarrow as pa

from allrounder.lazy import lazy
from allrounder.tasks import scoring
from allrounder.tasks.base import Metric, Task
from allrounder.tasks.columns import class_names, in_order, joined, label_column, labels_of
from allrounder.types import Likely, Speaks, Variable

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

    from allrounder.tasks import heads, losses
else:
    torch, nn = lazy("torch"), lazy("torch.nn")
    heads, losses = lazy("allrounder.tasks.heads"), lazy("allrounder.tasks.losses")


@dataclass(kw_only=True)
class Ordinal(Task):
    """Ordered labels, one threshold between neighbours (CORAL; Cao et al. 2020).

    One score orders the records; threshold k turns it into P(label > k). All thresholds share
    the weights of that score, so the probabilities fall from one threshold to the next.

    Args:
        labels: the labels from least to greatest; by default those found, numbers by size.
        renamed: what labels are called now, by what they are called in files and in the ledger;
            two old labels with one new name are merged.
    """

    speaks: ClassVar[Speaks | None] = "rank"

    labels: list[str] | None = None
    renamed: dict[str, str] | None = None

    def __post_init__(self) -> None:
        labels_of(self)

    @property
    def type(self) -> pa.DataType:
        """A label is a string."""
        return pa.string()

    def read(self, values: pa.Array, texts: pa.Array | None) -> pa.Array:
        """Return the labels as strings, each one in the label set."""
        return label_column(values, self.labels, self.renamed)

    def learn(self, labels: pa.ChunkedArray, every: pa.ChunkedArray) -> Self:
        """Fill the label set."""
        return replace(self, labels=self.labels or class_names(every))

    def metrics(self) -> dict[str, Metric]:
        """Quadratic kappa decides: a far miss costs more than a near one."""
        return {
            "quadratic_kappa": Metric(scoring.quadratic_kappa),
            "mean_absolute_error": Metric(scoring.mean_absolute_error, higher_is_better=False),
            "accuracy": Metric(scoring.accuracy),
        }

    def array(self, labels: Sequence[Any]) -> np.ndarray:
        """Return the rank of each label, from 0."""
        index = {label: i for i, label in enumerate(self.labels or [])}
        return np.array([index[label] for label in labels], dtype=np.int64)

    def baseline(self, truths: np.ndarray) -> Any:
        """Return the median label."""
        return (self.labels or [])[int(np.median(truths))]

    def head(self, width: int) -> "nn.Module":
        """Build one score and the thresholds between neighbours: [n, D] → [n, L - 1]."""
        return heads.Thresholds(width, len(self.labels or []))

    def continued(self, old: Self, *, every: bool) -> Self:
        """Return the task with its labels in the order declared, or in the order they had."""
        labels = self.current(joined(old.labels or [], self.labels or [], every=every))
        if not every:
            return self
        return replace(self, labels=labels if labels == old.labels else in_order(labels))

    def continued_head(self, old: Self, weights: "Mapping[str, Tensor]") -> "dict[str, Tensor]":
        """Return score and thresholds; the threshold below an old label stays."""
        return heads.grown_thresholds(weights, old.labels or [], self.labels or [])

    def groups(self, targets: "Tensor") -> "Tensor":
        """Return one group per label: [n, L]."""
        return nn.functional.one_hot(targets.long().sum(-1), len(self.labels or []))

    def encode(self, labels: Sequence[Any]) -> "Tensor":
        """Return for every threshold whether the label is above it: [n, L - 1]."""
        ranks = torch.from_numpy(self.array(labels))
        return (ranks[:, None] > torch.arange(len(self.labels or []) - 1)).float()

    def loss(self, scores: "Tensor", targets: "Tensor") -> "Tensor":
        """Return the binary cross-entropy of each record, summed over thresholds."""
        return losses.binary_cross_entropy(scores, targets)

    def divergence(self, scores: "Tensor", teacher: "Tensor") -> "Tensor":
        """Return the Kullback–Leibler divergence from the teacher's, summed over thresholds."""
        return losses.binary_divergence(scores, teacher)

    def decode(self, scores: "Tensor") -> list[Any]:
        """Return the label above as many thresholds as are likelier passed than not."""
        return [(self.labels or [])[rank] for rank in (scores > 0).sum(-1).tolist()]

    def answers(
        self,
        scores: "Tensor",
        calibration: dict[str, float],
        labels: Sequence[Any] | None = None,
    ) -> list[dict[str, Any]]:
        """Return label, its probability, and the probability of every label in order."""
        above = (scores.double() / calibration.get("temperature", 1.0)).sigmoid().cpu().numpy()
        edge = np.ones((len(above), 1))
        passed = np.minimum.accumulate(np.hstack([edge, above, 0 * edge]), axis=1)
        rows = passed[:, :-1] - passed[:, 1:]
        given = self.decode(scores) if labels is None else labels
        return [self._answer(row, label) for row, label in zip(rows, given, strict=True)]

    def options(
        self, scores: "Tensor", calibration: dict[str, float], mentioned: Mapping[Any, int]
    ) -> list[list[Variable]]:
        """Return one variable a record: a label costs what its thresholds do, all passed or not.

        So the cheapest label is the one that `decode` gives, which the likeliest need not be.
        """
        above = scores.double().sort(-1, descending=True).values
        above = above / calibration.get("temperature", 1.0)
        zero = above.new_zeros(len(above), 1)
        passed = torch.cat([zero, above.cumsum(-1)], -1)  # Σ log p/(1-p) of the thresholds passed
        costs = (-passed.log_softmax(-1)).tolist()
        names = tuple(self.labels or [])
        best = [names.index(label) for label in self.decode(scores)]
        return [[Variable(None, names, *row)] for row in zip(costs, best, strict=True)]

    def likely(self, scores: "Tensor", mentioned: Mapping[Any, int]) -> list[Likely]:
        """Return the probability of each label: what one threshold has more than the next."""
        above = scores.double().cummin(-1).values
        passed, failed = above.sigmoid(), (-above).sigmoid()
        # p - q of two sigmoids, without the loss of digits that a difference near 1 would have
        between = passed[:, :-1] * failed[:, 1:] * -torch.expm1(above[:, 1:] - above[:, :-1])
        chances = torch.cat([failed[:, :1], between, passed[:, -1:]], -1)
        return [Likely(None, tuple(self.labels or []), chances)]

    def _answer(self, row: np.ndarray, label: str) -> dict[str, Any]:
        every = {n: round(float(p), 6) for n, p in zip(self.labels or [], row, strict=True)}
        answer = {"label": label, "probability": every[label], "probabilities": every}
        return self.withheld(answer, {"label": None})

    def calibrate(self, scores: "Tensor", targets: "Tensor") -> dict[str, float]:
        """Fit one temperature for all thresholds on validation records."""
        return {"temperature": losses.temperature(losses.binary_cross_entropy, scores, targets)}
