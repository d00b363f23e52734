"""Heads that are more than a linear layer. Imports torch: kinds reach it lazily."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn


class Thresholds(nn.Module):
    """One score and L - 1 thresholds on it (CORAL; Cao et al. 2020): [n, D] → [n, L - 1]."""

    def __init__(self, width: int, num_labels: int) -> None:
        super().__init__()
        self.score = nn.Linear(width, 1, bias=False)
        self.thresholds = nn.Parameter(torch.linspace(1.0, -1.0, num_labels - 1))

    def forward(self, features: Tensor) -> Tensor:
        """Return the logit of being above each threshold."""
        return self.score(features) + self.thresholds


def grown(
    weights: Mapping[str, Tensor], old: Sequence[str], new: Sequence[str]
) -> dict[str, Tensor]:
    """Return the weights of a linear head with other outputs.

    An output that was there keeps its row. A new one has the weight zero and the lowest bias, so
    that it takes no record from the others before it has learned.

    Args:
        weights: `weight` [L, D] and `bias` [L] of the old head.
        old: the names of its outputs.
        new: the names of those wanted.
    """
    weight, bias = weights["weight"], weights["bias"]
    rows = weight.new_zeros(len(new), weight.shape[1])
    starts = bias.new_full((len(new),), float(bias.min()))
    for row, name in enumerate(new):
        if name in old:
            rows[row], starts[row] = weight[old.index(name)], bias[old.index(name)]
    return {"weight": rows, "bias": starts}


def regrouped(
    weights: Mapping[str, Tensor],
    old: Mapping[str, int],
    new: Mapping[str, int],
    absent: Mapping[str, Tensor],
) -> dict[str, Tensor]:
    """Return the weights of a head of one linear layer that reads other parts than it did.

    A part that was there keeps its columns, a new one has zeros. What the head says of a part
    that is gone, when it is missing, becomes part of its bias.

    Args:
        weights: those of the old head: one matrix [L, D], and one vector that is added.
        old: the widths of the parts that it read, in order.
        new: the widths of those that it will read.
        absent: the vectors that stood for parts which are gone, where they were missing.
    """
    tables = [name for name, weight in weights.items() if weight.ndim == 2]
    biases = [name for name, weight in weights.items() if weight.ndim == 1]
    if len(tables) != 1 or len(biases) != 1 or weights[tables[0]].shape[1] != sum(old.values()):
        raise ValueError("its head is not one linear layer")
    table, bias = weights[tables[0]], weights[biases[0]]
    columns = dict(zip(old, table.split(list(old.values()), -1), strict=True))
    for part, vector in absent.items():
        bias = bias + columns[part] @ vector
    rows = [columns.get(part, table.new_zeros(len(table), width)) for part, width in new.items()]
    return {tables[0]: torch.cat(rows, -1), biases[0]: bias}


def grown_thresholds(
    weights: Mapping[str, Tensor], old: Sequence[str], new: Sequence[str]
) -> dict[str, Tensor]:
    """Return the weights of `Thresholds` over other ordered labels.

    The threshold below a label stays where it was; one below a new label lies between its
    neighbours, or one beyond the last.
    """
    known = dict(zip(old[1:], weights["thresholds"].tolist(), strict=True))
    found: list[float | None] = [known.get(name) for name in new[1:]]
    filled = [
        at if at is not None else _between(found[:place], found[place + 1 :])
        for place, at in enumerate(found)
    ]
    return {"score.weight": weights["score.weight"], "thresholds": torch.tensor(filled)}


def _between(below: Sequence[float | None], above: Sequence[float | None]) -> float:
    """Return a threshold under those below and over those above; thresholds fall."""
    left = next((at for at in reversed(below) if at is not None), None)
    right = next((at for at in above if at is not None), None)
    if left is None or right is None:
        return (right or 0.0) + 1.0 if left is None else left - 1.0
    return (left + right) / 2
