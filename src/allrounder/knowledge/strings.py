"""Many strings that lie in one Arrow array, on disk or in memory, read one at a time."""

from bisect import bisect_left
from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow as pa


class Strings(Sequence[str]):
    """A sequence of strings over an Arrow array.

    Args:
        array: the strings; none is null.
    """

    def __init__(self, array: pa.Array) -> None:
        self.array = array
        _, bounds, data = array.buffers()
        every = np.frombuffer(bounds, np.int32) if bounds else np.zeros(1, np.int32)
        self._bounds = every[array.offset : array.offset + len(array) + 1]
        self._data = memoryview(data) if data else memoryview(b"")

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self.array)

    def __getitem__(self, place):
        """Return the string at `place`, or several for a slice."""
        if isinstance(place, slice):
            return self.array[place].to_pylist()
        if not 0 <= place < len(self):
            raise IndexError(f"there are {len(self)} strings, none at {place}")
        return str(self._data[self._bounds[place] : self._bounds[place + 1]], "utf-8")

    def __iter__(self) -> Iterator[str]:
        """Yield every string."""
        return iter(self.array.to_pylist())

    def find(self, word: str) -> int | None:
        """Return the place of `word` where the strings are sorted, or None."""
        place = bisect_left(self, word)
        return place if place < len(self) and self[place] == word else None
