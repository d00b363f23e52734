"""The one problem behind every joint answer: cheapest options, clauses kept or paid for.

Variables have few options, each with a cost. A clause lists (variable, options), options as bits:
in one of its variables one of these options has to be taken, or its weight is paid; a weight that
is infinite cannot be paid.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from math import inf, isinf

import numpy as np

Row = tuple[tuple[int, int], ...]
"""One clause: variables, and for each the bits of the options that satisfy it."""

NEVER = 1e9
"""What breaking a hard clause costs while searching; no answer costs as much."""

BEAM = 128
"""Nodes of one level that are followed at first."""

WIDER = 16
"""How many times as many are followed next, where some were left out."""

EQUAL = 1e-9
"""Costs closer than this are the same."""


class Exhausted(Exception):
    """The search has made as many nodes as it may."""


@dataclass(frozen=True)
class Step:
    """What becomes known when one more variable is fixed.

    The options of that variable, and which options [S] belong to it or to those before. The
    clauses of which all variables but one are fixed then: which options satisfy them already
    [S, C], and what an option of the last variable costs where none does [C, S].
    """

    variable: int
    options: slice
    fixed: np.ndarray
    satisfied: np.ndarray
    penalties: np.ndarray


@dataclass(frozen=True)
class Form:
    """The clauses over some variables; the costs of options come with each record.

    Args:
        sizes: how many options each variable has.
        rows: the clauses.
        weights: of the clauses.
    """

    sizes: tuple[int, ...]
    rows: tuple[Row, ...]
    weights: tuple[float, ...]

    @cached_property
    def starts(self) -> np.ndarray:
        """Where the options of each variable begin among all of them."""
        return np.cumsum([0, *self.sizes[:-1]])

    @cached_property
    def kept(self) -> np.ndarray:
        """Which options [S] satisfy which clauses [C]."""
        found = np.zeros((sum(self.sizes), len(self.rows)))
        for place, row in enumerate(self.rows):
            for variable, bits in row:
                start = self.starts[variable]
                found[start : start + self.sizes[variable], place] = _unpacked(
                    bits, self.sizes[variable]
                )
        return found

    @cached_property
    def order(self) -> list[int]:
        """The variables, each next one that meets most of those before, then most clauses."""
        left, done, met = set(range(len(self.sizes))), [], np.zeros(len(self.sizes))
        degree = np.zeros(len(self.sizes))
        for row in self.rows:
            for variable, _ in row:
                degree[variable] += 1 / len(row)
        while left:
            best = max(left, key=lambda v: (met[v], degree[v], -v))
            left.remove(best)
            done.append(best)
            for row in self.rows:
                if any(variable == best for variable, _ in row):
                    for variable, _ in row:
                        met[variable] += 1 / len(row)
        return done

    @cached_property
    def steps(self) -> list[Step]:
        """What becomes known with each variable, in their order."""
        rank = {variable: place for place, variable in enumerate(self.order)}
        ranks = [sorted(rank[variable] for variable, _ in row) for row in self.rows]
        return [
            self._step(variable, [c for c, r in enumerate(ranks) if len(r) > 1 and r[-2] == place],
                       [ranks[c][-1] for c, r in enumerate(ranks)
                        if len(r) > 1 and r[-2] == place])
            for place, variable in enumerate(self.order)
        ]  # fmt: skip

    def _step(self, variable: int, clauses: list[int], last: list[int]) -> Step:
        fixed = np.zeros(len(self.kept), dtype=bool)
        for known in self.order[: self.order.index(variable) + 1]:
            fixed[self._options(known)] = True
        satisfied = self.kept[:, clauses] * fixed[:, None]
        penalties = np.zeros((len(clauses), len(self.kept)))
        for place, (clause, rank) in enumerate(zip(clauses, last, strict=True)):
            options = self._options(self.order[rank])
            penalties[place, options] = self._weight(clause) * (1 - self.kept[options, clause])
        return Step(variable, self._options(variable), fixed, satisfied, penalties)

    @cached_property
    def alone(self) -> np.ndarray:
        """What clauses of one variable, or of none, make each option cost: [S]."""
        found = np.zeros(len(self.kept))
        for clause, row in enumerate(self.rows):
            if len(row) == 1:
                options = self._options(row[0][0])
                found[options] += self._weight(clause) * (1 - self.kept[options, clause])
        return found

    @cached_property
    def unpayable(self) -> bool:
        """Whether some hard clause is empty."""
        return any(
            not row and isinf(weight) for row, weight in zip(self.rows, self.weights, strict=True)
        )

    def _weight(self, clause: int) -> float:
        return min(self.weights[clause], NEVER)

    def _options(self, variable: int) -> slice:
        start = int(self.starts[variable])
        return slice(start, start + self.sizes[variable])

    def broken(self, choice: Sequence[int]) -> np.ndarray:
        """Return the places of the clauses that a choice does not satisfy."""
        return np.flatnonzero(self.kept[self.starts + np.asarray(choice)].sum(0) == 0)

    def price(self, costs: Sequence[Sequence[float]], choice: Sequence[int]) -> float:
        """Return what a choice costs, with the weights of the clauses that it breaks."""
        paid = sum(self.weights[clause] for clause in self.broken(choice))
        return paid + sum(costs[variable][option] for variable, option in enumerate(choice))


def _unpacked(bits: int, size: int) -> list[int]:
    return [bits >> option & 1 for option in range(size)]


def search(form: Form, costs: Sequence[Sequence[float]], *, budget: int) -> list[int] | None:
    """Return the cheapest choice that breaks no hard clause, or None where there is none.

    Branch and bound over variables in a fixed order, all nodes of a level at once. A node knows of
    every open option what it would cost beside the options taken (Larrosa and Meseguer 1996,
    partial forward checking); the sum of the least of these over variables is its bound. A narrow
    beam finds a first answer, which bounds the next, wider one; the answer is the optimum once a
    beam had to leave no node out.

    Args:
        form: the clauses.
        costs: of each option of each variable.
        budget: nodes to make.

    Raises:
        Exhausted: the budget is spent.
    """
    if form.unpayable or not form.sizes:
        return None if form.unpayable else []
    flat = np.concatenate([np.asarray(some, dtype=float) for some in costs]) + form.alone
    best, price, beam = None, inf, BEAM
    while True:
        found, cost, whole, made = _sweep(form, flat, most=price - EQUAL, beam=beam)
        best, price = (best, price) if found is None else (found, cost)
        budget -= made
        if whole:
            return best
        if budget < 0:
            raise Exhausted
        beam *= WIDER


def _sweep(
    form: Form, costs: np.ndarray, *, most: float, beam: int
) -> tuple[list[int] | None, float, bool, int]:
    """Return the best choice cheaper than `most` that a beam of so many nodes meets, if any.

    With it its cost, whether no node was left out, and how many were made.
    """
    nodes, whole, made = costs[None], True, 0  # [N, S]: what each option would cost
    least = np.minimum.reduceat(nodes, form.starts, axis=1)  # [N, V]: the least of each variable
    for step in form.steps:
        nodes, least, bounds = _fixed(form, nodes, least, step, min(most, NEVER / 2))
        if len(nodes) > beam:
            kept = np.argpartition(bounds, beam)[:beam]
            nodes, least, whole = nodes[kept], least[kept], False
        made += len(nodes)
        if not len(nodes):
            return None, inf, whole, made
    prices = least.sum(1)
    best = nodes[int(prices.argmin())]
    ends = [*form.starts[1:], len(best)]
    choice = [int(best[a:b].argmin()) for a, b in zip(form.starts, ends, strict=True)]
    return choice, float(prices.min()), whole, made


def _fixed(
    form: Form, nodes: np.ndarray, least: np.ndarray, step: Step, most: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the nodes with one more variable fixed that may still cost less than `most`.

    With them the least of each variable, and the sum of these, which is their bound.
    """
    rest = least.sum(1) - least[:, step.variable]
    own = nodes[:, step.options]
    bounds = rest[:, None] + own
    rows, taken = np.nonzero(bounds < most)
    bounds, price = bounds[rows, taken], own[rows, taken]
    nodes, least = nodes[rows], least[rows]
    least[:, step.variable] = price
    nodes[:, step.options] = np.inf
    nodes[np.arange(len(rows)), step.options.start + taken] = price
    if not len(step.penalties):
        return nodes, least, bounds
    unmet = (np.isfinite(nodes) & step.fixed) @ step.satisfied == 0
    nodes += unmet @ step.penalties
    least = np.minimum.reduceat(nodes, form.starts, axis=1)
    bounds = least.sum(1)
    keep = np.flatnonzero(bounds < most)
    return nodes[keep], least[keep], bounds[keep]
