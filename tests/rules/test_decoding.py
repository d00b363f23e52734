"""Joint answers: exact against brute force, honest about what gave way."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import (
    DECIDED,
    TERMS,
    VARIABLES,
    answers_of,
    cost_of,
    every_choice,
    rules_of,
    trees,
    variable,
)

from allrounder.rules.decoding import Decoder
from allrounder.rules.meaning import ListedFacts, Meaning, World
from allrounder.rules.rule import Rules
from allrounder.types import Variable

WEIGHTS = st.one_of(st.none(), st.floats(0.1, 5))
RULES = st.lists(st.tuples(trees(DECIDED, most=6), WEIGHTS), min_size=1, max_size=5)
INPUTS = st.sampled_from([{}, {"price": 5.0}, {"price": 9.0}])


def priced(rules, meaning, variables, picks, inputs):
    """Return what a choice costs with the soft rules it breaks; None where a hard one is broken."""
    world, cost = World(answers_of(variables, picks), inputs), cost_of(variables, picks)
    for rule in rules.rules:
        if meaning.truth(rule.tree, world) is False:
            if rule.is_hard:
                return None
            cost += rule.soft
    return cost


@settings(max_examples=150)
@given(RULES, VARIABLES, st.sampled_from([{"price": 5.0}, {"price": 9.0}]))
def test_the_joint_answer_is_the_best_of_all(specs, variables, inputs):
    rules = rules_of(specs)
    decoder, meaning = Decoder(rules, TERMS), Meaning(rules, TERMS)
    outcome = decoder.decode(variables, inputs)
    every = [priced(rules, meaning, variables, p, inputs) for p in every_choice(variables)]
    allowed = [cost for cost in every if cost is not None]
    found = priced(rules, meaning, variables, outcome.picks, inputs)
    if allowed:
        assert not outcome.relaxed
        assert found == pytest.approx(min(allowed), abs=1e-6)
    else:
        assert outcome.relaxed
        kept = rules.without(*outcome.relaxed)
        assert priced(kept, meaning, variables, outcome.picks, inputs) is not None


@given(RULES, VARIABLES, INPUTS)
def test_what_breaks_nothing_stays_as_it_is(specs, variables, inputs):
    outcome = Decoder(rules_of(specs), TERMS).decode(variables, inputs)
    assert outcome.violated or outcome.picks == outcome.own


@given(RULES, VARIABLES, INPUTS)
def test_the_effect_of_a_rule_is_the_answer_without_it(specs, variables, inputs):
    rules = rules_of(specs)
    outcome = Decoder(rules, TERMS).decode(variables, inputs)
    for id, changed in outcome.effects.items():
        rest = rules.without(id)
        without = Decoder(rest, TERMS).decode(variables, inputs).picks if len(rest) else outcome.own
        assert (
            cost_of(variables, without)
            == pytest.approx(cost_of(variables, {**outcome.picks, **changed}), abs=1e-6)
            or outcome.relaxed
        )


def test_cp_sat_takes_over_where_the_budget_is_spent():
    rules = Rules.of(["intent = refund => urgency != low", "urgency = mid => topics has sport"])
    variables = {
        "intent": [variable(("refund", "praise", "other"), [3, 0, 0])],
        "urgency": [variable(("low", "mid", "high"), [3, 2, 1])],
        "topics": [
            variable((False, True), [1, 0], "sport"),
            variable((False, True), [1, 0], "art"),
        ],
    }
    slow, quick = Decoder(rules, TERMS, budget=0), Decoder(rules, TERMS)
    assert slow.decode(variables, {}) == quick.decode(variables, {})


INTENT = {"intent": [variable(("refund", "praise", "other"), [3.0, 1.0, 0.0])]}


def test_of_rules_that_cannot_all_hold_those_of_low_priority_give_way():
    rules = Rules.of(
        [
            {"id": "low", "says": "intent = other", "priority": 1},
            {"id": "high", "says": "intent = praise", "priority": 2},
        ]
    )
    outcome = Decoder(rules, TERMS).decode(INTENT, {})
    assert (outcome.picks, outcome.relaxed) == ({"intent": [1]}, ["low"])


def test_a_rule_about_an_input_that_is_missing_breaks_nothing():
    rules = Rules.of(["price > 5 => intent = other"])
    decoder = Decoder(rules, TERMS)
    assert decoder.decode(INTENT, {}).violated == []
    assert decoder.decode(INTENT, {"price": None}).picks == {"intent": [0]}
    assert decoder.decode(INTENT, {"price": 6.0}).picks == {"intent": [2]}


def test_a_soft_rule_gives_way_to_an_answer_that_is_likelier_by_more_than_its_weight():
    for soft, pick in ((1.9, 0), (2.1, 1)):
        rules = Rules.of([{"says": "intent = praise", "soft": soft}])
        assert Decoder(rules, TERMS).decode(INTENT, {}).picks == {"intent": [pick]}


def test_facts_are_asked_about_the_mentions_of_each_option():
    says = "exists span:Drug d, span:Condition c with kb(d, contraindicated, c) => intent = other"
    facts = ListedFacts([("aspirin", "contraindicated", "ulcer")])
    decoder = Decoder(Rules.of([says]), TERMS, facts)
    drug, bad, good = (
        {"label": label, "text": text}
        for label, text in (("Drug", "Aspirin"), ("Condition", "ulcer"), ("Condition", "flu"))
    )
    for found, pick in (([drug, bad], 2), ([drug, good], 0), ([bad], 0)):
        spans = {"entities": [Variable(None, [found], [0.0], 0)]}
        assert decoder.decode({**INTENT, **spans}, {}).picks["intent"] == [pick]


def test_an_outcome_says_what_fired_what_was_broken_and_what_each_rule_did():
    rules = Rules.of(
        [
            {"id": "a", "says": "intent = refund => urgency = high"},
            {"id": "b", "says": "urgency = high => topics has sport"},
            {"id": "c", "says": "intent = praise => topics has art"},
        ]
    )
    variables = {
        **INTENT,
        "urgency": [variable(("low", "mid", "high"), [1, 0, 0])],
        "topics": [
            variable((False, True), [1, 0], "sport"),
            variable((False, True), [1, 0], "art"),
        ],
    }
    outcome = Decoder(rules, TERMS).decode(variables, {})
    assert (outcome.fired, outcome.violated) == (["a"], ["a"])
    assert outcome.changed == ["urgency", "topics"]
    assert outcome.effects == {
        "a": {"urgency": [0], "topics": [0, 0]},
        "b": {"topics": [0, 0]},
    }
