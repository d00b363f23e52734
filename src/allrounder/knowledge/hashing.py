"""A hash of every stretch of a text at once, from sums over its characters.

A stretch is hashed as a polynomial in a fixed odd number over its code points, modulo 2^64 (Karp
and Rabin, 1987). The sums up to every place give the hash of any stretch by one subtraction and one
multiplication, so thousands of stretches cost a handful of array operations.
"""

from collections.abc import Sequence

import numpy as np

BLOCK = 1 << 12
"""Texts that are hashed at a time."""

_BASE = 0x9E3779B97F4A7C15
_INVERSE = pow(_BASE, -1, 1 << 64)


def stirred(x: np.ndarray) -> np.ndarray:
    """Return 64 bits in which every bit depends on all (the finalizer of SplitMix64)."""
    x = x + np.uint64(_BASE)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


class Hashing:
    """Powers of the base, and of its inverse, as many as the longest text so far needed."""

    def __init__(self) -> None:
        self._powers = _powers(1 << 12)

    def __call__(self, codes: np.ndarray, starts: np.ndarray, ends: np.ndarray) -> np.ndarray:
        """Return a hash of each stretch of a text.

        Args:
            codes: the code points of the text.
            starts: where stretches begin.
            ends: where they end, the end excluded.
        """
        if len(codes) > len(self._powers[0]):
            self._powers = _powers(2 * len(codes))
        powers, inverses = self._powers
        sums = np.zeros(len(codes) + 1, np.uint64)
        (codes * powers[: len(codes)]).cumsum(out=sums[1:])
        return stirred((sums[ends] - sums[starts]) * inverses[starts])


def hashed(texts: Sequence[str]) -> np.ndarray:
    """Return 64 bits for each text, the same on every machine."""
    hashing = Hashing()
    parts = [_block(texts[i : i + BLOCK], hashing) for i in range(0, len(texts), BLOCK)]
    return np.concatenate([np.empty(0, np.uint64), *parts])


def code_points(text: str) -> np.ndarray:
    """Return the code points of a text."""
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32)


def _block(texts: Sequence[str], hashing: Hashing) -> np.ndarray:
    ends = np.cumsum(np.fromiter(map(len, texts), np.int64, len(texts)))
    starts = np.concatenate([[0], ends[:-1]])
    return stirred(
        hashing(code_points("".join(texts)), starts, ends) ^ (ends - starts).view(np.uint64)
    )


def _powers(n: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the first powers of base and inverse, from the power 0 to n."""
    factors = np.array([[_BASE], [_INVERSE]], np.uint64).repeat(n + 1, axis=1)
    factors[:, 0] = 1
    powers, inverses = np.cumprod(factors, axis=1, dtype=np.uint64)
    return powers, inverses
