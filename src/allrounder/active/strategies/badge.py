"""Records whose gradients are large and unlike one another."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from allrounder.active.base import Chosen, Strategy

if TYPE_CHECKING:
    from allrounder.active.sight import Sight


@dataclass(kw_only=True)
class Badge(Strategy):
    """k-means++ over the gradients that the likeliest answers would give (Ash et al. 2020).

    The gradient of a linear head is (p − ŷ) ⊗ x, so distances come from two small tables:
    |a⊗x − b⊗y|² = |a|²|x|² + |b|²|y|² − 2 (a·b)(x·y). As in the paper the first record is the one
    with the largest gradient; of numbers, p − ŷ is the deviation over passes with dropout.
    """

    def choose(self, sight: "Sight", n: int) -> Chosen:
        """Draw records one by one, by the squared distance to the nearest one drawn."""
        places = sight.candidates
        vectors = sight.vectors[places]
        errors = self._errors(sight, vectors)
        long = (errors**2).sum(1) * (vectors**2).sum(1)
        rng, picked = np.random.default_rng(self.seed), []
        away = long.copy()
        for _ in range(min(n, len(places))):
            picked.append(_drawn(away, rng) if picked else int(np.argmax(long)))
            one = picked[-1]
            same = (errors @ errors[one]) * (vectors @ vectors[one])
            away = np.minimum(away, np.maximum(long + long[one] - 2 * same, 0))
            away[picked] = -1
        return Chosen(places[picked], long[picked])

    def _errors(self, sight: "Sight", vectors: np.ndarray) -> np.ndarray:
        """Return p − ŷ of all decisions, end to end: [n, ΣO]."""
        decisions = sight.learner.chances(vectors)
        if not decisions:
            return sight.learner.spread(vectors, self.seed)[:, None]
        errors = []
        for chances in decisions:
            found = chances.copy()
            found[np.arange(len(found)), chances.argmax(1)] -= 1
            errors.append(found)
        return np.concatenate(errors, axis=1)


def _drawn(weights: np.ndarray, rng: np.random.Generator) -> int:
    """Draw a place with a chance in proportion to its weight; those below 0 are gone."""
    chances = np.maximum(weights, 0).astype(np.float64)
    if not chances.sum():
        chances = (weights >= 0).astype(np.float64)
    return int(rng.choice(len(chances), p=chances / chances.sum()))
