"""Which of the entities that a mention may name is meant, or whether none of them is.

The score of a candidate is α log prior + β context + γ coherence + δ types, that of none of them
(NIL) is a number of its own; a softmax over all makes them probabilities. It is a conditional logit
(McFadden 1974), so the five weights have one likeliest value on labelled mentions, and no weight
belongs to an entity: one that is added later is judged like the others.
"""

import math
from collections.abc import Sequence
from dataclasses import astuple, dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from allrounder.errors import DataError
from allrounder.kinds import CLOSED
from allrounder.knowledge.base import Base
from allrounder.knowledge.facts import ALIAS, DESCRIPTION, NAME
from allrounder.knowledge.lexicon import Mention
from allrounder.lazy import lazy

if TYPE_CHECKING:
    from scipy import optimize
else:
    optimize = lazy("scipy.optimize")

AROUND = 200
"""Characters before a mention, and behind it, that are its context."""

NEAREST = 8
"""Mentions before another one, and behind it, that it is expected to be coherent with."""

TOLD = 8
"""Facts that the text about an entity is made of at most, beside its description."""

EXAMPLES = 4
"""Entities that stand for a type; sixteen told no more."""

RARE = 1e-6
"""What a prior of zero counts as."""

TRUST = 3.0
"""How far a weight is expected to lie from where it begins, before any mention is labelled."""


class Evidence(NamedTuple):
    """What speaks for each candidate of a mention.

    Args:
        priors: how likely each is before anything else is known: [c].
        context: how much nearer each is to the text around than other entities are: [c].
        coherence: how much it has to do with what else the text mentions, from 0 to 1: [c].
        types: how much nearer things of its types are to the text around than others are: [c].
    """

    priors: np.ndarray
    context: np.ndarray
    coherence: np.ndarray
    types: np.ndarray

    def columns(self) -> np.ndarray:
        """Return what the weights are multiplied with, NIL last: [c + 1, 5]."""
        table = np.zeros((len(self.priors) + 1, 5))
        known = np.log(np.maximum(self.priors, RARE)), self.context, self.coherence, self.types
        table[:-1, :4] = np.stack(known, 1)
        table[-1, 4] = 1.0
        return table


@dataclass(frozen=True)
class Weights:
    """How much each sort of evidence counts.

    Args:
        prior: of the logarithm of the prior.
        context: of the context, in standard deviations over other entities.
        coherence: of the coherence.
        types: of what its types have to do with the text, in standard deviations too.
        nil: the score of NIL; at −∞ a mention always means one of its candidates.
    """

    __pydantic_config__ = CLOSED

    prior: float = 1.0
    context: float = 1.0
    coherence: float = 1.0
    types: float = 0.25
    nil: float = -0.25

    def __post_init__(self) -> None:
        for name in ("prior", "context", "coherence", "types"):
            if not 0 <= getattr(self, name) < math.inf:
                raise ValueError(f"has `{name}: {getattr(self, name)}`. Expected 0 or more.")
        if not self.nil < math.inf:
            raise ValueError(f"has `nil: {self.nil}`. Expected a number, or -.inf for never.")

    def probabilities(self, evidence: Evidence) -> np.ndarray:
        """Return how likely each candidate is, and last how likely none of them is: [c + 1]."""
        known = evidence.columns()
        scores = known[:, :4] @ np.array(astuple(self)[:4])
        scores[-1] = self.nil
        odds = np.exp(scores - scores.max())
        return odds / odds.sum()


def fitted(evidence: Sequence[Evidence], meant: Sequence[int | None], begin: Weights) -> Weights:
    """Return the weights under which what was meant is likeliest.

    Weights are expected around `begin` (normal, standard deviation `TRUST`), so that a few labelled
    mentions do no harm; that of evidence is never negative.

    Args:
        evidence: of each labelled mention.
        meant: the place of the candidate that is meant, None for NIL.
        begin: the weights before any label.
    """
    if not evidence:
        raise DataError(
            "Linking is fitted to labelled mentions: expected one or more whose place in the text "
            "is a mention of the knowledge base, found none. Check start and end, or add the names."
        )
    tables = [one.columns() for one in evidence]
    starts = np.cumsum([0, *map(len, tables)])
    right = starts[:-1] + [
        len(table) - 1 if place is None else place
        for table, place in zip(tables, meant, strict=True)
    ]
    known, starts = np.concatenate(tables), starts[:-1]
    first = np.array(astuple(begin))
    first[4] = max(first[4], math.log(RARE))

    def surprise(weights: np.ndarray) -> tuple[float, np.ndarray]:
        scores = known @ weights
        sizes = np.diff(np.append(starts, len(known)))
        odds = np.exp(scores - np.repeat(np.maximum.reduceat(scores, starts), sizes))
        likely = odds / np.repeat(np.add.reduceat(odds, starts), sizes)
        off = (weights - first) / TRUST
        loss = -np.log(np.maximum(likely[right], 1e-300)).sum() + (off**2).sum() / 2
        return loss, likely @ known - known[right].sum(0) + off / TRUST

    bounds = [(0, None)] * 4 + [(None, None)]
    found = optimize.minimize(surprise, first, jac=True, method="L-BFGS-B", bounds=bounds)
    return Weights(*found.x.tolist())


