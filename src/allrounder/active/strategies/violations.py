"""Records at odds with what is known: there the model, a rule or a fact is wrong."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from allrounder.active.base import Ranking

if TYPE_CHECKING:
    from allrounder.active.sight import Sight


@dataclass(kw_only=True)
class Violations(Ranking):
    """Answers of the latest run that rules changed or that break soft ones, and names in a tie.

    An answer that is another under rules than by itself counts 2, each rule that it breaks in spite
    of them 1, and 1 each mention whose two likeliest meanings are less than 0.1 apart. Of a large
    pool it looks at a random part. Until there is a run, `start` chooses.
    """

    needs_run: ClassVar[bool] = True
    reads_tokens: ClassVar[bool] = True

    def wanted(self, sight: "Sight") -> np.ndarray:
        """Return how much each record is at odds with what is known."""
        assert sight.voice is not None, "the planner asks no such strategy without a run"
        return sight.voice.broken(sight.name, sight.open)
