"""What rules may speak of: the tasks with their labels, the fields of inputs, and predicates."""

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from math import isfinite
from typing import Any, NoReturn, Self

import pyarrow as pa

from allrounder.errors import ProjectError, did_you_mean, listed
from allrounder.rules.rule import Rule, Rules
from allrounder.rules.syntax import (
    Among,
    Compare,
    Count,
    Exists,
    Has,
    HasListed,
    Kind,
    Leaf,
    Matches,
    Mentions,
    leaves,
)
from allrounder.rules.texts import compiled
from allrounder.types import Speaks

ORDER = {"<", "<=", ">", ">="}
MOST_KINDS = 256
"""Combinations of kinds of spans seen that are told apart in one text."""


@dataclass(frozen=True)
class Spoken:
    """How a task answers, and its labels where they are known."""

    speaks: Speaks
    labels: tuple[str, ...] | None = None


@dataclass(frozen=True)
class Key:
    """What a leaf speaks of: a task's answer (of one label, where it has many), or an input."""

    name: str
    label: str | None = None
    is_input: bool = False


@dataclass(frozen=True)
class Terms:
    """The words of a project.

    Args:
        tasks: how each task answers; tasks without answers that rules read are left out.
        fields: for each field of the inputs, whether it is `text`, a `number` or a `file`.
        predicates: those of the knowledge base; None where nobody knows them, empty where there is
            no knowledge base.
        types: what its entities are instances or kinds of, in the same way.
    """

    tasks: Mapping[str, Spoken]
    fields: Mapping[str, str] = field(default_factory=dict)
    predicates: Collection[str] | None = ()
    types: Collection[str] | None = ()

    @classmethod
    def of(cls, tasks: Mapping[str, Any], fields: Mapping[str, Any], **known: Any) -> Self:
        """Return the words that rules of a project may use.

        Args:
            tasks: the tasks, each with what it `speaks` and, once they are known, its `labels`.
            fields: the fields of the inputs, each with the Arrow `type` of its values.
            known: the `predicates` and `types` of the knowledge base.
        """
        spoken = {
            name: Spoken(task.speaks, tuple(labels) if (labels := _labels(task)) else None)
            for name, task in tasks.items()
            if task.speaks
        }
        return cls(spoken, {name: _sort(field.type) for name, field in fields.items()}, **known)

    def check(self, rules: Rules) -> None:
        """Refuse rules that name what is not there.

        Raises:
            ProjectError: rule, column, what was expected, what was found, what may be meant.
        """
        for rule in rules.rules:
            for leaf in leaves(rule.tree):
                _Check(self, rules, rule, leaf).run()
        for task, kinds in self.counted(rules).items():
            size = 1
            for most in kinds.values():
                size *= most + 1
            if size > MOST_KINDS:
                raise ProjectError(
                    f"The rules tell {size:,} combinations of spans of `{task}` apart, and "
                    f"{MOST_KINDS} is the most. Name fewer kinds of spans, or lower counts."
                )

    def key(self, leaf: Leaf) -> Key:
        """Return what a leaf speaks of."""
        if isinstance(leaf, Count):
            return Key(self.spans_task(leaf.kind))
        if isinstance(leaf, Exists):
            return Key(self.spans_task(leaf.spans[0][0]))
        name = leaf.name  # type: ignore[attr-defined]
        if name in self.tasks and isinstance(leaf, Has):
            return Key(name, leaf.value)
        return Key(name, is_input=name not in self.tasks)

    def spans_task(self, kind: Kind) -> str:
        """Return the spans task that a kind of span belongs to."""
        if kind.task in self.tasks:
            return kind.task
        spans = [name for name, task in self.tasks.items() if task.speaks == "spans"]
        return next((n for n in spans if kind.label in (self.tasks[n].labels or ())), spans[0])

    def counted(self, rules: Rules) -> dict[str, dict[str, int]]:
        """Return for each spans task the kinds that rules name, and how far each is counted."""
        found: dict[str, dict[str, int]] = {}
        for leaf in (leaf for rule in rules.rules for leaf in leaves(rule.tree)):
            for kind, most in _counts(leaf):
                mine = found.setdefault(self.spans_task(kind), {})
                mine[kind.label] = max(most, mine.get(kind.label, 0))
        return found

    def cuts(self, rules: Rules) -> dict[str, list[float]]:
        """Return the numbers that rules compare each task or field of numbers with, rising."""
        found: dict[str, set[float]] = {}
        for leaf in (leaf for rule in rules.rules for leaf in leaves(rule.tree)):
            if isinstance(leaf, Compare | Among) and self.is_number(leaf.name):
                values = leaf.values if isinstance(leaf, Among) else (leaf.value,)
                found.setdefault(leaf.name, set()).update(map(float, values))
        return {name: sorted(values) for name, values in found.items()}

    def is_number(self, name: str) -> bool:
        """Return whether a name stands for a number."""
        if name in self.tasks:
            return self.tasks[name].speaks == "number"
        return self.fields.get(name) == "number"

    def mentioned(self, rules: Rules) -> dict[str, dict[Any, int]]:
        """Return by task what its `options` have to tell apart: numbers, labels, kinds of spans."""
        found: dict[str, dict[Any, int]] = dict(self.counted(rules))
        for name, cuts in self.cuts(rules).items():
            if name in self.tasks:
                found[name] = dict.fromkeys(cuts, 1)
        for rule in rules.rules:
            for key in map(self.key, leaves(rule.tree)):
                if key.label is not None:
                    found.setdefault(key.name, {})[key.label] = 1
        return found

    def named(self, rules: Rules) -> list[str]:
        """Return the tasks that rules name, in the order of the project."""
        keys = [self.key(leaf) for rule in rules.rules for leaf in leaves(rule.tree)]
        names = {key.name for key in keys if not key.is_input}
        return [name for name in self.tasks if name in names]


