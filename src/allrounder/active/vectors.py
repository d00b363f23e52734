"""What frozen encoders say of every record of a pool, mapped from disk."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch

PART = 1 << 13
"""Records whose vectors are in memory at a time: few enough for memory to be used again."""


@dataclass(frozen=True)
class Vectors:
    """One vector a record, end to end over inputs: each scaled to a mean square of 1.

    Args:
        tables: by input [N, D], in half precision, zeros where a record does not have it.
        scales: what each input's vectors are multiplied by.
    """

    tables: Sequence[np.ndarray]
    scales: Sequence[float]

    @classmethod
    def of(cls, tables: Sequence[np.ndarray]) -> "Vectors":
        """Scale the vectors of every input to a mean length of 1."""
        return cls(tables, [_scale(table) for table in tables])

    def __len__(self) -> int:
        return len(self.tables[0])

    def __getitem__(self, places: np.ndarray) -> np.ndarray:
        """Return the vectors of some records: [n, D]."""
        pairs = zip(self.tables, self.scales, strict=True)
        found = [_scaled(table[places], scale) for table, scale in pairs]
        return found[0] if len(found) == 1 else np.concatenate(found, axis=1)

    def parts(self, places: np.ndarray) -> Iterator[np.ndarray]:
        """Yield the vectors of some records in their order, part by part."""
        for start in range(0, len(places), PART):
            yield self[places[start : start + PART]]


def _scaled(table: np.ndarray, scale: float) -> np.ndarray:
    """Return vectors in single precision, times a number; torch does so on all cores."""
    return torch.from_numpy(np.asarray(table)).float().mul_(scale).numpy()


def _scale(table: np.ndarray) -> float:
    """Return one by the root of the mean squared length, over a sample of records."""
    some = table[np.arange(0, len(table), max(1, len(table) // 4096))].astype(np.float32)
    there = np.einsum("nd,nd->n", some, some)
    there = there[there > 0]
    return float(1 / np.sqrt(there.mean())) if len(there) else 1.0
