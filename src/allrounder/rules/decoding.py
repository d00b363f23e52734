"""The one consistent answer: exact joint decoding of all tasks of a record under all rules.

Every task says what it may answer and what each option costs (negative log-probability). The
answer is the cheapest joint choice that breaks no hard rule, soft rules paid for at their weight.
What the tasks say by themselves stands where it breaks nothing; otherwise branch and bound finds
the optimum, and CP-SAT where that takes more than a budget of nodes.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cached_property
from math import inf
from typing import Any

from allrounder.rules.clauses import Clauses
from allrounder.rules.counting import Cheapest, Counting, Options, TooManyCases, cheapest
from allrounder.rules.exact import solve
from allrounder.rules.grounding import Ground, Grounding, Part, Signs, Weights
from allrounder.rules.meaning import Facts, Meaning, truth
from allrounder.rules.problem import Exhausted, Form, search
from allrounder.rules.rule import Rules
from allrounder.rules.syntax import And, Leaf, condition_of
from allrounder.rules.terms import Key, Terms
from allrounder.types import Variable

BUDGET = 6000
"""Nodes that branch and bound may make for a part of a record."""

LARGE = 100
"""Variables of a part, helpers included, above which its rules are counted, and where that has too
many cases CP-SAT begins at once: the tables of branch and bound grow with the square of them."""

REMEMBERED = 512
"""Grounded rules that are kept for records which are alike."""

HEAVY = 1e4
"""What a hard rule weighs where not all of one priority can hold: more than any answer costs."""

Picks = dict[str, list[int]]
"""By task, the place of the option taken in each of its variables."""


@dataclass(frozen=True)
class Outcome:
    """What rules did to one record.

    Args:
        picks: the options taken.
        own: what the tasks say by themselves.
        fired: rules whose condition holds of what the tasks say by themselves.
        violated: rules that this breaks.
        relaxed: hard rules that no answer can follow together, and that gave way.
        effects: by rule, what tasks would be answered otherwise without it, and how.
    """

    picks: Picks
    own: Picks
    fired: list[str] = field(default_factory=list)
    violated: list[str] = field(default_factory=list)
    relaxed: list[str] = field(default_factory=list)
    effects: dict[str, Picks] = field(default_factory=dict)

    @property
    def changed(self) -> list[str]:
        """The tasks whose answer is another than their own."""
        return [task for task, some in self.picks.items() if some != self.own[task]]


@dataclass(frozen=True)
class _Record:
    """One record laid under the rules."""

    ground: Ground
    variables: list[Variable]
    own: list[int]


class Decoder:
    """Decodes records under rules.

    Args:
        rules: the rules that hold.
        terms: the words of the project; its labels known.
        facts: the knowledge base.
        budget: nodes that branch and bound may make before CP-SAT takes over.
    """

    def __init__(
        self, rules: Rules, terms: Terms, facts: Facts | None = None, *, budget: int = BUDGET
    ) -> None:
        terms.check(rules)
        self.rules, self.terms, self.budget = rules, terms, budget
        self.meaning = Meaning(rules, terms, facts)
        self.mentioned = terms.mentioned(rules)
        """By task, what its options have to tell apart."""
        trees = [rule.tree for rule in rules.rules]
        self.clauses = Clauses(trees)
        self.keys = [terms.key(leaf) for leaf in self.clauses.leaves]
        self.grounding = Grounding(self.clauses, self.keys)
        number = {leaf: place for place, leaf in enumerate(self.clauses.leaves)}
        self.trees = trees
        self.conditions = [condition_of(tree) for tree in trees]
        self.number: Callable[[Leaf], int] = number.__getitem__
        self.weights: Weights = tuple(rule.soft or inf for rule in rules.rules)
        self._signs: dict[tuple[Key, tuple[Any, ...]], Signs] = {}
        self._parts: dict[tuple[Ground, Weights], list[Part]] = {}

    def asking(self, facts: Facts) -> "Decoder":
        """Return the same over another knowledge base, or another version of it."""
        return Decoder(self.rules, self.terms, facts, budget=self.budget)

    def under(self, rules: Rules) -> "Decoder":
        """Return the same under other rules, such as all but one."""
        return Decoder(rules, self.terms, self.meaning.facts, budget=self.budget)

    @cached_property
    def tasks(self) -> list[str]:
        """The tasks that rules name."""
        return self.terms.named(self.rules)

    @cached_property
    def fields(self) -> list[str]:
        """The fields of inputs that rules read."""
        return sorted({key.name for key in self.keys if key.is_input})

    def decode(
        self,
        variables: Mapping[str, Sequence[Variable]],
        inputs: Mapping[str, Any],
        *,
        effects: bool = True,
    ) -> Outcome:
        """Return the answer to one record.

        Args:
            variables: by task what it may answer; a task that is not asked is left out.
            inputs: values by field.
            effects: look at what each rule did.
        """
        record = self._record(variables, inputs)
        fired, violated = self._state(record, record.own)
        layout = {task: len(some) for task, some in variables.items()}
        own = _shared(record.own, layout)
        told = {"fired": self._ids(fired), "violated": self._ids(violated)}
        if not violated:
            return Outcome(own, own, **told)
        choice, relaxed = self._best(record, self.weights, violated)
        outcome = Outcome(_shared(choice, layout), own, **told, relaxed=self._ids(relaxed))
        return (
            replace(outcome, effects=self._effects(record, choice, layout)) if effects else outcome
        )

    def _ids(self, places: Sequence[int]) -> list[str]:
        return [self.rules.rules[place].id for place in places]

    def _record(
        self, variables: Mapping[str, Sequence[Variable]], inputs: Mapping[str, Any]
    ) -> _Record:
        keyed = [(Key(task, v.label), v) for task, some in variables.items() for v in some]
        constant = [
            (number, self.meaning.holds(self.clauses.leaves[number], inputs[key.name]))
            for key, numbers in self.grounding.of_key.items()
            if key.is_input and inputs.get(key.name) is not None
            for number in numbers
        ]
        ground = Ground(
            tuple(constant), tuple(k for k, _ in keyed), tuple(self._said(k, v) for k, v in keyed)
        )
        every = [variable for _, variable in keyed]
        return _Record(ground, every, [variable.best for variable in every])

    def _said(self, key: Key, variable: Variable) -> Signs:
        """Return what each option says of the leaves, from memory where values can be looked up."""
        numbers = self.grounding.of_key.get(key, [])
        if isinstance(variable.values, list):
            return self._looked_at(numbers, variable.values)
        known = self._signs.get((key, tuple(variable.values)))
        if known is None:
            known = self._looked_at(numbers, variable.values)
            _keep(self._signs, (key, tuple(variable.values)), known)
        return known

    def _looked_at(self, numbers: Sequence[int], values: Sequence[Any]) -> Signs:
        leaves = [self.clauses.leaves[number] for number in numbers]
        return tuple(
            sum(self.meaning.holds(leaf, value) << at for at, leaf in enumerate(leaves))
            for value in values
        )

    def _state(self, record: _Record, choice: Sequence[int]) -> tuple[list[int], list[int]]:
        """Return the rules whose condition holds of a choice, and those that it breaks."""
        known = dict(record.ground.constant)
        for key, signs, option in zip(record.ground.keys, record.ground.signs, choice, strict=True):
            for at, number in enumerate(self.grounding.of_key.get(key, [])):
                known[number] = bool(signs[option] >> at & 1)

        def of(leaf: Leaf) -> bool | None:
            return known.get(self.number(leaf))

        fired = [
            place
            for place, condition in enumerate(self.conditions)
            if condition is not None and truth(condition, of)
        ]
        broken = [place for place, tree in enumerate(self.trees) if truth(tree, of) is False]
        return fired, broken

    def _best(
        self, record: _Record, weights: Weights, violated: Sequence[int]
    ) -> tuple[list[int], list[int]]:
        """Return the cheapest choice, and the hard rules that gave way for there to be one."""
        choice = list(record.own)
        for part in self._parts_of(record.ground, weights):
            if part.rules.isdisjoint(violated):
                continue
            found = self._solved(part, record)
            if found is None:
                return self._relaxed(record, weights, violated)
            for answer, option in found.items():
                choice[answer] = option
        return choice, []

    def _parts_of(self, ground: Ground, weights: Weights) -> list[Part]:
        known = self._parts.get((ground, weights))
        if known is None:
            known = self.grounding.parts(ground, weights)
            _keep(self._parts, (ground, weights), known)
        return known

    def _solved(self, part: Part, record: _Record) -> dict[int, int] | None:
        if part.is_hard and self._has_helpers(part):
            with suppress(TooManyCases):
                return self._counted(part, record)
        costs = part.costs(record.variables)
        try:
            choice = _searched(part.form, costs, self.budget)
        except Exhausted:
            choice = solve(part.form, costs)
        return None if choice is None else part.options(choice, record.variables)

    def _has_helpers(self, part: Part) -> bool:
        """Return whether a part is large for its helpers, of which counting needs none."""
        size = len(part.form.sizes)
        return size > LARGE and size > 2 * len(part.answers)

    def _counted(self, part: Part, record: _Record) -> dict[int, int] | None:
        """Return the cheapest choice under hard rules by counting, which needs no helpers."""
        some = [self.rules.rules[place] for place in sorted(part.rules)]
        tree = some[0].tree if len(some) == 1 else And(tuple(rule.tree for rule in some))
        counting = Counting(some[0], self.terms, self.meaning, tree)
        constant = dict(record.ground.constant)
        known = {leaf: constant.get(self.number(leaf)) for leaf in counting.inputs}
        # Answers outside of the part are of another one, or none of their options differ here.
        options = {
            key: Options(
                variable.values,
                [Cheapest(cost, ((place, option),)) for option, cost in enumerate(variable.costs)],
            )
            for place, (key, variable) in enumerate(
                zip(record.ground.keys, record.variables, strict=True)
            )
            if key in counting.keys
        }
        found = cheapest(counting, known, options)
        mine = set(part.answers)
        return None if found is None else {a: o for a, o in found.picks if a in mine}

    def _relaxed(
        self, record: _Record, weights: Weights, violated: Sequence[int]
    ) -> tuple[list[int], list[int]]:
        """Let rules give way, level by level of priority from the highest, as few as possible."""
        hard = [place for place, weight in enumerate(weights) if weight == inf]
        levels = sorted({self.rules.rules[place].priority for place in hard}, reverse=True)
        now: list[float | None] = [None] * len(weights)
        gone: list[int] = []
        for level in levels:
            mine = [place for place in hard if self.rules.rules[place].priority == level]
            for place in mine:
                now[place] = HEAVY
            every = list(range(len(weights)))
            choice, _ = self._best(record, tuple(now), every)
            broken = set(self._state(record, choice)[1])
            for place in mine:
                now[place] = None if place in broken else inf
            gone += [place for place in mine if place in broken]
        last = tuple(now[p] if p in hard else weight for p, weight in enumerate(weights))
        return self._best(record, last, list(range(len(weights))))[0], gone

    def _effects(
        self, record: _Record, choice: Sequence[int], layout: Mapping[str, int]
    ) -> dict[str, Picks]:
        """Return what would be answered without each rule that had something to say."""
        fired, broken = self._state(record, record.own)
        then, _ = self._state(record, choice)
        mine, found = _shared(choice, layout), {}
        for place in dict.fromkeys([*broken, *(p for p in then if p not in fired)]):
            weights = tuple(None if p == place else w for p, w in enumerate(self.weights))
            other = [p for p in broken if p != place]
            without, _ = self._best(record, weights, other) if other else (record.own, [])
            picks = _shared(without, layout)
            differs = {task: some for task, some in picks.items() if some != mine[task]}
            if differs:
                found[self.rules.rules[place].id] = differs
        return found


def _searched(form: Form, costs: list[list[float]], budget: int) -> list[int] | None:
    """Search with branch and bound, where laying its tables out is worth it."""
    if len(form.sizes) > LARGE:
        raise Exhausted
    return search(form, costs, budget=budget)


def _shared(choice: Sequence[int], layout: Mapping[str, int]) -> Picks:
    """Return a choice task by task."""
    rest = iter(choice)
    return {task: [next(rest) for _ in range(size)] for task, size in layout.items()}


def _keep(memory: dict[Any, Any], key: Any, value: Any) -> None:
    if len(memory) >= REMEMBERED:
        memory.clear()
    memory[key] = value
