"""The joint problem given to OR-tools' CP-SAT, for what branch and bound does not finish."""

from collections.abc import Sequence
from math import isinf
from typing import Any

from allrounder.errors import MissingExtra
from allrounder.rules.problem import Form

SCALE = 10**6
"""Costs are counted in millionths of a nat."""

DEAREST = 10**5
"""Nats above which one option is as dear as another."""


def solve(form: Form, costs: Sequence[Sequence[float]]) -> list[int] | None:
    """Return the cheapest choice that breaks no hard clause, or None where there is none."""
    cp_model = _solver()
    model = cp_model.CpModel()
    taken = [[model.new_bool_var("") for _ in range(size)] for size in form.sizes]
    for some in taken:
        model.add_exactly_one(some)
    flat = [variable for some in taken for variable in some]
    prices = [_price(cost) for some in costs for cost in some]
    for row, weight in zip(form.rows, form.weights, strict=True):
        ways = [v for n, bits in row for o, v in enumerate(taken[n]) if bits >> o & 1]
        if not isinf(weight):
            ways.append(model.new_bool_var(""))
            flat.append(ways[-1])
            prices.append(_price(weight))
        model.add_bool_or(ways)
    model.minimize(cp_model.LinearExpr.weighted_sum(flat, prices))
    solver = cp_model.CpSolver()
    solver.parameters.num_workers = 1
    status = solver.solve(model)
    if status == cp_model.INFEASIBLE:
        return None
    assert status == cp_model.OPTIMAL, solver.status_name(status)
    return [next(o for o, v in enumerate(some) if solver.boolean_value(v)) for some in taken]


def _price(cost: float) -> int:
    return round(SCALE * min(cost, DEAREST))


def _solver() -> Any:
    try:
        from ortools.sat.python import cp_model
    except ImportError:
        raise MissingExtra("Rules need OR-tools. Try: pip install 'allrounder[rules]'") from None
    return cp_model