def _labels(task: Any) -> Collection[str] | None:
    return getattr(task, "labels", None)


def _sort(kind: pa.DataType) -> str:
    """Return what values of an Arrow type are to rules."""
    if pa.types.is_string(kind):
        return "text"
    return "number" if pa.types.is_floating(kind) else "file"


def _counts(leaf: Leaf) -> Iterator[tuple[Kind, int]]:
    if isinstance(leaf, Count):
        yield leaf.kind, max(1, leaf.number + (leaf.sign in {"=", "!=", ">", "<="}))
    if isinstance(leaf, Exists):
        for kind, _ in leaf.spans:
            yield kind, 1


@dataclass(frozen=True)
class _Check:
    """One leaf of one rule, held against the words of the project."""

    terms: Terms
    rules: Rules
    rule: Rule
    leaf: Any

    def run(self) -> None:
        checks: dict[type, Callable[[], None]] = {
            Count: lambda: self.kind(self.leaf.kind),
            Exists: self.exists,
            Compare: self.compare,
            Among: self.among,
            Has: self.has,
            HasListed: self.has_listed,
            Matches: self.matches,
            Mentions: self.mentions,
        }
        checks[type(self.leaf)]()

    def refuse(self, expected: str, found: str, hint: str = "", at: int | None = None) -> NoReturn:
        column = self.leaf.at if at is None else at
        raise ProjectError(
            f"{self.rule.title}, column {column}: expected {expected}, found {found}.{hint}"
        )

    def speaks(self) -> str:
        """Return how the task, or of what kind the field, named by the leaf is."""
        name, terms = self.leaf.name, self.terms
        if name in terms.tasks:
            return terms.tasks[name].speaks
        if name in terms.fields:
            return f"{terms.fields[name]} field"
        known = [*terms.tasks, *terms.fields]
        hint = did_you_mean(name, known)
        self.refuse("a task or an input", repr(name), f"{hint} Known: {listed(known)}.")

    def label(self, value: str, labels: Collection[str] | None, at: int | None = None) -> None:
        if labels is not None and value not in labels:
            name = getattr(self.leaf, "name", "span")
            hint = f"{did_you_mean(value, labels)} Labels: {listed(labels)}."
            self.refuse(f"a label of `{name}`", repr(value), hint, at)

    def number(self, value: str) -> None:
        try:
            finite = isfinite(float(value))
        except ValueError:
            finite = False
        if not finite:
            self.refuse(f"a number to compare `{self.leaf.name}` with", repr(value))

    def compare(self) -> None:
        self.values((self.leaf.value,), ordered=self.leaf.sign in ORDER)

    def among(self) -> None:
        self.values(self.leaf.values, ordered=False)

    def values(self, values: tuple[str, ...], *, ordered: bool) -> None:
        speaks, name = self.speaks(), self.leaf.name
        if speaks in {"number", "number field"}:
            for value in values:
                self.number(value)
        elif speaks in {"labels", "spans", "file field"}:
            word = {"labels": f"`{name} has …`", "spans": "`exists span:…`"}.get(speaks, "a text")
            self.refuse(word, f"`{self.leaf}`", " It has no single label.")
        elif ordered and speaks != "rank":
            self.refuse(f"`=`, `!=` or `in` after `{name}`, whose labels have no order",
                        f"`{self.leaf.sign}`")  # fmt: skip
        elif name in self.terms.tasks:
            for value in values:
                self.label(value, self.terms.tasks[name].labels)

    def has(self) -> None:
        speaks = self.speaks()
        if speaks == "labels":
            self.label(self.leaf.value, self.terms.tasks[self.leaf.name].labels)
        elif speaks != "text field":
            sign = "exists span:…" if speaks == "spans" else f"{self.leaf.name} = …"
            self.refuse("a multilabel task or a text before `has`", repr(self.leaf.name),
                        f" Write `{sign}`.")  # fmt: skip

    def text(self, word: str) -> None:
        if self.speaks() != "text field":
            texts = [name for name, kind in self.terms.fields.items() if kind == "text"]
            hint = f"{did_you_mean(self.leaf.name, texts)} Texts: {listed(texts)}."
            self.refuse(f"a text before `{word}`", repr(self.leaf.name), hint)

    def has_listed(self) -> None:
        self.text("has lexicon")
        known = self.rules.lexicons
        if self.leaf.lexicon not in known:
            hint = f"{did_you_mean(self.leaf.lexicon, known)} Lexicons: {listed(known)}."
            self.refuse("a lexicon of the file of rules", repr(self.leaf.lexicon), hint)

    def matches(self) -> None:
        self.text("matches")
        where = f"{self.rule.title}, column {self.leaf.at}"
        compiled(self.leaf.pattern, self.leaf.flags, where=where)

    def mentions(self) -> None:
        self.text("mentions")
        self.known(self.leaf.type, self.terms.types, "type", "mentions", self.leaf.at)

    def known(
        self, word: str, known: Collection[str] | None, what: str, sign: str, at: int
    ) -> None:
        """Refuse a word that the knowledge base does not have."""
        if known is not None and not known:
            base = "a knowledge base" if what == "predicate" else f"a knowledge base with {what}s"
            self.refuse(f"{base} for `{sign}`", "none",
                        " Name one: knowledge.facts in the project file.", at)  # fmt: skip
        if known is not None and word not in known:
            hint = f"{did_you_mean(word, known)} {what.title()}s: {listed(known)}."
            self.refuse(f"a {what}", repr(word), hint, at)

    def kind(self, kind: Kind) -> None:
        spans = {n: task for n, task in self.terms.tasks.items() if task.speaks == "spans"}
        if kind.task != "span" and kind.task not in spans:
            known = ["span", *spans]
            hint = f"{did_you_mean(kind.task, known)} Known: {listed(known)}."
            self.refuse("`span` or a spans task", repr(kind.task), hint, kind.at)
        if not spans:
            self.refuse("a project with a spans task", f"`{kind}`", "", kind.at)
        some = spans.values() if kind.task == "span" else [spans[kind.task]]
        if all(task.labels is not None for task in some):
            every = [label for task in some for label in task.labels or ()]
            self.label(kind.label, every, kind.at)
            if kind.task == "span" and every.count(kind.label) > 1:
                self.refuse("the name of the spans task", f"`{kind}`",
                            f" Several have it: {listed(spans)}.", kind.at)  # fmt: skip

    def exists(self) -> None:
        for kind, _ in self.leaf.spans:
            self.kind(kind)
        tasks = {self.terms.spans_task(kind) for kind, _ in self.leaf.spans}
        if len(tasks) > 1:
            self.refuse("spans of one task after `exists`", listed(sorted(tasks)),
                        " Write `exists … and exists …`.")  # fmt: skip
        for fact in self.leaf.facts:
            self.known(fact.predicate, self.terms.predicates, "predicate", "kb", fact.at)
