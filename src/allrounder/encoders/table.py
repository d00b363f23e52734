"""Rows that are a few cells: numbers or categories."""

import hashlib

import numpy as np


class Table:
    """The cells of every row.

    Args:
        cells: one row per record, one column per field: [R, F].
        there: which cells are filled: [R, F].
    """

    def __init__(self, cells: np.ndarray, there: np.ndarray) -> None:
        self.cells, self.there = cells, there

    def __len__(self) -> int:
        return len(self.cells)

    @property
    def lengths(self) -> np.ndarray:
        """One token per field, missing ones too; none where every field is missing."""
        return np.where(self.there.any(1), self.cells.shape[1], 0)

    @property
    def full(self) -> np.ndarray:
        """As many: nothing is ever cut."""
        return self.lengths

    def keys(self, rows: np.ndarray) -> list[bytes]:
        """Return a hash of the cells of each of some rows: equal cells, equal hash."""
        held = np.ascontiguousarray(self.there)
        return [_key(self.cells[row].tobytes() + held[row].tobytes()) for row in rows]


def _key(cells: bytes) -> bytes:
    return hashlib.blake2b(cells, digest_size=16).digest()
