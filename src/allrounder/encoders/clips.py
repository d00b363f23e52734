"""Rows that are sounds, and how a long one is cut."""

from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pyarrow as pa

from allrounder.encoders.files import Files, in_order, known
from allrounder.encoders.sounds import seconds


class Clips(Files):
    """The sounds of every row.

    Args:
        values: one value of a `FileField` per row, null where missing.
        samples: samples of each row at the encoder's rate, what is too long cut off.
        lengths: how many tokens each row has, 0 where missing.
        full: how many it would have, had nothing been cut off.
    """

    def __init__(
        self,
        values: pa.Array | pa.ChunkedArray,
        samples: np.ndarray,
        lengths: np.ndarray,
        full: np.ndarray,
    ) -> None:
        super().__init__(values, lengths, full)
        self.samples = samples


def clips(
    values: pa.Array | pa.ChunkedArray,
    *,
    rate: int,
    most: int,
    tokens: Callable[[int], int],
) -> Clips:
    """Return sounds measured by the heads of their files.

    Args:
        values: one value of a `FileField` per row, null where missing.
        rate: samples a second.
        most: samples beyond which a sound is cut.
        tokens: how many tokens so many samples become.
    """
    there = known(values)
    whole = np.zeros(len(values), np.int64)
    rows = np.flatnonzero(there).tolist()
    lasting = in_order(lambda row: seconds(values[row].as_py()), rows)
    whole[rows] = [max(1, round(length * rate)) for length in lasting]
    samples = np.minimum(whole, most)
    lengths = np.array([tokens(count) if count else 0 for count in samples.tolist()], np.int64)
    full = np.array([tokens(count) if count else 0 for count in whole.tolist()], np.int64)
    return Clips(values, samples, lengths, full)


def cuts(num_samples: int, reach: int) -> list[tuple[int, int]]:
    """Return the windows in which a sound is read: as few as can be, of equal length."""
    count = -(-num_samples // reach)
    edges = [num_samples * at // count for at in range(count + 1)]
    return list(pairwise(edges))
