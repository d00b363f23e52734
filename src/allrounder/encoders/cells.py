"""The torch side of numbers and categories: one token per field.

Shapes: n records, F fields, D width.
"""

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from allrounder.encoders.category import FIRST, OTHER
from allrounder.encoders.modules import Encoding

if TYPE_CHECKING:
    from allrounder.encoders.category import Category
    from allrounder.encoders.number import Number


@dataclass(frozen=True)
class Cells:
    """A batch of n records with F fields each.

    `parts` holds what is known of each field, [n, …]; `there` [n, F] says which are filled.
    """

    parts: list[Tensor]
    there: Tensor

    @property
    def lengths(self) -> Tensor:
        """Tokens of each record: [n]."""
        return torch.full((len(self.there),), self.there.shape[1], device=self.there.device)

    @property
    def num_tokens(self) -> int:
        """Tokens of all records."""
        return self.there.numel()

    def to(self, device: Any) -> "Cells":
        """Return the batch on another device."""
        return Cells([part.to(device) for part in self.parts], self.there.to(device))


def numbers(parts: Sequence[np.ndarray], there: np.ndarray) -> Cells:
    """Return a batch of numbers: per field its bins, [n, bins]."""
    return Cells([torch.from_numpy(part) for part in parts], torch.from_numpy(there))


def labels(found: np.ndarray) -> Cells:
    """Return a batch of labels by number: [n, F]."""
    table = torch.from_numpy(found)
    return Cells(list(table.unbind(1)), table > 0)


class Fields(Encoding):
    """One token per field; several are joined by a linear layer over all of them."""

    def __init__(self, width: int, num_fields: int) -> None:
        super().__init__()
        self.width = width
        self.join = nn.Linear(num_fields * width, width) if num_fields > 1 else nn.Identity()

    @abstractmethod
    def embedded(self, batch: Cells) -> list[Tensor]:
        """Return the vector of each field: [n, D] each."""

    def stem(self, batch: Cells) -> Tensor:
        """Return the tokens: [n, F, D]. Nothing is frozen."""
        return torch.stack(self.embedded(batch), 1)

    def top(self, states: Tensor, batch: Cells) -> Tensor:
        """Return the tokens as they are."""
        return states

    def pool(self, states: Tensor, batch: Cells) -> Tensor:
        """Return what the fields say together."""
        return self.join(states.flatten(1))

    def tokens(self, states: Tensor, batch: Cells) -> tuple[Tensor, Tensor]:
        """Return the tokens; a field that is missing has one too."""
        return states, torch.ones_like(batch.there)


class Numbers(Fields):
    """A linear layer and a ReLU over the bins of each field, a learned vector where missing."""

    def __init__(self, encoder: "Number") -> None:
        super().__init__(encoder.width, len(encoder.known))
        sizes = [len(edges) - 1 for edges in encoder.known]
        self.layers = nn.ModuleList(nn.Linear(size, encoder.width) for size in sizes)
        self.missing = nn.Parameter(torch.randn(len(sizes), encoder.width) * 0.1)

    def embedded(self, batch: Cells) -> list[Tensor]:
        """Return the vector of each field: [n, D] each."""
        return [
            torch.where(batch.there[:, at, None], layer(part).relu(), self.missing[at])
            for at, (layer, part) in enumerate(zip(self.layers, batch.parts, strict=True))
        ]


class Categories(Fields):
    """A table of vectors for each field; the first two rows are a missing and another label."""

    def __init__(self, encoder: "Category") -> None:
        super().__init__(encoder.width, len(encoder.known))
        sizes = [FIRST + len(labels) for labels in encoder.known]
        self.tables = nn.ModuleList(nn.Embedding(size, encoder.width) for size in sizes)
        self.unseen = encoder.unseen

    def embedded(self, batch: Cells) -> list[Tensor]:
        """Return the vector of each field: [n, D] each."""
        return [
            table(self._forgotten(part))
            for table, part in zip(self.tables, batch.parts, strict=True)
        ]

    def _forgotten(self, labels: Tensor) -> Tensor:
        """In training, take a small share of the known labels for "other"."""
        if not self.training or not self.unseen:
            return labels
        forgotten = torch.rand(labels.shape, device=labels.device) < self.unseen
        return labels.masked_fill(forgotten & (labels >= FIRST), OTHER)
