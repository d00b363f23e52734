"""How likely a rule is to be followed, where answers are drawn one by one: exact model counting.

The probability is the weighted model count of the rule (Xu et al. 2018, A Semantic Loss Function
for Deep Learning with Symbolic Knowledge): the sum over all joint answers that follow it of the
product of their probabilities. Parts of a rule that share no answer are independent and counted
apart, their numbers of true parts added up by convolution; parts that share answers are looked at
once for each option of the answer that most of them share (recursive conditioning, Darwiche 2001).
So `at most 1 of` twenty labels and a hierarchy of twenty labels take some dozens of cases, not
2^20. Truth has three values: what a record does not tell breaks no rule.

Numbers are floats or arrays with one entry a record; only their sums and products are taken, so
that any kind of array with gradients will do, and so will the cheapest of several answers for a sum
and two answers side by side for a product: then what is found is the cheapest answer (`cheapest`).
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from typing import Any

from allrounder.errors import ProjectError
from allrounder.rules.meaning import Meaning, Truth, bounds
from allrounder.rules.rule import Rule, Rules
from allrounder.rules.syntax import (
    Exists,
    Expression,
    Implies,
    Leaf,
    Not,
    Or,
    Same,
    leaves,
    parts_of,
)
from allrounder.rules.terms import Key, Spoken, Terms

MOST = 4096
"""Cases of one rule that are looked at, one after the other."""

FEW = 512
"""Cases that are looked at for an answer: more take as long as a solver."""

COUNTED = {"label", "rank", "labels", "spans"}
"""How tasks answer whose answers have probabilities that can be summed."""

States = dict[Truth, Any]
"""How likely a part is true, false, or not told."""

Tally = dict[tuple[int, int], Any]
"""How likely so many parts are true, and so many are not told."""


class TooManyCases(ProjectError):
    """A rule has more cases than are looked at."""

    def __init__(self, title: str) -> None:
        super().__init__(
            f"{title} has more than {MOST:,} cases, too many for `knowledge.rules_loss`: say it in "
            "several rules that share fewer answers."
        )


@dataclass(frozen=True)
class Options:
    """One answer: what it may be, and how likely each of these is.

    Args:
        values: what leaves are asked about.
        chances: for each a probability, or one for every record.
    """

    values: Sequence[Any]
    chances: Sequence[Any]


def is_countable(rule: Rule, terms: Terms) -> bool:
    """Return whether the probability of a rule can be counted.

    Not where it asks for facts about spans, which depend on their texts, nor where it speaks of
    numbers that a task answers.
    """
    some = list(leaves(rule.tree))
    keys = [terms.key(leaf) for leaf in some]
    asked = {key.name for key in keys if not key.is_input}
    return (
        bool(asked)
        and all(terms.tasks[name].speaks in COUNTED for name in asked)
        and not any(isinstance(leaf, Exists) and leaf.facts for leaf in some)
    )


def countable(rules: Rules, terms: Terms) -> list["Counting"]:
    """Return what counts each of the rules that can be counted.

    Raises:
        ProjectError: no rule can be counted, or one has too many cases.
    """
    some = [rule for rule in rules.rules if is_countable(rule, terms)]
    if not some:
        raise ProjectError(
            "`knowledge.rules_loss`: expected a rule in force today over labels or spans without "
            f"`with kb(…)`, found none among {len(rules)}. Write one, or remove the key."
        )
    mine = Rules(rules=some, lexicons=rules.lexicons)
    meaning = Meaning(mine, terms)
    found = [Counting(rule, terms, meaning) for rule in some]
    for counting in found:
        counting.likely({}, _even(counting, terms, mine))
    return found


def _even(counting: "Counting", terms: Terms, rules: Rules) -> dict[Key, Options]:
    """Return options as many as there may be, each as likely as the next: to see the cases."""
    found = {}
    for key in counting.keys:
        values = _values(terms.tasks[key.name], terms.counted(rules).get(key.name, {}))
        found[key] = Options(values, [1 / len(values)] * len(values))
    return found


def _values(task: Spoken, counted: Mapping[str, int]) -> list[Any]:
    if task.speaks == "labels":
        return [False, True]
    return seen(counted) if task.speaks == "spans" else list(task.labels or ())


def seen(counted: Mapping[str, int]) -> list[list[dict[str, str]]]:
    """Return spans by which leaves tell combinations of counts apart, in the order of `product`.

    Args:
        counted: for each kind up to which number it is counted.
    """
    return [
        [{"label": label} for label, n in zip(counted, numbers, strict=True) for _ in range(n)]
        for numbers in product(*(range(most + 1) for most in counted.values()))
    ]


class Counting:
    """One rule, ready to be counted.

    Args:
        rule: the rule.
        terms: the words of the project.
        meaning: says whether leaves hold.
        tree: what has to hold, where it is not what the rule says.
    """

    def __init__(
        self, rule: Rule, terms: Terms, meaning: Meaning, tree: Expression | None = None
    ) -> None:
        self.rule, self.meaning, self.title = rule, meaning, rule.title
        self.tree = tree or rule.tree
        self.leaves = list(dict.fromkeys(leaves(self.tree)))
        self.key = {leaf: terms.key(leaf) for leaf in self.leaves}

    @cached_property
    def keys(self) -> list[Key]:
        """The answers that the rule reads."""
        return list(dict.fromkeys(key for key in self.key.values() if not key.is_input))

    @cached_property
    def inputs(self) -> list[Leaf]:
        """The leaves that read inputs."""
        return [leaf for leaf, key in self.key.items() if key.is_input]

    def likely(
        self, known: Mapping[Leaf, Truth], options: Mapping[Key, Options]
    ) -> tuple[Any, Any]:
        """Return the probabilities that the rule is followed, and that it is broken.

        Both are sums of products, so that the lesser of the two is as exact as the other. A zero
        that no probability can change is the number 0.

        Args:
            known: by leaf over inputs, whether it holds; left out where the record does not tell.
            options: by answer, what it may be; left out where a task is not asked.

        Raises:
            ProjectError: there are too many cases.
        """
        states = _Cases(self, known, options).states(self.tree, {})
        return states.get(True, 0) + states.get(None, 0), states.get(False, 0)


@dataclass(frozen=True)
class Cheapest:
    """Some options taken and what they cost: `+` keeps the cheaper, `*` takes both."""

    cost: float = 0.0
    picks: tuple[tuple[int, int], ...] = ()

    def __add__(self, other: "Cheapest") -> "Cheapest":
        return self if self.cost <= other.cost else other

    def __mul__(self, other: "Cheapest") -> "Cheapest":
        return Cheapest(self.cost + other.cost, self.picks + other.picks)


def cheapest(
    counting: Counting, known: Mapping[Leaf, Truth], options: Mapping[Key, Options]
) -> Cheapest | None:
    """Return the cheapest answer that follows a rule, or None where none does.

    Args:
        counting: the rule.
        known: as in `Counting.likely`.
        options: by answer, what it may be, and for each option a `Cheapest` that takes it.

    Raises:
        TooManyCases: there are too many cases.
    """
    cases = _Cases(counting, known, options, Cheapest(), FEW)
    states = cases.states(counting.tree, {})
    found = [states[truth] for truth in (True, None) if truth in states]
    return min(found, key=lambda one: one.cost, default=None)


class _Cases:
    """One rule over the answers of some records that are alike in what they tell."""

    def __init__(
        self,
        counting: Counting,
        known: Mapping[Leaf, Truth],
        options: Mapping[Key, Options],
        one: Any = 1.0,
        most: int = MOST,
    ) -> None:
        self.counting, self.known, self.left, self.one = counting, known, most, one
        self.cells = {
            key: self._cells(key, options[key]) for key in counting.keys if key in options
        }
        """By answer, options that no leaf tells apart as one: what leaves say, how likely."""

    def _cells(self, key: Key, options: Options) -> list[tuple[dict[Leaf, bool], Any]]:
        mine = [leaf for leaf, other in self.counting.key.items() if other == key]
        found: dict[tuple[bool, ...], Any] = {}
        for value, chance in zip(options.values, options.chances, strict=True):
            said = tuple(self.counting.meaning.holds(leaf, value) for leaf in mine)
            found[said] = found[said] + chance if said in found else chance
        return [(dict(zip(mine, said, strict=True)), chance) for said, chance in found.items()]

    def states(self, tree: Expression, fixed: Mapping[Key, int]) -> States:
        """Return how likely a tree is true, false, or not told, some answers being fixed."""
        if isinstance(tree, Leaf):
            return self._leaf(tree, fixed)
        if isinstance(tree, Not):
            return {_negated(truth): p for truth, p in self.states(tree.part, fixed).items()}
        if isinstance(tree, Implies):
            tree = Or((Not(tree.condition), tree.then))
        parts, found = parts_of(tree), States()
        for (sure, open_), chance in self._tally(parts, fixed).items():
            _add(found, _truth(tree, sure, open_, len(parts)), chance)
        return found

    def _leaf(self, leaf: Leaf, fixed: Mapping[Key, int]) -> States:
        key = self.counting.key[leaf]
        if key not in self.cells:
            return {self.known.get(leaf): self.one}
        if key in fixed:
            return {self.cells[key][fixed[key]][0][leaf]: self.one}
        found = States()
        for said, chance in self.cells[key]:
            _add(found, said[leaf], chance)
        return found

    def _tally(self, parts: Sequence[Expression], fixed: Mapping[Key, int]) -> Tally:
        """Return how likely how many of some parts are true: those that share nothing apart."""
        total: Tally = {(0, 0): self.one}
        for some, shared in self._components(parts, fixed):
            mine = self._together(some, shared, fixed)
            both: Tally = {}
            for (a, b), p in total.items():
                for (c, d), q in mine.items():
                    _add(both, (a + c, b + d), p * q)
            total = both
        return total

    def _together(
        self, parts: Sequence[Expression], shared: Key | None, fixed: Mapping[Key, int]
    ) -> Tally:
        """Return the same of parts that share an answer, looked at option by option of it."""
        if shared is None:
            (part,) = parts
            places = {True: (1, 0), False: (0, 0), None: (0, 1)}
            return {places[truth]: p for truth, p in self.states(part, fixed).items()}
        found: Tally = {}
        for cell, (_, chance) in enumerate(self.cells[shared]):
            self.left -= 1
            if self.left < 0:
                raise TooManyCases(self.counting.title)
            for place, p in self._tally(parts, {**fixed, shared: cell}).items():
                _add(found, place, chance * p)
        return found

    def _components(
        self, parts: Sequence[Expression], fixed: Mapping[Key, int]
    ) -> Iterator[tuple[list[Expression], Key | None]]:
        """Yield parts that are tied by answers, and of several the answer that ties most."""
        groups: list[tuple[list[Expression], list[frozenset[Key]]]] = []
        for part in parts:
            free = self._free(part, fixed)
            tied = [group for group in groups if any(free & other for other in group[1])]
            groups = [group for group in groups if group not in tied]
            some = [one for group in tied for one in group[0]]
            groups.append(([*some, part], [*(f for group in tied for f in group[1]), free]))
        for some, frees in groups:
            count = Counter(key for free in frees for key in free)
            shared = max(sorted(count, key=str), key=count.__getitem__) if len(some) > 1 else None
            yield some, shared

    def _free(self, tree: Expression, fixed: Mapping[Key, int]) -> frozenset[Key]:
        keys = {self.counting.key[leaf] for leaf in leaves(tree)}
        return frozenset(key for key in keys if key in self.cells and key not in fixed)


def _negated(truth: Truth) -> Truth:
    return None if truth is None else not truth


def _truth(tree: Expression, sure: int, open_: int, size: int) -> Truth:
    """Return whether a tree holds of which so many parts are true and so many not told."""
    if isinstance(tree, Same):
        return None if open_ else sure in {0, size}
    low, high = bounds(tree)  # type: ignore[arg-type]
    if low <= sure and sure + open_ <= high:
        return True
    return False if sure + open_ < low or sure > high else None


def _add(found: dict[Any, Any], place: Any, chance: Any) -> None:
    found[place] = found[place] + chance if place in found else chance
