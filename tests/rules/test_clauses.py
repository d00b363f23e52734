"""Clauses hold exactly where the rule does, whatever helpers they take."""

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import trees

from allrounder.rules.clauses import Clauses
from allrounder.rules.meaning import truth
from allrounder.rules.syntax import Has, Of, Or

LEAVES = [Has("topics", name) for name in "abcd"]


def holds(clauses, values):
    """Return whether helpers can be chosen so that all clauses hold."""
    every = [clause for some in clauses.by_tree for clause in some]
    helpers = range(len(clauses.leaves), clauses.num_literals)
    for chosen in product([False, True], repeat=len(helpers)):
        known = {**values, **dict(zip(helpers, chosen, strict=True))}
        if all(any(known[number] == sign for number, sign in clause) for clause in every):
            return True
    return False


@given(trees(st.sampled_from(LEAVES), most=8))
def test_clauses_hold_where_the_tree_does(tree):
    clauses = Clauses([tree])
    if clauses.num_helpers > 6:
        return
    for bits in product([False, True], repeat=len(clauses.leaves)):
        values = dict(enumerate(bits))
        known = dict(zip(clauses.leaves, bits, strict=True))
        assert holds(clauses, values) == truth(tree, known.__getitem__)


@pytest.mark.parametrize(("low", "high"), [(0, 4), (5, 10), (4, 4)])
def test_counting_many_parts_goes_by_a_counter(low, high):
    from pysat.solvers import Minisat22

    leaves = tuple(Has("topics", str(n)) for n in range(10))
    clauses = Clauses([Of(low, high, leaves)])
    assert clauses.num_helpers
    rows = [[n + 1 if sign else -n - 1 for n, sign in c] for c in clauses.by_tree[0]]
    with Minisat22(bootstrap_with=rows) as solver:
        for bits in product([False, True], repeat=10):
            given_ = [n + 1 if on else -n - 1 for n, on in enumerate(bits)]
            assert solver.solve(assumptions=given_) == (low <= sum(bits) <= high)


def test_a_large_disjunction_of_conjunctions_stays_small():
    parts = tuple(Of(3, 3, tuple(Has("t", f"{n}{k}") for k in range(3))) for n in range(8))
    assert sum(map(len, Clauses([Or(parts)]).by_tree)) < 40
