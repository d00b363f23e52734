"""Rules as clauses: each rule becomes sets of literals of which one has to hold.

A literal is (number, sign): leaves first, then helpers that stand for larger parts. A helper only
has to hold where its part is needed (Plaisted and Greenbaum 1986); counting goes by the sequential
counter (Sinz 2005) where naming every subset would take too many clauses.
"""

from collections.abc import Iterator, Sequence
from itertools import combinations, product
from math import comb, prod

from allrounder.rules.meaning import bounds
from allrounder.rules.syntax import And, Expression, Implies, Leaf, Not, Of, Or, Same, leaves

Literal = tuple[int, bool]
Clause = frozenset[Literal]

MANY = 64
"""Clauses of one part above which helpers take its place."""


class Clauses:
    """The clauses of some trees, which share their leaves and helpers.

    Args:
        trees: what has to hold.
    """

    def __init__(self, trees: Sequence[Expression]) -> None:
        self.leaves = list(dict.fromkeys(leaf for tree in trees for leaf in leaves(tree)))
        self._number = {leaf: place for place, leaf in enumerate(self.leaves)}
        self.num_helpers = 0
        self.by_tree = [self._all(tree) for tree in trees]

    @property
    def num_literals(self) -> int:
        """Leaves and helpers."""
        return len(self.leaves) + self.num_helpers

    def _all(self, tree: Expression) -> list[Clause]:
        self._extra: list[Clause] = []
        self._known: dict[tuple[Expression, bool], list[Clause]] = {}
        return [*self._of(tree, True), *self._extra]

    def _of(self, tree: Expression, sign: bool) -> list[Clause]:
        """Return clauses that hold where the tree does, or where it does not; each made once.

        A chain of `<=>` asks for each of its parts again at every level above it.
        """
        if (tree, sign) not in self._known:
            self._known[tree, sign] = self._made(tree, sign)
        return self._known[tree, sign]

    def _made(self, tree: Expression, sign: bool) -> list[Clause]:
        if isinstance(tree, Leaf):
            return [frozenset({(self._number[tree], sign)})]
        if isinstance(tree, Not):
            return self._of(tree.part, not sign)
        if isinstance(tree, Implies):
            return self._of(Or((Not(tree.condition), tree.then)), sign)
        if isinstance(tree, Same):
            left, right = tree.left, tree.right
            return [
                *self._of(Or((Not(left), right if sign else Not(right))), True),
                *self._of(Or((left, Not(right) if sign else right)), True),
            ]
        return self._counted(tree, sign)

    def _counted(self, tree: And | Or | Of, sign: bool) -> list[Clause]:
        low, high = bounds(tree)
        if sign:
            return [*self._at_least(tree.parts, low), *self._at_most(tree.parts, high)]
        under, over = self._at_most(tree.parts, low - 1), self._at_least(tree.parts, high + 1)
        return self._either([under, over])

    def _at_most(self, parts: Sequence[Expression], most: int) -> list[Clause]:
        return self._at_least([Not(part) for part in parts], len(parts) - most)

    def _at_least(self, parts: Sequence[Expression], least: int) -> list[Clause]:
        """Return clauses by which `least` parts hold: of any size − least + 1 of them one does."""
        size = len(parts) - least + 1
        if least <= 0:
            return []
        if size <= 0:
            return [frozenset()]
        each = [self._of(part, True) for part in parts]
        if comb(len(parts), size) > MANY:
            return list(self._counter([self._single(one) for one in each], len(parts) - least))
        return [c for some in combinations(each, size) for c in self._either(list(some))]

    def _either(self, sides: list[list[Clause]]) -> list[Clause]:
        """Return clauses by which one of the sides holds as a whole."""
        if any(not side for side in sides):
            return []
        if prod(map(len, sides)) > MANY:
            sides = [
                side if len(side) == 1 else [frozenset({self._single(side)})] for side in sides
            ]
        return [c for some in product(*sides) if not _is_idle(c := frozenset().union(*some))]

    def _single(self, side: list[Clause]) -> Literal:
        """Return one literal that stands for some clauses."""
        if len(side) == 1 and len(side[0]) == 1:
            return next(iter(side[0]))
        helper = self._helper()
        self._extra += [clause | {(helper, False)} for clause in side]
        return helper, True

    def _helper(self) -> int:
        self.num_helpers += 1
        return self.num_literals - 1

    def _counter(self, literals: Sequence[Literal], most: int) -> Iterator[Clause]:
        """Yield clauses by which at most `most` of the literals do not hold."""
        before: list[int] = []
        for number, sign in literals:
            wrong, after = (number, sign), [self._helper() for _ in range(most)]
            for j, now in enumerate(after):
                if before:
                    yield frozenset({(before[j], False), (now, True)})
                if j == 0:
                    yield frozenset({wrong, (now, True)})
                elif before:
                    yield frozenset({wrong, (before[j - 1], False), (now, True)})
            if before:
                yield frozenset({wrong, (before[most - 1], False)})
            before = after


def _is_idle(clause: Clause) -> bool:
    return any((number, not sign) in clause for number, sign in clause)
