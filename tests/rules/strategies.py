"""Random rules, words and records for the tests of rules."""

import math
from itertools import product

from hypothesis import strategies as st

from allrounder.rules.rule import Rules
from allrounder.rules.syntax import (
    Among,
    And,
    Compare,
    Count,
    Exists,
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
from allrounder.rules.terms import Spoken, Terms
from allrounder.types import Variable

INTENTS, URGENCIES, TOPICS = ("refund", "praise", "other"), ("low", "mid", "high"), ("sport", "art")
TERMS = Terms(
    {
        "intent": Spoken("label", INTENTS),
        "urgency": Spoken("rank", URGENCIES),
        "topics": Spoken("labels", TOPICS),
        "mood": Spoken("number"),
        "entities": Spoken("spans", ("Drug", "Condition", "Person")),
    },
    {"text": "text", "price": "number"},
    predicates=["treats", "contraindicated"],
    types=["drug", "药品", "mentions"],
)
WORDS = st.text(min_size=1, max_size=8).filter(lambda word: word.strip() == word)
NAMES = st.sampled_from(["intent", "urgency", "topics", "mood", "_x1"])
SIGNS = st.sampled_from(["=", "!=", "<", "<=", ">", ">="])


@st.composite
def leaves_of_any_kind(draw):
    kind = st.builds(Kind, st.sampled_from(["span", "entities"]), WORDS)
    exists = st.builds(
        lambda kinds, predicate, holds, phrase: Exists(
            tuple((kind, f"s{n}") for n, kind in enumerate(kinds)),
            (Fact("s0", predicate, phrase, (True, False), holds),),
        ),
        st.lists(kind, min_size=1, max_size=3), WORDS, st.booleans(), WORDS,
    )  # fmt: skip
    return draw(
        st.one_of(
            st.builds(Compare, NAMES, SIGNS, WORDS),
            st.builds(Among, NAMES, st.lists(WORDS, min_size=1, max_size=3).map(tuple)),
            st.builds(Has, NAMES, WORDS),
            st.builds(HasListed, NAMES, WORDS),
            st.builds(Mentions, NAMES, WORDS),
            st.builds(Matches, NAMES, st.sampled_from(["a/b", "(x|y)+", r"\d\s"]),
                      st.sampled_from(["", "i"])),
            st.builds(Count, kind, SIGNS, st.integers(0, 99)),
            st.builds(lambda kind: Exists(((kind, ""),)), kind),
            exists,
        )
    )  # fmt: skip


def trees(leaves, *, most=12):
    """Return trees over leaves."""

    def joined(part):
        some = st.lists(part, min_size=2, max_size=3).map(tuple)
        return st.one_of(
            st.builds(Not, part),
            st.builds(And, some),
            st.builds(Or, some),
            st.builds(Implies, part, part),
            st.builds(Same, part, part),
            some.flatmap(lambda parts: st.integers(0, len(parts)).map(lambda n: Of(0, n, parts))),
            some.flatmap(
                lambda parts: st.integers(0, len(parts)).map(lambda n: Of(n, len(parts), parts))
            ),
        )

    return st.recursive(leaves, joined, max_leaves=most)


DECIDED = st.one_of(
    st.builds(Compare, st.just("intent"), st.sampled_from(["=", "!="]), st.sampled_from(INTENTS)),
    st.builds(Compare, st.just("urgency"), SIGNS, st.sampled_from(URGENCIES)),
    st.builds(Has, st.just("topics"), st.sampled_from(TOPICS)),
    st.builds(Compare, st.just("price"), SIGNS, st.just("5")),
)
"""Leaves that speak of three tasks and of one input."""


def variable(values, numbers, label=None):
    """Return a variable of which option n weighs e^numbers[n]."""
    numbers = numbers[: len(values)]
    total = math.log(sum(math.exp(x) for x in numbers))
    costs = tuple(total - x for x in numbers)
    return Variable(label, tuple(values), costs, costs.index(min(costs)))


NUMBERS = st.lists(st.floats(-4, 4), min_size=3, max_size=3)
VARIABLES = st.builds(
    lambda a, b, c, d: {
        "intent": [variable(INTENTS, a)],
        "urgency": [variable(URGENCIES, b)],
        "topics": [
            variable((False, True), c, "sport"),
            variable((False, True), d, "art"),
        ],
    },
    NUMBERS, NUMBERS, NUMBERS, NUMBERS,
)  # fmt: skip


def cost_of(variables, picks):
    """Return what some options cost."""
    return sum(
        variable.costs[option]
        for task, some in variables.items()
        for variable, option in zip(some, picks[task], strict=True)
    )


def every_choice(variables):
    """Yield every choice of options, by task."""
    flat = [(task, v) for task, some in variables.items() for v in some]
    for options in product(*(range(len(v.values)) for _, v in flat)):
        picks = {task: [] for task in variables}
        for (task, _), option in zip(flat, options, strict=True):
            picks[task].append(option)
        yield picks


def answers_of(variables, picks):
    """Return the labels that a choice stands for."""
    found = {}
    for task, some in variables.items():
        values = [v.values[o] for v, o in zip(some, picks[task], strict=True)]
        labels = [v.label for v, on in zip(some, values, strict=True) if on is True]
        found[task] = values[0] if some[0].label is None else labels
    return found


def rules_of(specs):
    """Return rules from trees with a weight each, None for a hard one."""
    return Rules.of([{"says": str(tree), "soft": soft} for tree, soft in specs])
