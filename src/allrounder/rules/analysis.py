"""Whether rules fit together: contradictions, rules that never speak, rules that others imply.

Answers and inputs become variables of a satisfiability problem, every rule is switched on by a
literal of its own, and the solver's unsatisfiable cores, made minimal by leaving out one rule after
another, say which rules are to blame.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import date
from itertools import pairwise
from typing import Any

from allrounder.errors import MissingExtra, ProjectError
from allrounder.rules.clauses import Clauses
from allrounder.rules.meaning import Meaning
from allrounder.rules.rule import Rules
from allrounder.rules.syntax import (
    Compare,
    Count,
    Exists,
    Expression,
    Leaf,
    Not,
    condition_of,
)
from allrounder.rules.terms import Key, Terms

OTHER = "any other"
"""Stands for every label or word that no rule names."""


@dataclass(kw_only=True)
class Finding:
    """One thing wrong with a set of rules.

    Args:
        kind: `conflict`, `dead` or `redundant`.
        rule: the rule it is about; None for a conflict.
        because: the fewest rules that make it so.
        witness: a record and answers that show it.
        since: the day to come from which on it is so; None where it is so already.
    """

    kind: str
    rule: str | None
    because: list[str]
    witness: dict[str, Any] = field(default_factory=dict)
    since: str | None = None

    def __str__(self) -> str:
        because = " and ".join(self.because) or "itself"
        shown = ", ".join(_shown(name, value) for name, value in self.witness.items())
        if self.kind == "conflict":
            since = f" from {self.since} on" if self.since else ""
            text = f"conflict: no answer follows {because}{since}."
            return text + (f" Without {self.because[0]} this one does: {shown}." if shown else "")
        if self.kind == "dead":
            text = f"{self.rule} never speaks: {because} rules its condition out"
            return text + (f", as in {shown}." if shown else ".")
        text = f"{self.rule} is redundant: {because} says as much"
        return text + (f"; without them {shown} would break it." if shown else ".")


@dataclass(kw_only=True)
class Findings:
    """Everything wrong with a set of rules, conflicts first.

    Args:
        num_rules: how many there are.
        findings: what is wrong.
    """

    num_rules: int
    findings: list[Finding]

    @property
    def failed(self) -> bool:
        """Whether hard rules contradict one another."""
        return any(one.kind == "conflict" for one in self.findings)

    def to_dict(self) -> dict[str, Any]:
        """Return plain data, ready for JSON."""
        return asdict(self)

    def __str__(self) -> str:
        if not self.findings:
            return f"{self.num_rules} rules: no conflict, none dead, none redundant."
        return "\n".join(str(one) for one in self.findings)


def _shown(name: str, value: Any) -> str:
    if isinstance(value, bool):
        return name if value else f"not {name}"
    return f"{name} = {value}"


def findings(rules: Rules, terms: Terms) -> Findings:
    """Return what is wrong with rules, conflicts first.

    Soft rules are looked at under the hard ones: one that is dead, or that hard rules imply.
    """
    theory = _Theory(rules, terms)
    hard = [rule.id for rule in rules.rules if rule.is_hard]
    found = list(theory.conflicts(hard))
    for rule in [] if found else rules.rules:
        others = [id for id in hard if id != rule.id]
        if (finding := theory.dead(rule.id, hard)) or (finding := theory.implied(rule.id, others)):
            found.append(finding)
    return Findings(num_rules=len(rules), findings=found)


def findings_from(day: date, rules: Rules, terms: Terms) -> Findings:
    """Return what is wrong with the rules of a day, and which conflicts begin on later ones."""
    found = findings(rules.on(day), terms)
    known = {tuple(one.because) for one in found.findings if one.kind == "conflict"}
    for later in rules.changes(day):
        some = rules.on(later)
        hard = [rule.id for rule in some.rules if rule.is_hard]
        for one in _Theory(some, terms).conflicts(hard):
            if tuple(one.because) not in known:
                known.add(tuple(one.because))
                found.findings.append(replace(one, since=later.isoformat()))
    return found


def refuse_contradiction(rules: Rules, terms: Terms, *, on: date | None = None) -> None:
    """Raise `ProjectError` with the fewest hard rules that contradict one another, if any do.

    Args:
        rules: the rules.
        terms: the words of the project; its labels known.
        on: the day whose rules these are, where it is not today.
    """
    hard = [rule.id for rule in rules.rules if rule.is_hard]
    finding = next(_Theory(rules, terms).conflicts(hard), None)
    if finding is not None:
        when = f" of {on}" if on else ""
        lines = "; ".join(f"{id}: {rules[id].says}" for id in finding.because)
        raise ProjectError(
            f"The rules{when} contradict one another, so that no answer follows all of them: "
            f"{lines}. "
            "Change one of these, or make one soft."
        )


class _Theory:
    """Rules as a satisfiability problem."""

    def __init__(self, rules: Rules, terms: Terms) -> None:
        self.rules, self.terms = rules, terms
        self.meaning = Meaning(rules, terms)
        trees = [rule.tree for rule in rules.rules]
        conditions = [condition_of(tree) for tree in trees]
        wanted: list[Expression] = [*trees, *(Not(tree) for tree in trees)]
        wanted += [tree for tree in conditions if tree is not None]
        clauses = Clauses(wanted)
        self.leaves = clauses.leaves
        self.top = clauses.num_literals
        self.rows: list[list[int]] = []
        self.switch: dict[tuple[str, str], int] = {}
        ids = [rule.id for rule in rules.rules]
        named = [(id, what) for what in ("holds", "broken") for id in ids]
        named += [(i, "speaks") for i, c in zip(ids, conditions, strict=True) if c is not None]
        for name, some in zip(named, clauses.by_tree, strict=True):
            self.switch[name] = self._new()
            self.rows += [
                [-self.switch[name], *(n + 1 if sign else -n - 1 for n, sign in clause)]
                for clause in some
            ]
        self.values: dict[Key, list[tuple[Any, int]]] = {}
        self._lay_out()

    def _new(self) -> int:
        self.top += 1
        return self.top

    # ---------------------------------------------------------------- what leaves mean together

    def _lay_out(self) -> None:
        """Tie the leaves that speak of one thing: it has one value."""
        number = {leaf: place + 1 for place, leaf in enumerate(self.leaves)}
        by_key: dict[Key, list[Leaf]] = {}
        for leaf in self.leaves:
            by_key.setdefault(self.terms.key(leaf), []).append(leaf)
        for key, some in by_key.items():
            values = self._values(key, some)
            if values is not None:
                self._one_of(key, values, some, number)
            elif self._spans(some):
                self._count(key, some, number)

    def _values(self, key: Key, some: Sequence[Leaf]) -> list[Any] | None:
        """Return values that tell the leaves of one thing apart, or None where they are free."""
        task = self.terms.tasks.get(key.name)
        if self.terms.is_number(key.name):
            cuts = self.terms.cuts(self.rules)[key.name]
            middle = [(a + b) / 2 for a, b in pairwise(cuts)]
            return sorted([*cuts, *middle, cuts[0] - 1, cuts[-1] + 1])
        if task and task.labels and task.speaks in {"label", "rank"}:
            return list(task.labels)
        if all(not isinstance(leaf, Compare) or leaf.sign in {"=", "!="} for leaf in some) and (
            (task and task.speaks in {"label", "rank"}) or self._is_word(some)
        ):
            words = [w for leaf in some for w in getattr(leaf, "values", None) or [leaf.value]]  # type: ignore[attr-defined]
            return [*dict.fromkeys(words), OTHER]
        return None

    def _is_word(self, some: Sequence[Leaf]) -> bool:
        """Return whether leaves compare a text as a whole."""
        return all(type(leaf).__name__ in {"Compare", "Among"} for leaf in some)

    def _one_of(
        self, key: Key, values: list[Any], some: Sequence[Leaf], number: dict[Leaf, int]
    ) -> None:
        taken = [self._new() for _ in values]
        self.values[key] = list(zip(values, taken, strict=True))
        self._one(taken)
        for leaf in some:
            for value, one in self.values[key]:
                holds = self.meaning.holds(leaf, value)
                self.rows.append([-one, number[leaf] if holds else -number[leaf]])

    def _spans(self, some: Sequence[Leaf]) -> bool:
        return all(isinstance(leaf, Count | Exists) for leaf in some)

    def _count(self, key: Key, some: Sequence[Leaf], number: dict[Leaf, int]) -> None:
        """Tie leaves about spans: how often each kind is seen; facts hold among what is seen."""
        for label, top in self.terms.counted(self.rules)[key.name].items():
            seen = [self._new() for _ in range(top + 1)]
            self.values[Key(key.name, label)] = list(enumerate(seen))
            self._one(seen)
        for leaf in some:
            if isinstance(leaf, Count):
                self._counted(leaf, self.values[Key(key.name, leaf.kind.label)], number[leaf])
            elif isinstance(leaf, Exists):
                none = [self.values[Key(key.name, kind.label)][0][1] for kind, _ in leaf.spans]
                self.rows += [[-one, -number[leaf]] for one in none]
                self.rows += [] if leaf.facts else [[*none, number[leaf]]]

    def _counted(self, leaf: Count, values: Sequence[tuple[int, int]], number: int) -> None:
        for seen, one in values:
            holds = self.meaning.holds(leaf, [{"label": leaf.kind.label}] * seen)
            self.rows.append([-one, number if holds else -number])

    def _one(self, taken: Sequence[int]) -> None:
        """Let exactly one of some literals hold."""
        self.rows.append(list(taken))
        self.rows += [[-a, -b] for at, a in enumerate(taken) for b in taken[at + 1 :]]

    # ---------------------------------------------------------------- questions

    def solve(self, names: Collection[tuple[str, str]]) -> tuple[dict[str, Any] | None, list[str]]:
        """Return a witness of what is switched on, or the fewest rules that cannot be."""
        with _solver()(bootstrap_with=self.rows) as solver:
            wanted = [self.switch[name] for name in names]
            if solver.solve(assumptions=wanted):
                return self._witness(set(solver.get_model() or [])), []
            core = self._least(solver, list(solver.get_core() or []))
        back = {literal: id for (id, what), literal in self.switch.items() if what == "holds"}
        return None, [back[literal] for literal in sorted(core) if literal in back]

    def _least(self, solver: Any, core: list[int]) -> list[int]:
        """Leave out one after another whatever the rest is contradictory without."""
        for literal in list(core):
            rest = [other for other in core if other != literal]
            if not solver.solve(assumptions=rest):
                core = rest
        return core

    def _witness(self, model: set[int]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key, values in self.values.items():
            value = next(value for value, one in values if one in model)
            found[key.name if key.label is None else f"{key.name}:{key.label}"] = value
        for place, leaf in enumerate(self.leaves, 1):
            if not self._is_tied(leaf):
                found[str(leaf)] = place in model
        return found

    def _is_tied(self, leaf: Leaf) -> bool:
        """Return whether the value of what a leaf speaks of tells whether it holds."""
        if isinstance(leaf, Exists):
            return not leaf.facts
        return isinstance(leaf, Count) or self.terms.key(leaf) in self.values

    def conflicts(self, hard: Sequence[str]) -> Iterator[Finding]:
        """Yield contradictory sets of rules that share no rule."""
        left = list(hard)
        while True:
            witness, core = self.solve([(id, "holds") for id in left])
            if witness is not None or not core:
                return
            rest = [id for id in core if id != core[0]]
            shown, _ = self.solve([(id, "holds") for id in rest])
            yield Finding(kind="conflict", rule=None, because=core, witness=shown or {})
            left = [id for id in left if id not in core]

    def dead(self, id: str, hard: Sequence[str]) -> Finding | None:
        """Return why a rule's condition can never hold, if so."""
        if (id, "speaks") not in self.switch:
            return None
        witness, core = self.solve([(id, "speaks"), *((other, "holds") for other in hard)])
        if witness is not None:
            return None
        shown, _ = self.solve([(id, "speaks")])
        return Finding(kind="dead", rule=id, because=core, witness=shown or {})

    def implied(self, id: str, others: Sequence[str]) -> Finding | None:
        """Return which other rules say as much as a rule, if some do."""
        witness, core = self.solve([(id, "broken"), *((other, "holds") for other in others)])
        if witness is not None:
            return None
        shown, _ = self.solve([(id, "broken")])
        return Finding(kind="redundant", rule=id, because=core, witness=shown or {})


def _solver() -> Any:
    try:
        from pysat.solvers import Minisat22
    except ImportError:
        raise MissingExtra("Rules need python-sat. Try: pip install 'allrounder[rules]'") from None
    return Minisat22
