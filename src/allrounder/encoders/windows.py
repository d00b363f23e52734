"""How a text too long for one pass is cut into windows."""

import numpy as np


def windows(length: int, room: int) -> list[tuple[int, int]]:
    """Return the parts of a long text: `room` tokens each, a quarter of them shared."""
    if length <= room:
        return [(0, length)]
    starts = [*range(0, length - room, _step(room)), length - room]
    return [(start, start + room) for start in starts]


def windowed_lengths(
    lengths: np.ndarray, whole: np.ndarray, *, room: int, extra: int
) -> np.ndarray:
    """Return how many tokens are read of texts of these lengths.

    Args:
        lengths: the tokens of each text.
        whole: which texts are read whole; of the others only the first window is.
        room: tokens of the text in one window.
        extra: special tokens that stand around every window.
    """
    beyond = np.where(whole, np.maximum(lengths - room, 0), 0)
    count = 1 + -(-beyond // _step(room))
    return np.where(lengths > 0, count * (np.minimum(lengths, room) + extra), 0)


def _step(room: int) -> int:
    return room - room // 4
