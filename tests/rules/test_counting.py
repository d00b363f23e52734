"""Exact model counting, against every answer there is."""

import math
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import DECIDED, INTENTS, TERMS, URGENCIES, trees

from allrounder.errors import ProjectError
from allrounder.rules import Key, Meaning, Rules, Spoken, Terms, World
from allrounder.rules.counting import Counting, Options, countable, seen

VALUES = {
    Key("intent"): INTENTS,
    Key("urgency"): URGENCIES,
    Key("topics", "sport"): (False, True),
    Key("topics", "art"): (False, True),
    Key("entities"): seen({"Drug": 2, "Condition": 1}),
}
SPANS = st.sampled_from(["count(span:Drug) >= 2", "exists span:Drug", "exists span:Condition"])
LEAVES = st.one_of(DECIDED, SPANS.map(lambda says: Rules.of([says]).rules[0].tree))
CHANCES = st.fixed_dictionaries(
    {key: st.lists(st.floats(0.01, 1), min_size=len(v), max_size=len(v))
     for key, v in VALUES.items()}
)  # fmt: skip


def world(choice, price):
    answers = {key.name: value for key, value in choice.items() if key.label is None}
    labels = [key.label for key, value in choice.items() if key.label and value]
    has_topics = any(key.name == "topics" for key in choice)
    return World(
        {**answers, **({"topics": labels} if has_topics else {})},
        {} if price is None else {"price": price},
    )


def by_hand(rule, meaning, options, price):
    """Return the probabilities that a rule is followed and broken, answer by answer."""
    found = {True: 0.0, False: 0.0}
    keys = list(options)
    for places in product(*(range(len(options[key].values)) for key in keys)):
        choice = {k: options[k].values[p] for k, p in zip(keys, places, strict=True)}
        chance = math.prod(options[k].chances[p] for k, p in zip(keys, places, strict=True))
        found[meaning.truth(rule.tree, world(choice, price)) is not False] += chance
    return found


@settings(max_examples=100)
@given(tree=trees(LEAVES), chances=CHANCES, price=st.sampled_from([None, 3.0, 8.0]),
       asked=st.sets(st.sampled_from(["intent", "urgency", "topics", "entities"])))  # fmt: skip
def test_the_count_is_the_sum_over_every_joint_answer(tree, chances, price, asked):
    rules = Rules.of([str(tree)])
    meaning = Meaning(rules, TERMS)
    counting = Counting(rules.rules[0], TERMS, meaning)
    options = {
        key: Options(VALUES[key], [c / sum(some) for c in some])
        for key, some in chances.items()
        if key.name in asked
    }
    known = {leaf: meaning.holds(leaf, price) for leaf in counting.inputs if price is not None}
    holds, broken = counting.likely(known, options)
    wanted = by_hand(rules.rules[0], meaning, options, price)
    assert holds == pytest.approx(wanted[True], abs=1e-12)
    assert broken == pytest.approx(wanted[False], abs=1e-12)


MANY = Terms({"topics": Spoken("labels", tuple(f"t{n}" for n in range(40)))})
EVERY = ", ".join(f"topics has t{n}" for n in range(40))


@pytest.mark.parametrize(
    ("says", "wanted"),
    [
        (f"at most 1 of {{{EVERY}}}", 0.5**40 * 41),
        ("topics: {" + ", ".join(f"t{n}" for n in range(1, 40)) + "} under t0", (1 + 0.5**39) / 2),
        (" => ".join(f"(topics has t{n}" for n in range(40)) + ")" * 40, None),
    ],
)
def test_forty_labels_take_few_cases(says, wanted):
    (counting,) = countable(Rules.of([says]), MANY)
    options = {key: Options((False, True), (0.5, 0.5)) for key in counting.keys}
    holds, broken = counting.likely({}, options)
    assert holds + broken == pytest.approx(1)
    assert wanted is None or holds == pytest.approx(wanted, rel=1e-12)


def test_the_least_probability_is_as_exact_as_the_greatest():
    (counting,) = countable(Rules.of(["topics has t0 => topics has t1"]), MANY)
    sure = {Key("topics", "t0"): Options((False, True), (1e-40, 1 - 1e-40)),
            Key("topics", "t1"): Options((False, True), (1 - 1e-40, 1e-40))}  # fmt: skip
    assert counting.likely({}, sure)[0] == pytest.approx(2e-40)


def test_a_rule_with_too_many_cases_is_refused_before_training():
    some = [f"(topics has t{n} <=> topics has t{(n * m) % 37})" for n in range(37)
            for m in (5, 11, 17, 23)]  # fmt: skip
    says = "at least 60 of {" + ", ".join(dict.fromkeys(some)) + "}"
    with pytest.raises(ProjectError) as error:
        countable(Rules.of([says]), MANY)
    assert str(error.value) == (
        "Rule 'rule_1' has more than 4,096 cases, too many for `knowledge.rules_loss`: say it in "
        "several rules that share fewer answers."
    )


@pytest.mark.parametrize(
    "says",
    ["mood > 1 => intent = praise", "price > 5",
     "exists span:Drug d, span:Condition c with kb(d, treats, c) => intent = praise"],
)  # fmt: skip
def test_rules_that_cannot_be_counted_are_left_out(says):
    (counting,) = countable(Rules.of([says, "intent = refund => urgency != low"]), TERMS)
    assert counting.rule.id == "rule_2"
    with pytest.raises(ProjectError) as error:
        countable(Rules.of([says]), TERMS)
    assert str(error.value) == (
        "`knowledge.rules_loss`: expected a rule in force today over labels or spans without "
        "`with kb(…)`, found none among 1. Write one, or remove the key."
    )
