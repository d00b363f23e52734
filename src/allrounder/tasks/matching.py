"""The torch side of matching: projections, loss and ranks. Imports torch: kinds reach it lazily.

Shapes: n records, M inputs, W width of the vectors that are compared, D width of an input.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, permutations
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from allrounder.lazy import lazy

if TYPE_CHECKING:
    from sklearn import linear_model
else:
    linear_model = lazy("sklearn.linear_model")

WARMEST = 100.0
"""The greatest 1/τ; it starts at 1/0.07 and is learned (Radford et al. 2021, section 2.5)."""

FEWEST = 10
"""Pairs from which it can be learned what a cosine means."""

NAN = torch.tensor(float("nan"))

BLOCK = 1 << 24
"""Similarities that are held in memory at a time."""


class Projections(nn.Module):
    """A linear layer for each input, after layer normalisation: [n, ΣD] → [n, M, W].

    Vectors have the length √(1/τ), so that their products are the logits; they are 0 where the
    input is missing, which is where all of its features are 0.

    Args:
        widths: D by input.
        width: W.
    """

    def __init__(self, widths: Mapping[str, int], width: int) -> None:
        super().__init__()
        self.sizes = list(widths.values())
        self.layers = nn.ModuleDict({name: nn.Linear(size, width) for name, size in widths.items()})
        self.log_scale = nn.Parameter(torch.tensor(math.log(1 / 0.07)))

    def forward(self, features: Tensor) -> Tensor:
        """Return the vectors of every input."""
        parts = zip(features.split(self.sizes, -1), self.layers.values(), strict=True)
        return torch.stack([self._projected(part, layer) for part, layer in parts], 1)

    def _projected(self, part: Tensor, layer: nn.Module) -> Tensor:
        there = (part != 0).any(-1, keepdim=True)
        scale = self.log_scale.clamp(max=math.log(WARMEST)).exp().sqrt()
        vectors = F.normalize(layer(F.layer_norm(part, part.shape[-1:])), dim=-1)
        return torch.where(there, scale * vectors, torch.zeros((), device=part.device))


@dataclass(frozen=True)
class Vectors:
    """The vectors of some records, [n, M, W], and hashes of their values, [n, M].

    A vector is 0 where the input is missing; without hashes every value is another one.
    """

    vectors: Tensor
    keys: Tensor | None

    def __len__(self) -> int:
        return len(self.vectors)

    def __getitem__(self, places: np.ndarray) -> "Vectors":
        """Return the vectors of some of the records."""
        at = torch.from_numpy(np.asarray(places))
        return Vectors(self.vectors[at], None if self.keys is None else self.keys[at])

    def unbind(self) -> tuple[Tensor, ...]:
        """Return the vectors record by record."""
        return self.vectors.unbind()


def joined(parts: Sequence[Vectors]) -> Vectors:
    """Return the vectors of all parts as one, without hashes where some part has none."""
    keys = [part.keys for part in parts if part.keys is not None]
    whole = torch.cat(keys) if len(keys) == len(parts) else None
    return Vectors(torch.cat([part.vectors for part in parts]), whole)


def there(vectors: Tensor) -> Tensor:
    """Return which inputs each record has: [n, M, W] → [n, M]."""
    return (vectors != 0).any(-1)


def info_nce(vectors: Tensor, keys: Tensor) -> Tensor:
    """Return the mean over directions a → b of each record's loss: [n, M, W], [n, M] → [n].

    −mean_{j right} log(exp(a_i·b_j) / Σ_k exp(a_i·b_k)) over the records j and k that have b.
    Right are the record itself and those that have the same a or the same b. Where there are two
    inputs and no value stands twice, the mean over records is the symmetric loss of CLIP (Radford
    et al. 2021, figure 3).
    """
    has = there(vectors.detach())
    total, count = vectors.new_zeros(len(vectors)), vectors.new_zeros(len(vectors))
    for a, b in permutations(range(vectors.shape[1]), 2):
        asked, known = has[:, a] & has[:, b], has[:, b]
        if not asked.any():
            continue
        logits = vectors[asked, a] @ vectors[known, b].T
        right = (keys[asked, a][:, None] == keys[known, a]) & has[known, a]
        right |= keys[asked, b][:, None] == keys[known, b]
        shares = logits.log_softmax(-1)
        total[asked] += -(shares * right).sum(-1) / right.sum(-1)
        count[asked] += 1
    return total / count.clamp(min=1)


def apart(vectors: Tensor, others: Tensor) -> Tensor:
    """Return the mean of 1 − cosine over the inputs that both have: [n, M, W] twice → [n]."""
    others = others.nan_to_num()
    both = there(vectors) & there(others)
    far = 1 - F.cosine_similarity(vectors, others, dim=-1)
    return (far.clamp(min=0) * both).sum(-1) / both.sum(-1).clamp(min=1)


def cosines(vectors: Tensor) -> Tensor:
    """Return the cosine of each pair of inputs, NaN where one is missing: [n, M, W] → [n, P]."""
    unit, has = F.normalize(vectors, dim=-1), there(vectors)
    pairs = combinations(range(vectors.shape[1]), 2)
    found = [(unit[:, a] * unit[:, b]).sum(-1).where(has[:, a] & has[:, b], NAN) for a, b in pairs]
    return torch.stack(found, -1)


def told_apart(vectors: Tensor, keys: Tensor) -> list[tuple[float, float] | None]:
    """Return for each pair of inputs how the log-odds of standing in one record grow with cosine.

    They are slope and bias of a logistic regression, in which pairs of one record weigh like as
    many pairs of two; None where there are too few. [n, M, W], [n, M] → P
    """
    pairs = list(combinations(range(vectors.shape[1]), 2))
    own = cosines(vectors)
    return [_logistic(own[:, at], _strange(vectors, keys, a, b)) for at, (a, b) in enumerate(pairs)]


def _strange(vectors: Tensor, keys: Tensor, a: int, b: int) -> Tensor:
    """Return cosines of the inputs a and b of two records that share neither value."""
    has = there(vectors)
    both = (has[:, a] & has[:, b]).nonzero()[:, 0]
    other = both.roll(1)
    two = torch.stack([vectors[both, a], vectors[other, b]], 1)
    same = (keys[both, a] == keys[other, a]) | (keys[both, b] == keys[other, b])
    return cosines(two)[~same, 0]


def _logistic(own: Tensor, strange: Tensor) -> tuple[float, float] | None:
    own = own[own.isfinite()]
    if min(len(own), len(strange)) < FEWEST:
        return None
    x = torch.cat([own, strange]).double().numpy()[:, None]
    y = np.repeat([1, 0], [len(own), len(strange)])
    fitted = linear_model.LogisticRegression(C=100.0, class_weight="balanced").fit(x, y)
    return round(float(fitted.coef_[0, 0]), 4), round(float(fitted.intercept_[0]), 4)


def ranks(found: Vectors) -> list[list[float | None]]:
    """Return the rank of each record's own value in every direction a → b, None where none."""
    vectors = F.normalize(found.vectors.float(), dim=-1)
    has = there(vectors)
    keys = _keys(found)
    columns = [
        _ranked(vectors, has, keys, a, b) for a, b in permutations(range(vectors.shape[1]), 2)
    ]
    table = np.stack(columns, -1)
    return [[None if np.isnan(r) else float(r) for r in row] for row in table]


