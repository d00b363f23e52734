"""Whether a rule is true of an answer: leaves by value, trees in three values."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from operator import eq, ge, gt, le, lt, ne
from typing import Any, Protocol

from allrounder.rules.rule import Rules
from allrounder.rules.syntax import (
    Among,
    And,
    Compare,
    Count,
    Exists,
    Expression,
    Has,
    HasListed,
    Implies,
    Leaf,
    Matches,
    Mentions,
    Not,
    Of,
    Or,
    Same,
    leaves,
)
from allrounder.rules.terms import Terms
from allrounder.rules.texts import Lexicon, compiled, has_phrase

COMPARES: dict[str, Callable[[Any, Any], bool]] = {
    "=": eq, "!=": ne, "<": lt, "<=": le, ">": gt, ">=": ge,
}  # fmt: skip


KINDS = ("type", "is_a")
"""Predicates that lead from an entity up to its types."""

Truth = bool | None
"""Whether something holds; None where a record does not tell."""


class Facts(Protocol):
    """A knowledge base, as rules ask it."""

    def holds(self, subject: str, predicate: str, object: str) -> bool:
        """Return whether a fact is known between what two stretches of text mention."""
        ...

    def mentions(self, text: str, type: str) -> bool:
        """Return whether a text mentions something of a type, or of what is a kind of it."""
        ...


@dataclass(frozen=True)
class ListedFacts:
    """A knowledge base of a few triples; letters' case means nothing."""

    triples: Collection[tuple[str, str, str]] = ()

    def holds(self, subject: str, predicate: str, object: str) -> bool:
        """Return whether the triple is listed."""
        asked = subject.casefold(), predicate, object.casefold()
        return any((s.casefold(), p, o.casefold()) == asked for s, p, o in self.triples)

    def mentions(self, text: str, type: str) -> bool:
        """Return whether a subject stands in the text that the triples lead up to the type."""
        found: set[str] = set()
        waiting = [type]
        while waiting:
            above = waiting.pop().casefold()
            below = {s for s, p, o in self.triples if p in KINDS and o.casefold() == above}
            waiting += below - found
            found |= below
        return has_phrase(text, found)


@dataclass(frozen=True)
class World:
    """One record with everything said of it; what is not there is not known.

    Args:
        answers: labels by task, as the task decodes them; spans with their `text`.
        inputs: values by field.
    """

    answers: Mapping[str, Any] = field(default_factory=dict)
    inputs: Mapping[str, Any] = field(default_factory=dict)


