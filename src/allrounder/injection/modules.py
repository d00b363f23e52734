"""The torch side of injection. Injection kinds reach it lazily.

Shapes: n records that have the input, T tokens, D width, m mentions, p tokens inside mentions, j
pairs of a mention and an item that it lends.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from allrounder.encoders.modules import Features

SCARCELY = 1e-6
"""What is less likely counts as this."""


@dataclass(frozen=True)
class Told:
    """What is known of the texts of n records.

    Args:
        records: of each mention, its place among the records: [m].
        mentions: of each token inside a mention, the mention: [p].
        tokens: of each such token, its place in its record: [p].
        begins: of each such token, whether its mention begins there: [p].
        owners: of each item lent, its mention: [j].
        items: the items: [j].
        vectors: what the encoder says of items that are texts: [j, D].
        weights: how likely it is that what lends the item is meant: [j]; None is certain.
    """

    records: Tensor
    mentions: Tensor
    tokens: Tensor
    begins: Tensor
    owners: Tensor
    items: Tensor
    vectors: Tensor | None = None
    weights: Tensor | None = None

    def to(self, device: Any) -> "Told":
        """Return the same on another device."""
        return Told(*(None if part is None else part.to(device) for part in vars(self).values()))

    def only(self, kept: Tensor) -> "Told":
        """Return what is known without the mentions where `kept` [m] is false."""
        inside, lent = kept[self.mentions], kept[self.owners]
        number = kept.cumsum(0) - 1
        return Told(
            records=self.records[kept],
            mentions=number[self.mentions[inside]],
            tokens=self.tokens[inside],
            begins=self.begins[inside],
            owners=number[self.owners[lent]],
            items=self.items[lent],
            vectors=None if self.vectors is None else self.vectors[lent],
            weights=None if self.weights is None else self.weights[lent],
        )

    def read(self, num_tokens: int) -> "Told":
        """Return the same without tokens from place `num_tokens` on."""
        kept = self.tokens < num_tokens
        return replace(
            self,
            mentions=self.mentions[kept],
            tokens=self.tokens[kept],
            begins=self.begins[kept],
        )


class Injecting(nn.Module, ABC):
    """The module of an injection.

    Args:
        dropout: how often a mention is passed over in training.
    """

    def __init__(self, dropout: float) -> None:
        super().__init__()
        self.dropout = dropout

    def forward(self, features: Features, told: Told) -> Features:
        """Return the features of n records with what is known of them."""
        if self.training and self.dropout:
            drawn = torch.rand(len(told.records), device=told.records.device)
            told = told.only(drawn >= self.dropout)
        pooled = features.pooled + self.records(features.pooled, told)
        if features.tokens is None:
            return replace(features, pooled=pooled)
        told = told.read(features.tokens.shape[1])
        rows = told.records[told.mentions]
        change = self.tokens(features.tokens[rows, told.tokens], told)
        place = rows, told.tokens
        tokens = features.tokens.index_put(place, change, accumulate=True)
        return replace(features, pooled=pooled, tokens=tokens)

    @abstractmethod
    def records(self, pooled: Tensor, told: Told) -> Tensor:
        """Return what is added to the vector of each record: [n, D] → [n, D]."""

    @abstractmethod
    def tokens(self, states: Tensor, told: Told) -> Tensor:
        """Return what is added to the tokens inside mentions: [p, D] → [p, D]."""


class Gate(nn.Module):
    """GEMNET's gate: σ(W [h; k] + b) ⊙ W_k k with b = −2, and W_k = 0 at first.

    Args:
        width: of h.
        known: the width of k.
    """

    def __init__(self, width: int, known: int) -> None:
        super().__init__()
        self.gate = nn.Linear(width + known, width)
        self.value = nn.Linear(known, width, bias=False)
        nn.init.constant_(self.gate.bias, -2.0)
        nn.init.zeros_(self.value.weight)

    def forward(self, h: Tensor, k: Tensor) -> Tensor:
        """Return what is added to h: [·, D], [·, K] → [·, D]."""
        return self.gate(torch.cat([h, k], -1)).sigmoid() * self.value(k)


class GatedTypes(Injecting):
    """A gate for tokens, and one for records.

    Args:
        width: D.
        num_types: the types that are told apart; that something is named there counts as one more.
        dropout: how often a mention is passed over in training.
    """

    def __init__(self, width: int, num_types: int, dropout: float) -> None:
        super().__init__(dropout)
        self.num_types = num_types
        self.of_tokens = Gate(width, 2 * (1 + num_types))
        self.of_records = Gate(width, 1 + num_types)

    def marks(self, told: Told) -> Tensor:
        """Return how likely each mention is of each type, and a one in front: [m, 1 + types]."""
        marks = self.of_records.value.weight.new_zeros(len(told.records), 1 + self.num_types)
        if told.weights is None:
            marks[told.owners, 1 + told.items] = 1.0
        else:
            place = told.owners, 1 + told.items
            marks.index_put_(place, told.weights.to(marks.dtype), accumulate=True)
        marks[:, 0] = 1.0
        return marks

    def records(self, pooled: Tensor, told: Told) -> Tensor:
        """Tell each record the types of all its mentions."""
        marks = self.marks(told)
        index = told.records[:, None].expand_as(marks)
        k = marks.new_zeros(len(pooled), marks.shape[1])
        k = k.scatter_reduce(0, index, marks, "amax", include_self=True)
        return self.of_records(pooled, k)

    def tokens(self, states: Tensor, told: Told) -> Tensor:
        """Tell each token the types of its mention, in one half if it begins it, else the other."""
        marks = self.marks(told)[told.mentions]
        begins = told.begins[:, None].to(marks.dtype)
        return self.of_tokens(states, torch.cat([marks * begins, marks * (1 - begins)], -1))


class Attention(nn.Module):
    """Gated attention of some queries to some facts each, and to a null fact.

    Scores are cosines times a learned factor, so that no head can shut out all facts but one in a
    few steps; heads can look at facts of different predicates.

    Args:
        width: D, of queries' states and of facts alike.
        heads: H.
        inner: the width of queries, keys and values of a head.
    """

    def __init__(self, width: int, heads: int, inner: int) -> None:
        super().__init__()
        self.query = nn.Linear(width, heads * inner)
        self.key = nn.Linear(width, heads * inner)
        self.value = nn.Linear(width, heads * inner)
        self.told = nn.Linear(heads * inner, width, bias=False)
        self.null = nn.Parameter(torch.randn(heads, inner))
        self.factor = nn.Parameter(torch.full((heads,), 4.0))
        self.gate = nn.Parameter(torch.zeros(width))

    def forward(
        self, h: Tensor, asker: Tensor, facts: Tensor, weights: Tensor | None = None
    ) -> Tensor:
        """Return what is added to h.

        Args:
            h: the states that ask: [q, D].
            asker: which of them each pair belongs to: [j].
            facts: the fact of each pair: [j, D].
            weights: how much each pair counts in the softmax: [j]; None is 1.
        """
        queries, keys = self._apart(self.query(h)), self._apart(self.key(facts))
        queries = self.factor[:, None] * F.normalize(queries, dim=-1)
        scores = (queries[asker] * F.normalize(keys, dim=-1)).sum(-1)  # [j, H]
        if weights is not None:
            scores = scores + weights.clamp(min=SCARCELY).log()[:, None]
        null = (queries * F.normalize(self.null, dim=-1)).sum(-1)  # [q, H]
        index = asker[:, None].expand_as(scores)
        highest = null.detach().scatter_reduce(0, index, scores.detach(), "amax")
        odds = (scores - highest[asker]).exp()
        total = (null - highest).exp().index_add(0, asker, odds)
        alpha = (odds / total[asker])[..., None]
        values = self._apart(self.value(facts))
        found = torch.zeros_like(queries).index_add(0, asker, alpha * values)
        return self.gate.tanh() * self.told(found.flatten(1))

    def _apart(self, states: Tensor) -> Tensor:
        return states.unflatten(-1, (len(self.factor), -1))


class AttendedFacts(Injecting):
    """Attention of tokens to the facts of their mention, and of records to those of all.

    Args:
        width: D.
        heads: H.
        inner: the width of queries, keys and values of a head.
        dropout: how often a mention is passed over in training.
    """

    def __init__(self, width: int, heads: int, inner: int, dropout: float) -> None:
        super().__init__(dropout)
        self.of_tokens = Attention(width, heads, inner)
        self.of_records = Attention(width, heads, inner)
        self.places = nn.Embedding(2, width)
        self.norm = nn.LayerNorm(width, elementwise_affine=False)

    def records(self, pooled: Tensor, told: Told) -> Tensor:
        """Let each record attend to the facts of all its mentions."""
        asker = told.records[told.owners]
        return self.of_records(pooled, asker, self.norm(told.vectors), told.weights)

    def tokens(self, states: Tensor, told: Told) -> Tensor:
        """Let each token attend to the facts of its mention, as one that begins it or goes on."""
        pairs, facts = _pairs(told)
        placed = self.norm(told.vectors)[facts] + self.places(told.begins.long())[pairs]
        weights = None if told.weights is None else told.weights[facts]
        return self.of_tokens(states, pairs, placed, weights)


def _pairs(told: Told) -> tuple[Tensor, Tensor]:
    """Return every pair of a token inside a mention and an item of that mention: places of both."""
    order = torch.argsort(told.owners, stable=True)
    counts = torch.bincount(told.owners, minlength=len(told.records))
    starts = counts.cumsum(0) - counts
    sizes = counts[told.mentions]
    pairs = torch.repeat_interleave(torch.arange(len(sizes), device=sizes.device), sizes)
    within = torch.arange(len(pairs), device=sizes.device) - (sizes.cumsum(0) - sizes)[pairs]
    return pairs, order[starts[told.mentions][pairs] + within]