def _keys(found: Vectors) -> np.ndarray:
    if found.keys is not None:
        return found.keys.numpy()
    return np.broadcast_to(np.arange(len(found))[:, None], found.vectors.shape[:2])


def _ranked(vectors: Tensor, has: Tensor, keys: np.ndarray, a: int, b: int) -> np.ndarray:
    """Return the ranks in the direction a → b, NaN where a record lacks one of them: [n]."""
    known = np.flatnonzero(has[:, b].numpy())
    distinct, first, own = np.unique(keys[known, b], return_index=True, return_inverse=True)
    candidates = vectors[torch.from_numpy(known[first]), b]
    place = np.full(len(keys), -1)
    place[known] = own.ravel()
    asked = np.flatnonzero((has[:, a] & has[:, b]).numpy())
    result = np.full(len(keys), np.nan)
    if not len(asked):
        return result
    right = _right(keys[asked, a], place[asked])
    for rows in _blocks(asked, len(distinct)):
        similar = vectors[torch.from_numpy(rows), a] @ candidates.T
        mine = torch.from_numpy(place[rows])[:, None]
        score = similar.gather(1, mine)
        for line in np.flatnonzero(np.isin(keys[rows, a], list(right))):
            others = right[keys[rows[line], a]]
            similar[line, others[others != place[rows[line]]]] = float("-inf")
        above, equal = (similar > score).sum(-1), (similar == score).sum(-1)
        result[rows] = (above + (equal + 1) / 2).numpy()
    return result


def _right(keys: np.ndarray, places: np.ndarray) -> dict[int, np.ndarray]:
    """Return the places of right answers, by the hash of what has more than one of them."""
    order = np.lexsort((places, keys))
    distinct, starts = np.unique(keys[order], return_index=True)
    groups = map(np.unique, np.split(places[order], starts[1:]))
    return {key: found for key, found in zip(distinct, groups, strict=True) if len(found) > 1}


def _blocks(rows: np.ndarray, width: int) -> Iterator[np.ndarray]:
    size = max(1, BLOCK // max(width, 1))
    for start in range(0, len(rows), size):
        yield rows[start : start + size]