class Meaning:
    """Says whether leaves hold.

    Args:
        rules: the rules, whose patterns are compiled here.
        terms: the words of the project.
        facts: the knowledge base.
    """

    def __init__(self, rules: Rules, terms: Terms, facts: Facts | None = None) -> None:
        self.terms = terms
        self.lexicons = {name: Lexicon(words) for name, words in rules.lexicons.items()}
        self.facts = facts or ListedFacts()
        every = [(rule, leaf) for rule in rules.rules for leaf in leaves(rule.tree)]
        self.patterns = {
            (leaf.pattern, leaf.flags): compiled(leaf.pattern, leaf.flags, where=rule.title)
            for rule, leaf in every
            if isinstance(leaf, Matches)
        }

    def holds(self, leaf: Leaf, value: Any) -> bool:
        """Return whether a leaf holds of what it speaks of.

        Args:
            leaf: the leaf.
            value: the value of `Terms.key(leaf)`: of a multilabel task whether it has the label.
        """
        if isinstance(leaf, Compare | Among):
            return self._compares(leaf, value)
        if isinstance(leaf, Has):
            return value if isinstance(value, bool) else has_phrase(value, [leaf.value])
        if isinstance(leaf, Matches):
            return self.patterns[leaf.pattern, leaf.flags].search(value) is not None
        if isinstance(leaf, Mentions):
            return self.facts.mentions(value, leaf.type)
        if isinstance(leaf, HasListed):
            return self.lexicons[leaf.lexicon].is_in(value)
        if isinstance(leaf, Count):
            found = sum(span["label"] == leaf.kind.label for span in value)
            return COMPARES[leaf.sign](found, leaf.number)
        assert isinstance(leaf, Exists)
        return self._exists(leaf, value)

    def _compares(self, leaf: Compare | Among, value: Any) -> bool:
        place = self._placing(leaf.name)
        if isinstance(leaf, Among):
            return place(value) in {place(word) for word in leaf.values}
        return COMPARES[leaf.sign](place(value), place(leaf.value))

    def _placing(self, name: str) -> Callable[[Any], Any]:
        """Return what turns values of a task or field into what can be compared."""
        if self.terms.is_number(name):
            return float
        task = self.terms.tasks.get(name)
        if task and task.speaks == "rank" and task.labels:
            return task.labels.index
        return str

    def _exists(self, leaf: Exists, spans: Sequence[Mapping[str, Any]]) -> bool:
        if leaf.facts or leaf.but:
            return next(self._groundings(leaf, spans), None) is not None
        return all(any(s["label"] == kind.label for s in spans) for kind, _ in leaf.spans)

    def groundings(self, leaf: Exists, spans: Sequence[Mapping[str, Any]]) -> list[tuple[str, ...]]:
        """Return the texts of spans that make a leaf hold, in the order of its kinds; each once."""
        return list(dict.fromkeys(self._groundings(leaf, spans)))

    def _groundings(
        self, leaf: Exists, spans: Sequence[Mapping[str, Any]]
    ) -> Iterator[tuple[str, ...]]:
        sorts = [[s["text"] for s in spans if s["label"] == kind.label] for kind, _ in leaf.spans]
        for texts in product(*sorts):
            if texts not in leaf.but and self._related(leaf, texts):
                yield texts

    def _related(self, leaf: Exists, said: Sequence[str]) -> bool:
        texts = dict(zip((name for _, name in leaf.spans), said, strict=True))
        return all(
            self.facts.holds(
                texts[fact.subject] if fact.named[0] else fact.subject,
                fact.predicate,
                texts[fact.object] if fact.named[1] else fact.object,
            )
            == fact.holds
            for fact in leaf.facts
        )

    def known(self, leaf: Leaf, world: World) -> bool | None:
        """Return whether a leaf holds of a record; None where the record does not tell."""
        key = self.terms.key(leaf)
        value = (world.inputs if key.is_input else world.answers).get(key.name)
        if value is None:
            return None
        return self.holds(leaf, value if key.label is None else key.label in value)

    def truth(self, tree: Expression, world: World) -> bool | None:
        """Return whether a tree holds of a record; None where the record does not tell."""
        return truth(tree, lambda leaf: self.known(leaf, world))


def truth(tree: Expression, known: Callable[[Leaf], bool | None]) -> bool | None:
    """Return whether a tree holds, given its leaves (Kleene's strong logic of three values)."""
    if isinstance(tree, Leaf):
        return known(tree)
    if isinstance(tree, Not):
        found = truth(tree.part, known)
        return None if found is None else not found
    if isinstance(tree, Implies):
        return truth(Or((Not(tree.condition), tree.then)), known)
    if isinstance(tree, Same):
        left, right = truth(tree.left, known), truth(tree.right, known)
        return None if left is None or right is None else left == right
    found = [truth(part, known) for part in tree.parts]
    low, high = bounds(tree)
    sure, may = found.count(True), found.count(True) + found.count(None)
    if low <= sure and may <= high:
        return True
    return False if may < low or sure > high else None


def bounds(tree: And | Or | Of) -> tuple[int, int]:
    """Return how few and how many of the parts have to hold."""
    if isinstance(tree, Of):
        return tree.low, tree.high
    size = len(tree.parts)
    return (size, size) if isinstance(tree, And) else (1, size)
