"""The optimum of random problems is that of CP-SAT."""

from math import inf

import numpy as np
import pytest

from allrounder.rules.exact import solve
from allrounder.rules.problem import Exhausted, Form, search


def random_problem(rng, *, variables=16):
    """Return a random problem of 5 to 150 clauses, one in five of them soft."""
    sizes = rng.choice([2, 2, 3, 4], variables)
    costs = [list(-np.log(rng.dirichlet(np.ones(size)))) for size in sizes]
    rows, weights = [], []
    for _ in range(int(rng.integers(5, 151))):
        some = rng.choice(variables, int(rng.integers(1, 4)), replace=False)
        whole = [(1 << int(sizes[v])) - 1 for v in some]
        bits = [1 << int(rng.integers(sizes[v])) for v in some]
        signs = rng.random(len(some)) < 0.3
        rows.append(
            tuple(
                (int(v), b if sign else w & ~b)
                for v, w, b, sign in zip(some, whole, bits, signs, strict=True)
            )
        )
        weights.append(inf if rng.random() < 0.8 else float(rng.uniform(0.2, 3)))
    return Form(tuple(map(int, sizes)), tuple(rows), tuple(weights)), costs  # fmt: skip


@pytest.mark.parametrize("seed", range(40))
def test_branch_and_bound_finds_what_cp_sat_finds(seed):
    form, costs = random_problem(np.random.default_rng(seed))
    found, exact = search(form, costs, budget=10**6), solve(form, costs)
    assert (found is None) == (exact is None)
    if found is not None:
        assert form.price(costs, found) == pytest.approx(form.price(costs, exact), abs=1e-4)


def test_the_budget_of_nodes_ends_the_search():
    rng = np.random.default_rng(3)
    with pytest.raises(Exhausted):
        for _ in range(20):
            search(*random_problem(rng), budget=10)


def test_an_empty_clause_that_cannot_be_paid_for_has_no_answer():
    form = Form((2,), ((),), (inf,))
    assert search(form, [[0.0, 1.0]], budget=10) is solve(form, [[0.0, 1.0]]) is None
