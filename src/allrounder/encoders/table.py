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

    def digest(self, rows: np.ndarray) -> bytes:
        """Return a hash of the cells of some rows: equal cells, equal hash."""
        found = hashlib.blake2b(self.cells[rows].tobytes(), digest_size=16)
        found.update(self.there[rows].tobytes())
        return found.digest()
