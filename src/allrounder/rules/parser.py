"""From the text of a rule to its tree.

rule   = side ["<=>" side]            side  = either ["=>" side]
either = any ["excludes" any]         any   = all {"or" all}       all = one {"and" one}
one    = "not" one | "(" rule ")" | how-many "of" "{" rule {"," rule} "}"
       | "exists" kind [name] {"," kind [name]} ["with" fact {"and" fact}]
       | "count" "(" kind ")" sign number
       | name sign label | name ["not"] "in" "{" labels "}" | name "has" label
       | name "has" "lexicon" name | name "matches" /pattern/
       | name ["not"] "mentions" type
       | name ":" labels "under" label
"""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import NoReturn

from allrounder.errors import ProjectError
from allrounder.rules.syntax import (
    NUMBERS,
    RESERVED,
    Among,
    And,
    Compare,
    Count,
    Exists,
    Expression,
    Fact,
    Has,
    HasListed,
    Implies,
    Kind,
    Matches,
    Mentions,
    Not,
    Of,
    Or,
    Same,
)

SIGNS = ("=", "!=", "<", "<=", ">", ">=")
TOKEN = re.compile(
    r"""\s*(?:
    (?P<sign><=>|=>|<=|>=|!=|=|<|>|[{}(),:])
    |(?P<pattern>/(?:\\.|[^/\\])*/[a-z]*)
    |(?P<phrase>"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*')
    |(?P<word>[^\s{}(),:<>=!"'/]+)
    )""",
    re.VERBOSE,
)
DEEPEST = 100
"""How deep brackets may stand in one another."""


@dataclass(frozen=True)
class Token:
    """One sign, word, phrase or pattern, and the column where it begins, from 1."""

    kind: str
    text: str
    at: int

    def __str__(self) -> str:
        return "the end of the rule" if self.kind == "end" else f"`{self.text}`"


def parse(text: str, *, rule: str) -> Expression:
    """Return the tree of a rule.

    Args:
        text: the rule.
        rule: what the rule is called in a sentence about it, such as "Rule 'refunds'".

    Raises:
        ProjectError: where the text is no rule: rule, column, what was expected, what was found.
    """
    return _Parser(text, rule).whole()


