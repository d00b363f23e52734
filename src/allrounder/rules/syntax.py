"""What a rule says, as a tree: leaves speak of one answer or one input, the rest joins them.

`str` of a tree is the rule as a person would write it, and is read back as the same tree. `at` is
the column of a leaf, for sentences about it, and no part of what the leaf says.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

PLAIN = re.compile(r"[^\W_][\w.+\-]*|_[\w.+\-]*|-?\d[\w.+\-]*")
RESERVED = frozenset(
    "and or not in has matches exists with count kb at most least exactly of none any all under "
    "excludes lexicon".split()
)
NUMBERS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")


def quoted(word: str) -> str:
    """Return a label as it is written in a rule: bare where it is a plain word."""
    if PLAIN.fullmatch(word) and word not in RESERVED:
        return word
    return phrase(word)


def phrase(words: str) -> str:
    """Return words between quotation marks."""
    return '"' + words.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _set(words: tuple[str, ...]) -> str:
    return "{" + ", ".join(map(quoted, words)) + "}"


@dataclass(frozen=True)
class Leaf:
    """Speaks of one answer or one input."""


@dataclass(frozen=True)
class Compare(Leaf):
    """`urgency != low`, `price > 100`."""

    name: str
    sign: str
    value: str
    at: int = field(default=0, compare=False)

    def __str__(self) -> str:
        return f"{self.name} {self.sign} {quoted(self.value)}"


@dataclass(frozen=True)
class Among(Leaf):
    """`intent in {refund, complaint}`."""

    name: str
    values: tuple[str, ...]
    at: int = field(default=0, compare=False)

    def __str__(self) -> str:
        return f"{self.name} in {_set(self.values)}"


@dataclass(frozen=True)
class Has(Leaf):
    """`topics has sport`, `text has "money back"`."""

    name: str
    value: str
    at: int = field(default=0, compare=False)

    def __str__(self) -> str:
        return f"{self.name} has {quoted(self.value)}"


@dataclass(frozen=True)
class HasListed(Leaf):
    """`text has lexicon drugs`."""

    name: str
    lexicon: str
    at: int = field(default=0, compare=False)

    def __str__(self) -> str:
        return f"{self.name} has lexicon {quoted(self.lexicon)}"


@dataclass(frozen=True)
class Mentions(Leaf):
    """`text mentions drug`: something of this type, or of what is a kind of it."""

    name: str
    type: str
    at: int = field(default=0, compare=False)

    def __str__(self) -> str:
        return f"{self.name} mentions {quoted(self.type)}"


@dataclass(frozen=True)
class Matches(Leaf):
    """`text matches /refund(ed)?/i`."""

    name: str
    pattern: str
    flags: str = ""
    at: int = field(default=0, compare=False)

    def __str__(self) -> str:
        return f"{self.name} matches /{self.pattern.replace('/', chr(92) + '/')}/{self.flags}"


@dataclass(frozen=True)
class Kind:
    """A kind of span, `span:Drug`; `task` is `span`, or the name of a spans task."""

    task: str
    label: str
    at: int = field(default=0, compare=False)

    def __str__(self) -> str:
        return f"{self.task}:{quoted(self.label)}"


@dataclass(frozen=True)
class Count(Leaf):
    """`count(span:Drug) >= 2`."""

    kind: Kind
    sign: str
    number: int
    at: int = field(default=0, compare=False)

    def __str__(self) -> str:
        return f"count({self.kind}) {self.sign} {self.number}"


@dataclass(frozen=True)
class Fact:
    """`kb(d, contraindicated, c)`: subject and object are names of spans, or phrases."""

    subject: str
    predicate: str
    object: str
    named: tuple[bool, bool] = (True, True)
    holds: bool = True
    at: int = field(default=0, compare=False)

    def __str__(self) -> str:
        ends = [
            word if is_name else phrase(word)
            for word, is_name in zip((self.subject, self.object), self.named, strict=True)
        ]
        return f"{'' if self.holds else 'not '}kb({ends[0]}, {quoted(self.predicate)}, {ends[1]})"


@dataclass(frozen=True)
class Exists(Leaf):
    """`exists span:Drug d, span:Condition c with kb(d, contraindicated, c)`.

    `but` lists texts of spans that do not count, to say what a rule would do without them; no rule
    is written with it.
    """

    spans: tuple[tuple[Kind, str], ...]
    facts: tuple[Fact, ...] = ()
    at: int = field(default=0, compare=False)
    but: frozenset[tuple[str, ...]] = frozenset()

    def __str__(self) -> str:
        spans = ", ".join(f"{kind} {name}".rstrip() for kind, name in self.spans)
        facts = " and ".join(map(str, self.facts))
        return f"exists {spans}" + (f" with {facts}" if facts else "")


@dataclass(frozen=True)
class Not:
    """`not A`."""

    part: "Expression"

    def __str__(self) -> str:
        return f"not {_tight(self.part)}"


@dataclass(frozen=True)
class And:
    """`A and B`."""

    parts: tuple["Expression", ...]

    def __str__(self) -> str:
        return " and ".join(map(_tight, self.parts))


@dataclass(frozen=True)
class Or:
    """`A or B`."""

    parts: tuple["Expression", ...]

    def __str__(self) -> str:
        return " or ".join(map(_tight, self.parts))


@dataclass(frozen=True)
class Implies:
    """`A => B`."""

    condition: "Expression"
    then: "Expression"

    def __str__(self) -> str:
        return f"{_tight(self.condition)} => {_tight(self.then)}"


@dataclass(frozen=True)
class Same:
    """`A <=> B`."""

    left: "Expression"
    right: "Expression"

    def __str__(self) -> str:
        return f"{_tight(self.left)} <=> {_tight(self.right)}"


@dataclass(frozen=True)
class Of:
    """`at most 1 of {A, B, C}`: how many of the parts hold, from `low` to `high`."""

    low: int
    high: int
    parts: tuple["Expression", ...]

    def __str__(self) -> str:
        parts = "{" + ", ".join(map(str, self.parts)) + "}"
        if self.low == self.high:
            return f"exactly {self.low} of {parts}"
        if self.high == len(self.parts):
            return f"at least {self.low} of {parts}"
        return f"at most {self.high} of {parts}"


Expression = Leaf | Not | And | Or | Implies | Same | Of


def parts_of(tree: Expression) -> tuple[Expression, ...]:
    """Return the trees directly under `tree`."""
    if isinstance(tree, And | Or | Of):
        return tree.parts
    if isinstance(tree, Implies):
        return tree.condition, tree.then
    if isinstance(tree, Same):
        return tree.left, tree.right
    return (tree.part,) if isinstance(tree, Not) else ()


def leaves(tree: Expression) -> Iterator[Leaf]:
    """Yield the leaves of a tree in order."""
    if isinstance(tree, Leaf):
        yield tree
    for part in parts_of(tree):
        yield from leaves(part)


def swapped(tree: Expression, old: Leaf, new: Leaf) -> Expression:
    """Return a tree with one leaf in the place of another."""
    if isinstance(tree, Leaf):
        return new if tree == old else tree
    if isinstance(tree, Not):
        return Not(swapped(tree.part, old, new))
    if isinstance(tree, Implies | Same):
        return type(tree)(*(swapped(part, old, new) for part in parts_of(tree)))
    return replace(tree, parts=tuple(swapped(part, old, new) for part in tree.parts))


def condition_of(tree: Expression) -> Expression | None:
    """Return when a rule has something to say: the left of `=>`, one side or the other of `<=>`."""
    if isinstance(tree, Implies):
        return tree.condition
    if isinstance(tree, Same):
        return Or((tree.left, tree.right))
    return None


def _tight(tree: Expression) -> str:
    """Return a part so that nothing beside it can be taken for its own."""
    alone = isinstance(tree, Leaf | Not) and not isinstance(tree, Exists)
    return str(tree) if alone else f"({tree})"
