"""Batches of pictures and spectrograms. Imports torch: encoders reach it lazily."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor


@dataclass(frozen=True)
class Grids:
    """A batch of n grids of numbers: pictures, [n, C, H, W].

    Every record has `num_patches` tokens.
    """

    values: Tensor
    num_patches: int

    @property
    def lengths(self) -> Tensor:
        """Tokens of each record: [n]."""
        return torch.full((len(self.values),), self.num_patches, device=self.values.device)

    @property
    def num_tokens(self) -> int:
        """Tokens of all records."""
        return len(self.values) * self.num_patches

    def to(self, device: Any) -> "Grids":
        """Return the batch on another device."""
        return Grids(self.values.to(device), self.num_patches)


def stacked(pixels: Sequence[np.ndarray], num_patches: int) -> Grids:
    """Return pictures of one shape as a batch."""
    return Grids(torch.from_numpy(np.stack(pixels)), num_patches)
