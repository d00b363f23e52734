"""The language of rules: what it reads, and the sentences it refuses the rest with."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import leaves_of_any_kind, trees

from allrounder.errors import ProjectError
from allrounder.rules.parser import parse
from allrounder.rules.syntax import And, Compare, Has, Implies, Not, Of, Or, Same


def read(text):
    return parse(text, rule="Rule 'r'")


@given(trees(leaves_of_any_kind()))
def test_what_is_written_out_is_read_back_as_the_same_tree(tree):
    assert read(str(tree)) == tree


@given(st.text())
def test_any_text_is_a_rule_or_gets_a_sentence(text):
    try:
        read(text)
    except ProjectError as error:
        assert str(error).startswith("Rule 'r', column ")


def test_implication_binds_less_than_or_and_or_less_than_and():
    a, b, c, d = (Compare(name, "=", "x") for name in "abcd")
    assert read("a = x or b = x and c = x => d = x") == Implies(Or((a, And((b, c)))), d)
    assert read("a = x => b = x => c = x") == Implies(a, Implies(b, c))
    assert read("a = x <=> not b = x") == Same(a, Not(b))


def test_hierarchy_and_exclusion_are_short_for_other_rules():
    sport, ball, golf = (Has("topics", label) for label in ("sport", "ball", "golf"))
    assert read("topics: ball under sport") == Implies(ball, sport)
    assert read("topics: {ball, golf} under sport") == Implies(Or((ball, golf)), sport)
    assert read("topics has ball excludes topics has golf") == Of(0, 1, (ball, golf))


def test_cardinality_is_written_in_words_or_digits():
    parts = tuple(Has("topics", label) for label in "abc")
    inside = "{topics has a, topics has b, topics has c}"
    assert read(f"at most one of {inside}") == Of(0, 1, parts)
    assert read(f"at least 2 of {inside}") == Of(2, 3, parts)
    assert read(f"exactly one of {inside}") == Of(1, 1, parts)
    assert read(f"none of {inside}") == Of(0, 0, parts)
    assert read(f"all of {inside}") == Of(3, 3, parts)


def test_labels_in_quotation_marks_may_be_anything():
    assert read('intent = "of course"') == Compare("intent", "=", "of course")
    assert read(r'intent = "say \"so\""') == Compare("intent", "=", 'say "so"')
    assert read("intent = 退款") == Compare("intent", "=", "退款")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("intent =", "column 9: expected a label or a number, found the end of the rule."),
        ("intent refund", "column 8: expected `=`, `!=`, `<`, `>`, `in`, `has`, `matches` or "
         "`mentions` after `intent`, found `refund`."),
        ("intent = refund urgent",
         "column 17: expected the end of the rule, or `and`, `or`, `=>`, `<=>`, found `urgent`."),
        ("intent = of", "column 10: expected a label or a number, found `of`. Write the label "
         '"of" between quotation marks.'),
        ("at most 3 of {a = b}",
         "column 14: expected 3 rules or more between the brackets, found 1."),
        ("at most few of {a = b}",
         "column 9: expected a whole number such as 1 or `one`, found `few`."),
        ("(a = b", "column 7: expected `)`, found the end of the rule."),
        ("text matches refund",
         "column 14: expected a pattern between slashes, such as /refund(ed)?/, found `refund`."),
        ("text matches /a/x", "column 14: expected no flag but `i` after the pattern, found `x`."),
        ("exists span:Drug d with kb(d, treats, c)",
         "column 25: expected a span named `c`, found d. A phrase stands between quotation marks: "
         '"c".'),
        ("exists span:Drug d, span:Drug d",
         "column 21: expected a name for each span, found `d` twice."),
        ("a = b !", "column 7: expected a word or a sign, found `!`."),
        ("", "column 1: expected a task, an input, `not`, `(`, `exists`, `count` or `at most`, "
         "found the end of the rule."),
    ],
)  # fmt: skip
def test_what_is_no_rule_is_refused_with_its_column(text, sentence):
    with pytest.raises(ProjectError) as error:
        read(text)
    assert str(error.value) == f"Rule 'r', {sentence}"


def test_brackets_have_an_end():
    with pytest.raises(ProjectError, match="expected at most 100 brackets, `not` and `=>`"):
        read("(" * 101 + "a = b" + ")" * 101)
