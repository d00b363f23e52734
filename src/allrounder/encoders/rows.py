"""What an encoder makes of every row before any batch is drawn."""

from typing import Protocol

import numpy as np


class Rows(Protocol):
    """Every row of one input, ready to be collated.

    `Tokens` are the rows of texts; other inputs have classes of their own.
    """

    def __len__(self) -> int: ...

    @property
    def lengths(self) -> np.ndarray:
        """How many tokens each row has, 0 where the input is missing."""
        ...

    @property
    def full(self) -> np.ndarray:
        """How many tokens each row would have, had nothing been cut off."""
        ...

    def keys(self, rows: np.ndarray) -> list[bytes]:
        """Return 16 bytes for each of some rows: equal content, equal bytes."""
        ...
