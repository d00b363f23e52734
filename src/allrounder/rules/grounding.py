"""Rules laid over one record: what its inputs say is filled in, its answers become variables."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import inf, isinf
from typing import Any

from allrounder.rules.clauses import Clause, Clauses
from allrounder.rules.problem import Form
from allrounder.rules.terms import Key
from allrounder.types import Variable

Weights = tuple[float | None, ...]
"""For each rule what breaking it costs: infinity for a hard one; None leaves the rule out."""

Signs = tuple[int, ...]
"""For each option of a variable, as bits, which of the variable's leaves hold of it."""


@dataclass(frozen=True)
class Ground:
    """What one record makes of the leaves.

    Args:
        constant: by leaf, whether it holds of the inputs; left out where they do not tell.
        keys: the answers of the record.
        signs: for each of these what its options say.
    """

    constant: tuple[tuple[int, bool], ...]
    keys: tuple[Key, ...]
    signs: tuple[Signs, ...]


@dataclass(frozen=True)
class Part:
    """Variables that clauses tie together, and the problem of these alone.

    Args:
        form: the clauses; its variables are answers first, then helpers.
        answers: places in `Ground.keys`.
        classes: for each answer, options that no leaf tells apart stand together.
        extra: costs of the options of helpers.
        rules: places of the rules whose clauses these are.
    """

    form: Form
    answers: list[int]
    classes: list[list[list[int]]]
    extra: list[list[float]]
    rules: set[int]

    @property
    def is_hard(self) -> bool:
        """Whether nothing in it can be paid for."""
        paid = any(cost for some in self.extra for cost in some)
        return not paid and all(isinf(weight) for weight in self.form.weights)

    def costs(self, variables: Sequence[Variable]) -> list[list[float]]:
        """Return what each option costs: each class its cheapest."""
        mine = [
            [min(variables[answer].costs[option] for option in options) for options in classes]
            for answer, classes in zip(self.answers, self.classes, strict=True)
        ]
        return [*mine, *self.extra]

    def options(self, choice: Sequence[int], variables: Sequence[Variable]) -> dict[int, int]:
        """Return by answer the option that a choice of classes stands for."""
        return {
            answer: _cheapest(variables[answer], classes[choice[place]])
            for place, (answer, classes) in enumerate(zip(self.answers, self.classes, strict=True))
        }


def _cheapest(variable: Variable, options: Sequence[int]) -> int:
    return min(options, key=lambda option: (variable.costs[option], option != variable.best))


class Grounding:
    """Turns a record into parts; records that are alike share them.

    Args:
        clauses: of all rules.
        keys: what each leaf speaks of.
    """

    def __init__(self, clauses: Clauses, keys: Sequence[Key]) -> None:
        self.clauses = clauses
        self.of_key: dict[Key, list[int]] = {}
        for number, key in enumerate(keys):
            self.of_key.setdefault(key, []).append(number)

    def parts(self, ground: Ground, weights: Weights) -> list[Part]:
        """Return the parts of a record, those that are tied by no clause left out."""
        return _Builder(self, ground, weights).parts()


class _Builder:
    """The variables and rows of one record."""

    def __init__(self, grounding: Grounding, ground: Ground, weights: Weights) -> None:
        self.grounding, self.ground = grounding, ground
        self.known: Mapping[int, bool] = dict(ground.constant)
        self.place: dict[int, int] = {}
        self.classes: list[list[list[int]]] = []
        self.bits: dict[int, int] = {}
        for place, (key, signs) in enumerate(zip(ground.keys, ground.signs, strict=True)):
            self._answer(place, grounding.of_key.get(key, []), signs)
        self.sizes = [len(classes) for classes in self.classes]
        self.extra: dict[int, list[float]] = {}
        self.rows: list[tuple[dict[int, int], float, int]] = []
        for rule, weight in enumerate(weights):
            if weight is not None:
                self._rule(rule, weight)

    def _answer(self, place: int, leaves: list[int], signs: Signs) -> None:
        distinct = sorted(set(signs))
        self.classes.append([[o for o, s in enumerate(signs) if s == sign] for sign in distinct])
        for at, leaf in enumerate(leaves):
            self.place[leaf] = place
            self.bits[leaf] = sum(1 << n for n, sign in enumerate(distinct) if sign >> at & 1)

    def _rule(self, rule: int, weight: float) -> None:
        found = [row for clause in self.grounding.clauses.by_tree[rule]
                 if (row := self._row(clause)) is not None]  # fmt: skip
        if weight < inf and len(found) > 1 and not _exclusive(found, self.sizes):
            paid = self._variable([0.0, weight])
            found, weight = [{**row, paid: 2} for row in found], inf
        self.rows += [(row, weight, rule) for row in found]

    def _row(self, clause: Clause) -> dict[int, int] | None:
        """Return a clause over variables; None where it holds anyway."""
        row: dict[int, int] = {}
        for number, sign in clause:
            if number in self.known:
                if self.known[number] == sign:
                    return None
                continue
            if number not in self.place:
                self.place[number] = self._variable([0.0, 0.0])
                self.bits[number] = 2
            variable = self.place[number]
            whole = (1 << self.sizes[variable]) - 1
            bits = self.bits[number] if sign else whole & ~self.bits[number]
            row[variable] = row.get(variable, 0) | bits
            if row[variable] == whole:
                return None
        return {variable: bits for variable, bits in sorted(row.items()) if bits}

    def _variable(self, costs: list[float]) -> int:
        self.sizes.append(len(costs))
        self.extra[len(self.sizes) - 1] = costs
        return len(self.sizes) - 1

    def parts(self) -> list[Part]:
        found = {}
        joined = _components(row for row, _, _ in self.rows)
        for row, weight, rule in self.rows:
            group = joined[next(iter(row))] if row else -1
            found.setdefault(group, []).append((row, weight, rule))
        return [self._part(rows) for rows in found.values()]

    def _part(self, rows: list[tuple[dict[int, int], float, int]]) -> Part:
        variables = sorted({variable for row, _, _ in rows for variable in row})
        number = {variable: place for place, variable in enumerate(variables)}
        answers = [variable for variable in variables if variable < len(self.classes)]
        return Part(
            form=Form(
                tuple(self.sizes[variable] for variable in variables),
                tuple(tuple((number[v], bits) for v, bits in row.items()) for row, _, _ in rows),
                tuple(weight for _, weight, _ in rows),
            ),
            answers=answers,
            classes=[self.classes[answer] for answer in answers],
            extra=[self.extra[variable] for variable in variables[len(answers) :]],
            rules={rule for _, _, rule in rows},
        )


def _exclusive(rows: Sequence[Mapping[int, int]], sizes: Sequence[int]) -> bool:
    """Return whether no two of the rows can be broken at once."""
    return all(
        any(variable in two and (one[variable] | two[variable]) == (1 << sizes[variable]) - 1
            for variable in one)
        for place, one in enumerate(rows)
        for two in rows[place + 1 :]
    )  # fmt: skip


def _components(rows: Any) -> dict[int, int]:
    """Return for each variable the least variable that rows tie it to."""
    root: dict[int, int] = {}

    def top(variable: int) -> int:
        while root.setdefault(variable, variable) != variable:
            root[variable] = root[root[variable]]
            variable = root[variable]
        return variable

    for row in rows:
        tops = [top(variable) for variable in row]
        for other in tops:
            root[other] = min(tops)
    return {variable: top(variable) for variable in list(root)}