def described(base: Base, entity: int) -> str:
    """Return what is known of an entity as one text: its name, its description, other facts."""
    rows = base.snapshot.facts_of(entity)
    order = np.argsort(-rows.confidence, kind="stable")
    said: list[str] = []
    told: list[str] = []
    for place in order.tolist():
        predicate = base.snapshot.predicates[rows.predicates[place]]
        number, is_entity = int(rows.objects[place]), bool(rows.is_entity[place])
        value = base.names[number] if is_entity else base.snapshot.literals[number]
        if predicate == DESCRIPTION:
            said.append(value)
        elif predicate not in (NAME, ALIAS):
            told.append(f"{predicate}: {value}")
    return "; ".join([": ".join([base.names[entity], *said]), *told[:TOLD]])


def surroundings(text: str, mention: Mention) -> str:
    """Return the text around a mention, cut where a word begins or ends.

    The mention itself is left out: what its candidates are called, which they share, says nothing.
    """
    start, end = max(0, mention.start - AROUND), min(len(text), mention.end + AROUND)
    before, behind = text[start : mention.start], text[mention.end : end]
    if start and " " in before:
        before = before.split(" ", 1)[1]
    if end < len(text) and " " in behind:
        behind = behind.rsplit(" ", 1)[0]
    return f"{before.rstrip()} {behind.lstrip()}".strip()


class Examples:
    """What types a knowledge base has, and some entities of each.

    A type of an entity is whatever it is an instance or a kind of, in however many steps.

    Args:
        base: the knowledge base.
    """

    def __init__(self, base: Base) -> None:
        self._kinds = base.kinds
        sizes = np.diff(self._kinds.offsets)
        order = np.argsort(self._kinds.numbers, kind="stable")
        self._members = np.repeat(np.arange(len(sizes)), sizes)[order]
        counts = np.bincount(self._kinds.numbers, minlength=len(self._kinds.names))
        self._starts = np.concatenate([[0], np.cumsum(counts)])

    def types(self, entity: int) -> list[int]:
        """Return the numbers of an entity's types."""
        offsets = self._kinds.offsets
        return self._kinds.numbers[offsets[entity] : offsets[entity + 1]].tolist()

    def of(self, type: int) -> list[int]:
        """Return some entities of a type, evenly from all."""
        members = self._members[self._starts[type] : self._starts[type + 1]]
        places = np.linspace(0, len(members) - 1, min(EXAMPLES, len(members))).astype(int)
        return members[places].tolist()


class Relations:
    """How much entities of a knowledge base have to do with each other.

    Args:
        base: the knowledge base.
    """

    def __init__(self, base: Base) -> None:
        self._snapshot = base.snapshot
        self._names = [
            number
            for number, name in enumerate(base.snapshot.predicates)
            if name in (NAME, ALIAS, DESCRIPTION)
        ]
        self._known: dict[int, frozenset[int]] = {}

    def between(self, one: int, other: int) -> float:
        """Return 1 if a fact links them, else the share of their facts' objects that both have."""
        mine, others = self._objects(one), self._objects(other)
        if one == other or 2 * other + 1 in mine or 2 * one + 1 in others:
            return 1.0
        both = len(mine & others)
        return both / (len(mine) + len(others) - both) if both else 0.0

    def coherence(self, mentions: Sequence[Mention], place: int) -> np.ndarray:
        """Return how coherent each candidate of one of a text's mentions is: [c].

        That is the mean over other mentions nearby of how much it has to do with what these mean,
        each of their candidates by its prior. The same name again tells nothing.
        """
        mine = mentions[place].candidates
        near = mentions[max(0, place - NEAREST) : place + NEAREST + 1]
        others = [other for other in near if set(other.candidates) != set(mine)]
        return np.array([
            sum(
                prior * self.between(candidate, entity)
                for other in others
                for entity, prior in zip(other.candidates, other.priors, strict=True)
            ) / max(1, len(others))
            for candidate in mine
        ])  # fmt: skip

    def _objects(self, entity: int) -> frozenset[int]:
        """Return what is said of an entity: twice the number of each object, plus 1 if entity."""
        if entity not in self._known:
            rows = self._snapshot.facts_of(entity)
            kept = ~np.isin(rows.predicates, self._names)
            keys = rows.objects[kept].astype(np.int64) * 2 + rows.is_entity[kept]
            self._known[entity] = frozenset(keys.tolist())
        return self._known[entity]
