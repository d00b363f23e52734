"""What a model said of labelled records."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from allrounder.model import Model

Passes = Sequence[tuple[Model, Sequence[str]]]
"""Models, each with the tasks it answers."""

Calibration = Mapping[str, dict[str, Any]]
"""By task, what was fitted on validation records."""


@dataclass
class Said:
    """What a model said of one task: lists in the order of `rows`."""

    rows: list[int] = field(default_factory=list)
    decoded: list[Any] = field(default_factory=list)
    answers: list[dict[str, Any]] = field(default_factory=list)
    raw: list[dict[str, Any]] = field(default_factory=list)

    def ordered(self) -> "Said":
        """Return everything in the order of the records."""
        order = np.argsort(self.rows, kind="stable")
        lists = {k: [v[i] for i in order] if v else [] for k, v in vars(self).items()}
        return Said(**lists)
