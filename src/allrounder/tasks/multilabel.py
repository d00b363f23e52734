"""Any number of labels."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import log
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from allrounder.lazy import lazy
from allrounder.records import BadValue
from allrounder.tasks import scoring
from allrounder.tasks.base import Metric, Task
from allrounder.tasks.columns import class_names, labels_of, lists, not_a_label
from allrounder.types import Likely, Speaks, Variable

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

    from allrounder.tasks import losses
else:
    torch, nn = lazy("torch"), lazy("torch.nn")
    losses = lazy("allrounder.tasks.losses")


@dataclass(kw_only=True)
class Multilabel(Task):
    """Any number of labels per record; an empty list says "none of them", an empty cell nothing.

    Args:
        labels: the label set; by default the labels that the records carry.
        renamed: what labels are called now, by what they are called in files and in the ledger;
            two old labels with one new name are merged.
        separator: what stands between labels in one cell of a text file; a JSON list works too.
        threshold: labels whose probability is higher are given.
        label_smoothing: the share of each target that is moved towards one half.
        focal: γ of the focal loss (Lin et al. 2017).
    """

    speaks: ClassVar[Speaks | None] = "labels"

    labels: list[str] | None = None
    renamed: dict[str, str] | None = None
    separator: str = "|"
    threshold: float = 0.5
    label_smoothing: float = 0.0
    focal: float = 0.0

    def __post_init__(self) -> None:
        labels_of(self)

    @property
    def type(self) -> pa.DataType:
        """A label is a list of strings."""
        return pa.list_(pa.string())

    def read(self, values: pa.Array, texts: pa.Array | None) -> pa.Array:
        """Return lists of strings, each one in the label set."""
        rows = lists(values, self.separator)
        if self.renamed:
            rows = _merged(rows, self.renamed)
        if self.labels is not None:
            self._refuse_unknown(rows, self.labels)
        return rows

    def _refuse_unknown(self, rows: pa.Array, labels: list[str]) -> None:
        flat = rows.flatten()
        strange = pc.invert(pc.is_in(flat, pa.array(labels, pa.string())))
        if pc.any(strange).as_py():
            at = pc.index(strange, True).as_py()
            row = pc.list_parent_indices(rows)[at].as_py()
            raise BadValue(row, not_a_label(flat[at].as_py(), labels))

    def learn(self, labels: pa.ChunkedArray, every: pa.ChunkedArray) -> Self:
        """Fill the label set."""
        flat = pc.list_flatten(every.drop_null())
        return replace(self, labels=self.labels or class_names(flat))

    def metrics(self) -> dict[str, Metric]:
        """Micro F1 decides; subset accuracy asks for every label of a record to be right."""
        return {
            "micro_f1": Metric(scoring.micro_f1),
            "macro_f1": Metric(scoring.macro_f1),
            "subset_accuracy": Metric(scoring.accuracy),
        }

    def array(self, labels: Sequence[Any]) -> np.ndarray:
        """Return one row of zeros and ones per record."""
        index = {label: i for i, label in enumerate(self.labels or [])}
        rows = np.zeros((len(labels), len(index)), dtype=np.int64)
        for row, names in zip(rows, labels, strict=True):
            row[[index[name] for name in names]] = 1
        return rows

    def baseline(self, truths: np.ndarray) -> Any:
        """Return the labels that more than half of the records carry, or the commonest one."""
        share = truths.mean(0)
        chosen = np.flatnonzero(share > 0.5)
        chosen = chosen if len(chosen) else [int(share.argmax())]
        return [(self.labels or [])[i] for i in chosen]

    def head(self, width: int) -> "nn.Module":
        """Build a linear layer with one score per label."""
        return nn.Linear(width, len(self.labels or []))

    def begin(self, head: "nn.Module", targets: "Tensor") -> None:
        """Start at the base rate of each label (Lin et al. 2017, section 4.1).

        A head that starts at one half for dozens of rare labels would spend its first steps, and
        by clipping those of the other tasks, on learning that they are rare.
        """
        rates = targets.mean(0).clamp(1e-3, 1 - 1e-3)
        with torch.no_grad():
            head.bias.copy_(rates.logit())  # type: ignore[operator, union-attr]

    def groups(self, targets: "Tensor") -> "Tensor":
        """Return one group per label; a record is in as many as it has labels: [n, L]."""
        return targets.long()

    def encode(self, labels: Sequence[Any]) -> "Tensor":
        """Return one row of zeros and ones per record: [n, L]."""
        return torch.from_numpy(self.array(labels)).float()

    def loss(self, scores: "Tensor", targets: "Tensor") -> "Tensor":
        """Return the binary cross-entropy of each record, summed over labels."""
        return losses.binary_cross_entropy(
            scores, targets, smoothing=self.label_smoothing, focal=self.focal
        )

    def divergence(self, scores: "Tensor", teacher: "Tensor") -> "Tensor":
        """Return the Kullback–Leibler divergence from the teacher's, summed over labels."""
        return losses.binary_divergence(scores, teacher)

    def decode(self, scores: "Tensor") -> list[Any]:
        """Return every label above the threshold."""
        names = self.labels or []
        chosen = (scores.sigmoid() > self.threshold).tolist()
        return [[n for n, on in zip(names, row, strict=True) if on] for row in chosen]

    def answers(
        self,
        scores: "Tensor",
        calibration: dict[str, float],
        labels: Sequence[Any] | None = None,
    ) -> list[dict[str, Any]]:
        """Return the labels, and the probability of each label.

        The probability of the answer is that of its least sure decision.
        """
        temperature = calibration.get("temperature", 1.0)
        rows = (scores.double() / temperature).sigmoid().cpu().numpy()
        decoded = self.decode(scores) if labels is None else labels
        return [self._answer(row, names) for row, names in zip(rows, decoded, strict=True)]

    def options(
        self, scores: "Tensor", calibration: dict[str, float], mentioned: Mapping[Any, int]
    ) -> list[list[Variable]]:
        """Return one variable for each label that is mentioned: without it, or with it.

        Its log-odds are calibrated and count from the threshold, where both cost the same.
        """
        names = [name for name in self.labels or [] if name in mentioned]
        columns = [(self.labels or []).index(name) for name in names]
        odds = scores[:, columns].double() - log(self.threshold / (1 - self.threshold))
        odds = odds / calibration.get("temperature", 1.0)
        pairs = torch.stack([odds, -odds], -1)
        costs = nn.functional.softplus(pairs).tolist()
        return [
            [
                Variable(name, (False, True), cost, int(cost[1] < cost[0]))
                for name, cost in zip(names, row, strict=True)
            ]
            for row in costs
        ]

    def likely(self, scores: "Tensor", mentioned: Mapping[Any, int]) -> list[Likely]:
        """Return the sigmoid of every label that is mentioned: without it, and with it."""
        names = [name for name in self.labels or [] if name in mentioned]
        columns = [(self.labels or []).index(name) for name in names]
        odds = scores[:, columns].double()
        pairs = torch.stack([-odds, odds], -1).sigmoid()
        return [Likely(n, (False, True), pairs[:, at]) for at, n in enumerate(names)]

    def taken(self, own: Any, variables: Sequence[Variable], picks: Sequence[int]) -> Any:
        """Return the labels taken, and of those that are not mentioned the own ones."""
        chosen = {v.label: v.values[pick] for v, pick in zip(variables, picks, strict=True)}
        return [name for name in self.labels or [] if chosen.get(name, name in own)]

    def _answer(self, row: np.ndarray, chosen: list[str]) -> dict[str, Any]:
        names = self.labels or []
        every = {names[i]: round(float(row[i]), 6) for i in np.argsort(-row, kind="stable")}
        sure = min(p if name in chosen else 1 - p for name, p in every.items())
        answer = {"labels": chosen, "probability": round(sure, 6), "probabilities": every}
        return self.withheld(answer, {"labels": None})

    def calibrate(self, scores: "Tensor", targets: "Tensor") -> dict[str, float]:
        """Fit one temperature for all labels on validation records."""
        return {"temperature": losses.temperature(losses.binary_cross_entropy, scores, targets)}


def _merged(rows: pa.Array, names: Mapping[str, str]) -> pa.Array:
    """Return sets of labels by the names that they have now; what has become one stands once."""
    found = [
        row and list(dict.fromkeys(names.get(name, name) for name in row))
        for row in rows.to_pylist()
    ]
    return pa.array(found, rows.type)