class _Parser:
    def __init__(self, text: str, rule: str) -> None:
        self.rule = rule
        self.tokens = self._tokens(text)
        self.place = 0
        self.depth = 0

    def _tokens(self, text: str) -> list[Token]:
        found, at = [], 0
        while text[at:].strip():
            match = TOKEN.match(text, at)
            if match is None:
                begin = at + len(text[at:]) - len(text[at:].lstrip())
                self.refuse(begin + 1, "a word or a sign", f"`{text[begin]}`")
            kind = match.lastgroup or ""
            found.append(Token(kind, match[kind], match.start(kind) + 1))
            at = match.end()
        return [*found, Token("end", "", len(text.rstrip()) + 1)]

    def refuse(self, at: int, expected: str, found: object, do: str = "") -> NoReturn:
        raise ProjectError(f"{self.rule}, column {at}: expected {expected}, found {found}.{do}")

    # ---------------------------------------------------------------- tokens

    @property
    def next(self) -> Token:
        return self.tokens[self.place]

    def take(self) -> Token:
        token = self.next
        self.place = min(self.place + 1, len(self.tokens) - 1)
        return token

    def sees(self, *texts: str, ahead: int = 0) -> bool:
        token = self.tokens[min(self.place + ahead, len(self.tokens) - 1)]
        return token.kind in {"sign", "word"} and token.text in texts

    def skip(self, *texts: str) -> bool:
        found = self.sees(*texts)
        self.place += found
        return found

    def need(self, text: str) -> None:
        if not self.skip(text):
            self.refuse(self.next.at, f"`{text}`", self.next)

    def name(self, what: str) -> Token:
        token = self.take()
        if token.kind != "word" or token.text in RESERVED:
            self.refuse(token.at, what, token)
        return token

    def label(self, what: str = "a label") -> str:
        token = self.take()
        if token.kind == "phrase":
            return re.sub(r"\\(.)", r"\1", token.text[1:-1])
        if token.kind != "word":
            self.refuse(token.at, what, token)
        if token.text in RESERVED:
            do = f' Write the label "{token.text}" between quotation marks.'
            self.refuse(token.at, what, token, do)
        return token.text

    def labels(self) -> tuple[str, ...]:
        self.need("{")
        found = [self.label()]
        while self.skip(","):
            found.append(self.label())
        self.need("}")
        return tuple(found)

    # ---------------------------------------------------------------- joined parts

    def whole(self) -> Expression:
        tree = self.rule_()
        if self.next.kind != "end":
            self.refuse(self.next.at, "the end of the rule, or `and`, `or`, `=>`, `<=>`", self.next)
        return tree

    def rule_(self) -> Expression:
        with self.deeper():
            left = self.side()
            return Same(left, self.side()) if self.skip("<=>") else left

    @contextmanager
    def deeper(self) -> Iterator[None]:
        """Refuse what lies too deep to be read."""
        self.depth += 1
        if self.depth > DEEPEST:
            what = f"at most {DEEPEST} brackets, `not` and `=>` in one another"
            self.refuse(self.next.at, what, "more")
        yield
        self.depth -= 1

    def side(self) -> Expression:
        left = self.either()
        if not self.skip("=>"):
            return left
        with self.deeper():
            return Implies(left, self.side())

    def either(self) -> Expression:
        left = self.any()
        return Of(0, 1, (left, self.any())) if self.skip("excludes") else left

    def any(self) -> Expression:
        return self.joined("or", Or, self.all)

    def all(self) -> Expression:
        return self.joined("and", And, self.one)

    def joined(
        self,
        word: str,
        join: Callable[[tuple[Expression, ...]], Expression],
        part: Callable[[], Expression],
    ) -> Expression:
        parts = [part()]
        while self.skip(word):
            parts.append(part())
        return join(tuple(parts)) if len(parts) > 1 else parts[0]

    # ---------------------------------------------------------------- single parts

    def one(self) -> Expression:
        if self.skip("not"):
            with self.deeper():
                return Not(self.one())
        if self.skip("("):
            tree = self.rule_()
            self.need(")")
            return tree
        if self.sees("at", "exactly", "none", "any", "all"):
            return self.how_many()
        if self.sees("exists"):
            return self.exists()
        if self.sees("count"):
            return self.count()
        return self.leaf()

    def how_many(self) -> Expression:
        word = self.take().text
        if word == "at":
            word = "most" if self.skip("most") else "least"
            if word == "least":
                self.need("least")
        number = self.number() if word in {"most", "least", "exactly"} else 0
        self.need("of")
        at, parts = self.next.at, self.parts()
        if number > len(parts):
            self.refuse(at, f"{number} rules or more between the brackets", str(len(parts)))
        low, high = {"most": (0, number), "least": (number, len(parts)), "none": (0, 0),
                     "exactly": (number, number), "any": (1, len(parts)),
                     "all": (len(parts), len(parts))}[word]  # fmt: skip
        return Of(low, high, parts)

    def parts(self) -> tuple[Expression, ...]:
        self.need("{")
        found = [self.rule_()]
        while self.skip(","):
            found.append(self.rule_())
        self.need("}")
        return tuple(found)

    def number(self) -> int:
        token = self.take()
        if token.text in NUMBERS:
            return NUMBERS.index(token.text)
        if not re.fullmatch(r"\d{1,4}", token.text):
            self.refuse(token.at, "a whole number such as 1 or `one`", token)
        return int(token.text)

    def kind(self) -> Kind:
        token = self.name("`span:` and a label, such as span:Drug")
        self.need(":")
        return Kind(token.text, self.label(), at=token.at)

    def exists(self) -> Expression:
        at = self.take().at
        spans = [self.span()]
        while self.sees(",") and self.sees(":", ahead=2) and not self.sees("{", ahead=3):
            self.take()
            spans.append(self.span())
        facts = []
        if self.skip("with"):
            facts = [self.fact()]
            while self.sees("and") and (
                self.sees("kb", ahead=1) or (self.sees("not", ahead=1) and self.sees("kb", ahead=2))
            ):
                self.take()
                facts.append(self.fact())
        self.check_names(spans, facts)
        return Exists(tuple(spans), tuple(facts), at=at)

    def span(self) -> tuple[Kind, str]:
        kind = self.kind()
        named = self.next.kind == "word" and self.next.text not in RESERVED
        return kind, self.take().text if named else ""

    def fact(self) -> Fact:
        holds = not self.skip("not")
        at = self.next.at
        self.need("kb")
        self.need("(")
        subject, first = self.end()
        self.need(",")
        predicate = self.label("a predicate")
        self.need(",")
        object_, second = self.end()
        self.need(")")
        return Fact(subject, predicate, object_, (first, second), holds, at=at)

    def end(self) -> tuple[str, bool]:
        is_name = self.next.kind == "word"
        return self.label("the name of a span, or a phrase"), is_name

    def check_names(self, spans: list[tuple[Kind, str]], facts: list[Fact]) -> None:
        names = [name for _, name in spans if name]
        for name in names:
            if names.count(name) > 1:
                self.refuse(spans[-1][0].at, "a name for each span", f"`{name}` twice")
        for fact in facts:
            for word, is_name in zip((fact.subject, fact.object), fact.named, strict=True):
                if is_name and word not in names:
                    do = f' A phrase stands between quotation marks: "{word}".'
                    self.refuse(fact.at, f"a span named `{word}`", ", ".join(names) or "none", do)

    def count(self) -> Expression:
        at = self.take().at
        self.need("(")
        kind = self.kind()
        self.need(")")
        return Count(kind, self.sign(), self.number(), at=at)

    def sign(self) -> str:
        token = self.take()
        if token.kind != "sign" or token.text not in SIGNS:
            self.refuse(token.at, "one of " + ", ".join(SIGNS), token)
        return token.text

    def leaf(self) -> Expression:
        token = self.name("a task, an input, `not`, `(`, `exists`, `count` or `at most`")
        name, at = token.text, token.at
        if self.skip("has"):
            if self.skip("lexicon"):
                return HasListed(name, self.label("the name of a lexicon"), at=at)
            return Has(name, self.label(), at=at)
        if self.skip("matches"):
            return self.matches(name, at)
        if self.sees("in", "mentions", ahead=self.sees("not")):
            negated = self.skip("not")
            tree = self.among(name, at) if self.skip("in") else self.mentions(name, at)
            return Not(tree) if negated else tree
        if self.skip(":"):
            return self.under(name, at)
        if self.next.kind == "sign" and self.next.text in SIGNS:
            return Compare(name, self.sign(), self.label("a label or a number"), at=at)
        what = f"`=`, `!=`, `<`, `>`, `in`, `has`, `matches` or `mentions` after `{name}`"
        self.refuse(self.next.at, what, self.next)

    def among(self, name: str, at: int) -> Expression:
        return Among(name, self.labels(), at=at)

    def mentions(self, name: str, at: int) -> Expression:
        self.need("mentions")
        return Mentions(name, self.label("a type of the knowledge base"), at=at)

    def matches(self, name: str, at: int) -> Expression:
        token = self.take()
        if token.kind != "pattern":
            self.refuse(token.at, "a pattern between slashes, such as /refund(ed)?/", token)
        pattern, _, flags = token.text[1:].rpartition("/")
        if flags.strip("i"):
            self.refuse(token.at, "no flag but `i` after the pattern", f"`{flags}`")
        return Matches(name, pattern.replace("\\/", "/"), "i" if flags else "", at=at)

    def under(self, name: str, at: int) -> Expression:
        """Return a hierarchy: whatever has one of the labels has the one above them too."""
        labels = self.labels() if self.sees("{") else (self.label(),)
        self.need("under")
        parent = Has(name, self.label(), at=at)
        lower = tuple(Has(name, label, at=at) for label in labels)
        return Implies(lower[0] if len(lower) == 1 else Or(lower), parent)
