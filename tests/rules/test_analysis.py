"""Rules that do not fit together are named, no more of them than need be."""

import pytest
from strategies import TERMS

from allrounder.errors import ProjectError
from allrounder.rules.analysis import findings, refuse_contradiction
from allrounder.rules.rule import Rules


def found(*rules):
    return findings(Rules.of(list(rules)), TERMS).findings


def test_rules_that_fit_together_are_left_alone():
    assert (
        found("intent = refund => urgency != low", "topics has art excludes topics has sport") == []
    )


def test_a_contradiction_is_the_fewest_rules_that_make_it():
    (conflict,) = found(
        "topics has art",
        "urgency = low or urgency = mid",
        "intent = refund or urgency = high",
        "intent != refund",
        "topics has sport",
    )
    assert (conflict.kind, conflict.rule) == ("conflict", None)
    assert conflict.because == ["rule_2", "rule_3", "rule_4"]
    assert conflict.witness["intent"] != "refund" and conflict.witness["urgency"] == "high"
    assert str(conflict).startswith("conflict: no answer follows rule_2 and rule_3 and rule_4.")


def test_a_contradiction_is_refused_with_its_rules():
    rules = Rules.of(["intent = refund", {"id": "never", "says": "intent in {praise, other}"}])
    with pytest.raises(ProjectError) as error:
        refuse_contradiction(rules, TERMS)
    assert str(error.value) == (
        "The rules contradict one another, so that no answer follows all of them: rule_1: intent = "
        "refund; never: intent in {praise, other}. Change one of these, or make one soft."
    )


def test_a_rule_whose_condition_cannot_hold_is_dead():
    (dead,) = found("intent != refund", "intent = refund => urgency = high")[:1]
    assert (dead.kind, dead.rule, dead.because) == ("dead", "rule_2", ["rule_1"])
    assert dead.witness["intent"] == "refund"


def test_a_condition_that_contradicts_itself_is_dead_by_itself():
    (dead,) = found("price > 5 and price < 3 => intent = refund")
    assert (dead.kind, dead.rule, dead.because) == ("dead", "rule_1", [])
    assert str(dead) == "rule_1 never speaks: itself rules its condition out."


def test_a_rule_that_others_imply_is_redundant():
    (one,) = found(
        "intent = refund => urgency = high",
        "urgency >= mid => topics has sport",
        "intent = refund => topics has sport",
    )
    assert (one.kind, one.rule, one.because) == ("redundant", "rule_3", ["rule_1", "rule_2"])


def test_numbers_are_compared_as_numbers():
    (one,) = found("price > 100 => intent = refund", "price > 200 => intent = refund")
    assert (one.kind, one.rule, one.because) == ("redundant", "rule_2", ["rule_1"])


def test_counts_and_existence_of_spans_belong_together():
    (one,) = found("count(span:Drug) >= 2 => exists span:Person", "not exists span:Drug")
    assert (one.kind, one.rule, one.because) == ("dead", "rule_1", ["rule_2"])


def test_a_fact_needs_the_spans_that_it_is_about():
    says = 'exists span:Drug d with kb(d, treats, "pain") => intent = other'
    (one,) = found(says, "not exists span:Drug")
    assert (one.kind, one.rule, one.because) == ("dead", "rule_1", ["rule_2"])


def test_a_soft_rule_contradicts_nothing():
    soft = {"says": "intent = praise", "soft": 1.0}
    assert [one.kind for one in found("intent = refund", soft)] == []
