"""Rows that are sounds, and how a long one is cut."""

from itertools import pairwise

import numpy as np
import pyarrow as pa

from allrounder.encoders.files import Files


class Clips(Files):
    """The sounds of every row.

    Args:
        values: one value of a `FileField` per row, null where missing.
        samples: samples of each row at the encoder's rate, what is too long cut off.
        lengths: how many tokens each row has, 0 where missing.
        mark: how files are read.
        full: how many it would have, had nothing been cut off.
    """

    def __init__(
        self,
        values: pa.Array | pa.ChunkedArray,
        samples: np.ndarray,
        lengths: np.ndarray,
        mark: str,
        full: np.ndarray,
    ) -> None:
        super().__init__(values, lengths, mark, full)
        self.samples = samples


def cuts(num_samples: int, reach: int) -> list[tuple[int, int]]:
    """Return the windows in which a sound is read: as few as can be, of equal length."""
    count = -(-num_samples // reach)
    edges = [num_samples * at // count for at in range(count + 1)]
    return list(pairwise(edges))
