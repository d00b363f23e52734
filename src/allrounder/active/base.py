"""The strategy protocol: which records of the pool are worth asking a person about."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, NamedTuple

import numpy as np

from allrounder.kinds import Kind
from allrounder.lazy import lazy

if TYPE_CHECKING:
    from allrounder.active import geometry
    from allrounder.active.sight import Sight
else:
    geometry = lazy("allrounder.active.geometry")

CANDIDATES = 20_000
"""Records that a strategy looks at which has to compare them with one another."""


class Chosen(NamedTuple):
    """Records in the order in which they are to be asked.

    Args:
        places: in the pool, all different.
        scores: how much each is wanted; only its order means something across strategies.
    """

    places: np.ndarray
    scores: np.ndarray


@dataclass(kw_only=True)
class Strategy(Kind, ABC):
    """A way to choose questions, and the `active` section of the project file.

    Args:
        n: how many questions are chosen at a time.
        random_share: the share of questions drawn at random, which shows what choosing gains and
            gives the labels that judge.
        tasks: the tasks that are asked; by default all that people can answer.
        start: what chooses the first questions of a task.
        start_n: how many labels a task has to have before a model chooses for it.
        bonus: how much more a record is wanted that was read for another task already, in units
            of the strategy's scores.
        reading: seconds to read a record, until enough answers have been timed.
        answering: seconds to answer one task of it, likewise.
        seed: of every random choice.
    """

    needs_model: ClassVar[bool] = True
    """Whether it asks what a model says of records."""

    needs_run: ClassVar[bool] = False
    """Whether that has to be a run, and a head fitted on vectors will not do."""

    reads_tokens: ClassVar[bool] = False
    """Whether it can choose for a task that reads tokens, once there is a run."""

    n: int = 20
    random_share: float = 0.2
    tasks: list[str] | None = None
    start: str = "k_means"
    start_n: int = 25
    bonus: float = 0.05
    reading: float = 6.0
    answering: float = 2.0
    seed: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.random_share <= 1:
            raise ValueError(f"has `random_share: {self.random_share}`. Expected 0 to 1.")
        for name in ("n", "reading", "answering"):
            if not getattr(self, name) > 0:
                raise ValueError(f"has `{name}: {getattr(self, name)}`. Expected more than 0.")
        for name in ("start_n", "bonus"):
            if not getattr(self, name) >= 0:
                raise ValueError(f"has `{name}: {getattr(self, name)}`. Expected 0 or more.")

    @abstractmethod
    def choose(self, sight: "Sight", n: int) -> Chosen:
        """Return up to `n` records that may be asked, the most wanted first.

        Args:
            sight: the pool as one task sees it.
            n: how many are wanted; where fewer may be asked, all of them come.
        """


@dataclass(kw_only=True)
class Ranking(Strategy):
    """A strategy that gives every record a score by itself.

    Those wanted most are often alike, so the batch is spread over them: of the best
    `diversity` · n records as many clusters are made as there are questions, records weighing as
    much as they are wanted, and each cluster gives its best (Zhdanov 2019, "Diverse mini-batch
    active learning"; there the one nearest to the center).

    Args:
        diversity: how many times more records than questions are looked at; 1 takes the best.
    """

    diversity: int = 10

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.diversity < 1:
            raise ValueError(f"has `diversity: {self.diversity}`. Expected 1 or more.")

    @abstractmethod
    def wanted(self, sight: "Sight") -> np.ndarray:
        """Return how much each record is wanted that may be asked: [number of `sight.open`]."""

    def choose(self, sight: "Sight", n: int) -> Chosen:
        """Return the records wanted most, spread over what is alike."""
        scores = self.wanted(sight) + self.bonus * sight.opened
        best = sight.best(scores, n * self.diversity)
        picked = best[:n]
        if n < len(best):
            picked = best[_spread(sight.vectors[sight.open[best]], scores[best], n, self.seed)]
        picked = picked[np.argsort(-scores[picked], kind="stable")]
        return Chosen(sight.open[picked], scores[picked])


def _spread(vectors: np.ndarray, scores: np.ndarray, n: int, seed: int) -> np.ndarray:
    """Return the best of each of n clusters; where clusters coincide, the next best fill up."""
    found = geometry.clusters(vectors, n, weights=np.maximum(scores, 1e-6), seed=seed)
    first = geometry.first_of_each(found, np.argsort(-scores, kind="stable"))
    rest = np.setdiff1d(np.argsort(-scores, kind="stable"), first, assume_unique=True)
    return np.concatenate([first, rest])[:n]
