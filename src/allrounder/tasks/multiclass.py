"""One label out of many."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
import pyarrow as pa

from allrounder.lazy import lazy
from allrounder.tasks import scoring
from allrounder.tasks.base import Metric, Task
from allrounder.tasks.columns import balanced, class_names, label_column, labels_of
from allrounder.types import Likely, Speaks, Variable

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

    from allrounder.tasks import losses
else:
    torch, nn = lazy("torch"), lazy("torch.nn")
    losses = lazy("allrounder.tasks.losses")


@dataclass(kw_only=True)
class Multiclass(Task):
    """One label out of many, per record.

    Args:
        labels: the label set; by default the labels that the records carry.
        renamed: what labels are called now, by what they are called in files and in the ledger;
            two old labels with one new name are merged.
        class_weights: `balanced` (each class weighs alike), or a weight per label.
        label_smoothing: the share of each target that is spread over all labels (Szegedy 2016).
        focal: γ of the focal loss, which turns down records already answered well (Lin 2017).
    """

    speaks: ClassVar[Speaks | None] = "label"

    labels: list[str] | None = None
    renamed: dict[str, str] | None = None
    class_weights: dict[str, float] | str | None = None
    label_smoothing: float = 0.0
    focal: float = 0.0

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
        """Fill the label set, and the balanced weights from training labels."""
        names = self.labels or class_names(every)
        weights = self.class_weights
        if weights == "balanced":
            weights = balanced(labels, names)
        return replace(self, labels=names, class_weights=weights)

    def metrics(self) -> dict[str, Metric]:
        """Accuracy decides; macro F1 weighs rare labels like common ones."""
        return {"accuracy": Metric(scoring.accuracy), "macro_f1": Metric(scoring.macro_f1)}

    def array(self, labels: Sequence[Any]) -> np.ndarray:
        """Return the index of each label."""
        index = {label: i for i, label in enumerate(self.labels or [])}
        return np.array([index[label] for label in labels], dtype=np.int64)

    def baseline(self, truths: np.ndarray) -> Any:
        """Return the commonest label."""
        return (self.labels or [])[int(np.bincount(truths).argmax())]

    def head(self, width: int) -> "nn.Module":
        """Build a linear layer with one score per label."""
        return nn.Linear(width, len(self.labels or []))

    def groups(self, targets: "Tensor") -> "Tensor":
        """Return one group per label: [n, L]."""
        return nn.functional.one_hot(targets, len(self.labels or []))

    def encode(self, labels: Sequence[Any]) -> "Tensor":
        """Return the index of each label: [n]."""
        return torch.from_numpy(self.array(labels))

    def loss(self, scores: "Tensor", targets: "Tensor") -> "Tensor":
        """Return the cross-entropy of each record, weighted, smoothed and focused as asked."""
        weights = self.class_weights if isinstance(self.class_weights, dict) else {}
        factors = [weights.get(label, 1.0) for label in self.labels or []] if weights else None
        return losses.cross_entropy(
            scores, targets, weights=factors, smoothing=self.label_smoothing, focal=self.focal
        )

    def divergence(self, scores: "Tensor", teacher: "Tensor") -> "Tensor":
        """Return the Kullback–Leibler divergence from the teacher's labels (Hinton et al. 2015)."""
        return losses.divergence(scores, teacher)

    def decode(self, scores: "Tensor") -> list[Any]:
        """Return the likeliest label."""
        return [(self.labels or [])[index] for index in scores.argmax(-1).tolist()]

    def answers(
        self,
        scores: "Tensor",
        calibration: dict[str, float],
        labels: Sequence[Any] | None = None,
    ) -> list[dict[str, Any]]:
        """Return label, probability and the probability of every label, likeliest first."""
        temperature = calibration.get("temperature", 1.0)
        rows = (scores.double() / temperature).softmax(-1).cpu().numpy()
        given = [None] * len(rows) if labels is None else labels
        return [self._answer(*pair) for pair in zip(rows, given, strict=True)]

    def options(
        self, scores: "Tensor", calibration: dict[str, float], mentioned: Mapping[Any, int]
    ) -> list[list[Variable]]:
        """Return one variable a record: its labels, at minus the log of their probability."""
        temperature = calibration.get("temperature", 1.0)
        costs = -(scores.double() / temperature).log_softmax(-1)
        names, best = tuple(self.labels or []), scores.argmax(-1).tolist()
        return [[Variable(None, names, *row)] for row in zip(costs.tolist(), best, strict=True)]

    def likely(self, scores: "Tensor", mentioned: Mapping[Any, int]) -> list[Likely]:
        """Return the softmax over labels."""
        return [Likely(None, tuple(self.labels or []), scores.double().softmax(-1))]

    def _answer(self, row: np.ndarray, label: str | None) -> dict[str, Any]:
        names = self.labels or []
        order = np.argsort(-row, kind="stable")
        ranked = {names[i]: round(float(row[i]), 6) for i in order}
        label = next(iter(ranked)) if label is None else label
        answer = {"label": label, "probability": ranked[label], "probabilities": ranked}
        return self.withheld(answer, {"label": None})

    def calibrate(self, scores: "Tensor", targets: "Tensor") -> dict[str, float]:
        """Fit the temperature that makes validation records likeliest (Guo et al. 2017)."""
        return {"temperature": losses.temperature(losses.cross_entropy, scores, targets)}
