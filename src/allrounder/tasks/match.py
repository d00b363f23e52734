"""Which values of several inputs belong together."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations, permutations
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
import pyarrow as pa

from allrounder.lazy import lazy
from allrounder.tasks import scoring
from allrounder.tasks.base import Metric, Reads, Task

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

    from allrounder.tasks import matching
else:
    torch, matching = lazy("torch"), lazy("allrounder.tasks.matching")

KEY = pa.list_(pa.uint64())


@dataclass(kw_only=True)
class Match(Task):
    """Which caption fits a picture, which picture a spoken word: search between inputs.

    It needs no labels: what stands in one record belongs together, and equal values are one
    value. Every input gets a projection to vectors of unit length; training pulls those of a
    record together and pushes those of other records of the batch apart, in both directions
    (symmetric InfoNCE; van den Oord et al. 2018, Radford et al. 2021), over every pair of inputs.

    A label is a hash of each input's value, 0 where it is missing; scores are vectors [n, M, W].

    Args:
        of: the inputs that are matched, two or more; by default all inputs of the project.
        width: W, of the vectors that are compared.
    """

    reads: ClassVar[Reads] = "inputs"

    of: list[str] | None = None  # type: ignore[assignment]
    width: int = 256

    def __post_init__(self) -> None:
        if isinstance(self.of, str) or (self.of is not None and len({*self.of}) < 2):
            raise ValueError(f"matches two inputs or more: `of: [a, b]`. Got {self.of!r}.")
        if self.of is not None and len({*self.of}) < len(self.of):
            raise ValueError(f"names an input twice in `of`: {self.of!r}.")
        if self.width < 1:
            raise ValueError(f"has `width: {self.width}`. Expected 1 or more.")
        if self.abstain is not None:
            raise ValueError("cannot abstain: a match is a ranking. Remove `abstain`.")

    def over(self, inputs: Sequence[str]) -> Self:
        """Return the task with the inputs that it matches filled in."""
        return self if self.of or len(inputs) < 2 else replace(self, of=list(inputs))

    def reading(self, inputs: Iterable[str]) -> list[str]:
        """Return the inputs that are matched."""
        return self.of or list(inputs)

    @property
    def makes_labels(self) -> bool:
        """Labels are made from the inputs."""
        return True

    @property
    def type(self) -> pa.DataType:
        """A label holds a hash for each input."""
        return KEY

    def read(self, values: pa.Array, texts: pa.Array | None) -> pa.Array:
        """Return the hashes, null where fewer than two inputs are there."""
        if not pa.types.is_list(values.type):
            return pa.nulls(len(values), KEY)
        rows = [keys if sum(map(bool, keys or [])) > 1 else None for keys in values.to_pylist()]
        return pa.array(rows, KEY)

    def outputs(self) -> list[str]:
        """Return the inputs: each has a projection."""
        return list(self.of or [])

    def continued_head(self, old: Self, weights: "Mapping[str, Tensor]") -> "dict[str, Tensor]":
        """Return the weights of an older head: the projections of inputs that both match."""
        if old.width != self.width:
            return {}
        known = {"log_scale", *(f"layers.{name}.{part}" for name in self.of or []
                                for part in ("weight", "bias"))}  # fmt: skip
        return {name: weight for name, weight in weights.items() if name in known}

    def metrics(self) -> dict[str, Metric]:
        """Return mean reciprocal rank, which decides as it moves before recall does, and recall."""
        return {
            "mean_reciprocal_rank": Metric(scoring.mean_reciprocal_rank),
            "recall_at_1": Metric(scoring.recall_at_1),
            "recall_at_5": Metric(scoring.recall_at_5),
            "recall_at_10": Metric(scoring.recall_at_10),
        }

    def array(self, labels: Sequence[Any]) -> np.ndarray:
        """Return hashes [n, M], or the ranks that `decode` gives, NaN where there is none."""
        if any(isinstance(part, int) for label in labels for part in label):
            return np.array(labels, dtype=np.uint64)
        nothing = [None] * len(self.directions())
        return np.array([label or nothing for label in labels], dtype=np.float64)

    def baseline(self, truths: np.ndarray) -> Any:
        """Return no ranks at all, which stand for a ranking at random."""
        return []

    def directions(self) -> list[tuple[str, str]]:
        """Return what is asked with and what is searched, in the order of the ranks."""
        return list(permutations(self.of or [], 2))

    def head(self, width: Mapping[str, int]) -> "nn.Module":  # type: ignore[override]
        """Build a projection for each input; features are their vectors end to end."""
        return matching.Projections(width, self.width)

    def encode(self, labels: Sequence[Any]) -> "Tensor":
        """Return the hashes as signed numbers: [n, M]."""
        rows = np.array(labels, dtype=np.uint64).reshape(len(labels), len(self.of or []))
        return torch.from_numpy(rows.view(np.int64))

    def loss(self, scores: "Tensor", targets: "Tensor") -> "Tensor":
        """Return the symmetric InfoNCE of each record among those of the batch."""
        return matching.info_nce(scores, targets)

    def divergence(self, scores: "Tensor", teacher: "Tensor") -> "Tensor":
        """Return the mean of 1 − cosine over the inputs that both have."""
        return matching.apart(scores, teacher)

    def readable(self, scores: "Tensor", keys: "Tensor | None") -> "matching.Vectors":
        """Return scores with the hashes of what they are the vectors of."""
        return matching.Vectors(scores, keys)

    def decode(self, scores: "matching.Vectors") -> list[Any]:
        """Return for each record the rank of its own value in every direction, None where none.

        Candidates are the distinct values among the records given. Other right answers are left
        out of the ranking, so a rank of 1 is perfect; among equals a value stands in the middle.
        """
        return matching.ranks(scores)

    def flat(self, scores: "matching.Vectors", targets: "Tensor") -> "tuple[Tensor, Tensor]":
        """Return the vectors as `calibrate` reads them."""
        return scores.vectors, targets

    def answers(
        self,
        scores: "matching.Vectors",
        calibration: dict[str, float],
        labels: Sequence[Any] | None = None,
    ) -> list[dict[str, Any]]:
        """Return how well the inputs of each record fit each other; `matches` is still empty.

        `similarity` is their mean cosine. `probability` says how likely such values stand in one
        record, rather than in two drawn at random: the mean log-odds over pairs of inputs. Both
        are None for a record with a single input.
        """
        found = matching.cosines(scores.vectors).double().numpy()
        slopes, biases = (self._fitted(calibration, word) for word in ("slope", "bias"))
        return [_answer(row, slopes * row + biases) for row in found]

    def _fitted(self, calibration: Mapping[str, float], word: str) -> np.ndarray:
        usual = {"slope": 1.0, "bias": 0.0}[word]
        return np.array([calibration.get(f"{pair} {word}", usual) for pair in self._pairs()])

    def _pairs(self) -> list[str]:
        return [f"{a}+{b}" for a, b in combinations(self.of or [], 2)]

    def calibrate(self, scores: "Tensor", targets: "Tensor") -> dict[str, float]:
        """Fit for each pair of inputs a logistic regression of belonging together on cosine."""
        fits = matching.told_apart(scores, targets)
        known = {pair: fit for pair, fit in zip(self._pairs(), fits, strict=True) if fit}
        return {
            f"{pair} {word}": value
            for pair, fit in known.items()
            for word, value in zip(("slope", "bias"), fit, strict=True)
        }


def _answer(cosines: np.ndarray, odds: np.ndarray) -> dict[str, Any]:
    known = np.isfinite(cosines)
    if not known.any():
        return {"matches": {}, "similarity": None, "probability": None}
    return {
        "matches": {},
        "similarity": round(float(cosines[known].mean()), 6),
        "probability": round(float(1 / (1 + np.exp(-odds[known].mean()))), 6),
    }
