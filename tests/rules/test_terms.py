"""Rules that name what is not there get one sentence: rule, column, what was meant."""

import pytest
from strategies import TERMS

from allrounder.errors import ProjectError
from allrounder.rules.rule import Rules
from allrounder.rules.terms import Key, Spoken, Terms


def refused(says, terms=TERMS, **sections):
    with pytest.raises(ProjectError) as error:
        terms.check(Rules.of({"rules": [{"id": "r", "says": says}], **sections}))
    return str(error.value)


@pytest.mark.parametrize(
    ("says", "sentence"),
    [
        ("intnt = refund", "column 1: expected a task or an input, found 'intnt'. Did you mean "
         "'intent'? Known: intent, urgency, topics, mood, entities, text, price."),
        ("intent = refnd", "column 1: expected a label of `intent`, found 'refnd'. Did you mean "
         "'refund'? Labels: refund, praise, other."),
        ("intent = refund => urgency > medium", "column 20: expected a label of `urgency`, found "
         "'medium'. Labels: low, mid, high."),
        ("intent > refund", "column 1: expected `=`, `!=` or `in` after `intent`, whose labels "
         "have no order, found `>`."),
        ("topics = sport", "column 1: expected `topics has …`, found `topics = sport`. It has no "
         "single label."),
        ("intent has refund", "column 1: expected a multilabel task or a text before `has`, found "
         "'intent'. Write `intent = …`."),
        ("price > cheap", "column 1: expected a number to compare `price` with, found 'cheap'."),
        ("exists span:Drg d", "column 8: expected a label of `span`, found 'Drg'. Did you mean "
         "'Drug'? Labels: Drug, Condition, Person."),
        ("exists entites:Drug d", "column 8: expected `span` or a spans task, found 'entites'. "
         "Did you mean 'entities'? Known: span, entities."),
        ("exists span:Drug d with kb(d, treat, \"pain\")", "column 25: expected a predicate, "
         "found 'treat'. Did you mean 'treats'? Predicates: treats, contraindicated."),
        ("price matches /a/", "column 1: expected a text before `matches`, found 'price'. Texts: "
         "text."),
        ("text has lexicon drugs", "column 1: expected a lexicon of the file of rules, found "
         "'drugs'. Did you mean 'drug'? Lexicons: drug."),
        (r"text matches /(a)\1/", r"column 1: expected a pattern that is matched in linear time, "
         r"found /(a)\1/ (invalid escape sequence: \1). Back-references and looking around are "
         "not among these: say it in several rules."),
    ],
)  # fmt: skip
def test_a_strange_name_is_refused_with_what_may_be_meant(says, sentence):
    assert refused(says, lexicons={"drug": ["aspirin"]}) == f"Rule 'r', {sentence}"


def test_facts_need_a_knowledge_base():
    terms = Terms({"entities": Spoken("spans", ("Drug",))})
    said = refused('exists span:Drug d with kb(d, treats, "pain")', terms)
    assert said == (
        "Rule 'r', column 25: expected a knowledge base for `kb`, found none. Name one: "
        "knowledge.facts in the project file."
    )


def test_labels_that_are_not_known_yet_are_believed():
    Terms({"intent": Spoken("label")}).check(Rules.of(["intent = anything"]))


def test_the_kind_of_a_span_may_have_to_name_its_task():
    terms = Terms({name: Spoken("spans", ("Drug",)) for name in ("one", "two")})
    assert refused("exists span:Drug", terms) == (
        "Rule 'r', column 8: expected the name of the spans task, found `span:Drug`. Several have "
        "it: one, two."
    )
    assert terms.key(Rules.of(["exists two:Drug"]).rules[0].tree) == Key("two")


def test_too_many_kinds_of_spans_are_refused():
    terms = Terms({"it": Spoken("spans", tuple("abcdefghi"))})
    says = " and ".join(f"exists span:{label}" for label in "abcdefghi")
    assert refused(says, terms) == (
        "The rules tell 512 combinations of spans of `it` apart, and 256 is the most. Name fewer "
        "kinds of spans, or lower counts."
    )


def test_what_options_have_to_tell_apart_is_read_off_the_rules():
    rules = Rules.of(["count(span:Drug) >= 2 => mood > 1.5", "exists span:Person", "mood < 0"])
    assert TERMS.mentioned(rules) == {
        "mood": {0.0: 1, 1.5: 1},
        "entities": {"Drug": 2, "Person": 1},
    }
