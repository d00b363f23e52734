"""Rules are tried on their own cases."""

import pytest
from strategies import TERMS

from allrounder.errors import ProjectError
from allrounder.rules.rule import Rules
from allrounder.rules.trying import tried


def rule(says, *tests):
    return Rules.of([{"id": "r", "says": says, "tests": list(tests)}, "mood > 0"])


def test_a_case_passes_where_the_rule_holds_as_it_says():
    trials = tried(
        rule(
            "text has refund and intent = refund => urgency != low",
            {"given": {"text": "A refund!", "intent": "refund", "urgency": "low"}, "holds": False},
            {"given": {"text": "A refund!", "intent": "refund", "urgency": "mid"}, "holds": True},
            {"given": {"intent": "praise"}, "holds": True},
        ),
        TERMS,
    )
    assert not trials.failed
    assert str(trials) == "3 of 3 tests pass.\nRules without a test: rule_2."


def test_a_case_that_fails_is_shown():
    trials = tried(rule("topics has art", {"given": {"topics": ["sport"]}, "holds": True},
                        {"given": {"intent": "refund"}, "holds": True}), TERMS)  # fmt: skip
    assert str(trials) == (
        "r, test 1: expected that it holds, found that it is broken: {'topics': ['sport']}\n"
        "r, test 2: expected that it holds, found that it cannot be told, as something is missing: "
        "{'intent': 'refund'}\n"
        "0 of 2 tests pass.\nRules without a test: rule_2."
    )


def test_facts_and_spans_may_be_given():
    says = "exists span:Drug d, span:Condition c with kb(d, treats, c) => intent = other"
    spans = [{"text": "aspirin", "label": "Drug"}, {"text": "pain", "label": "Condition"}]
    facts = [["Aspirin", "treats", "pain"]]
    trials = tried(rule(says, {"given": {"entities": spans, "intent": "refund"}, "facts": facts,
                               "holds": False}), TERMS)  # fmt: skip
    assert not trials.failed


def test_a_case_that_names_what_is_not_there_is_refused():
    with pytest.raises(ProjectError) as error:
        tried(rule("topics has art", {"given": {"topic": ["art"]}, "holds": True}), TERMS)
    assert str(error.value) == (
        "Rule 'r', test 1: 'topic' is neither a task nor an input. Did you mean 'topics'? Known: "
        "intent, urgency, topics, mood, entities, text, price."
    )


def test_a_value_of_the_wrong_kind_is_refused():
    with pytest.raises(ProjectError, match=r"a value in .* is not of the kind that its task"):
        tried(rule("mood > 1", {"given": {"mood": "good"}, "holds": True}), TERMS)
