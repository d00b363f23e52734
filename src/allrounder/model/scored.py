"""The scores of one task for some rows."""

from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Scored:
    """The scores of one task for some rows.

    They are a tensor, `TokenScores` for a task that reads tokens, or `Vectors` for one that reads
    inputs.
    """

    task: str
    rows: np.ndarray
    scores: Any
