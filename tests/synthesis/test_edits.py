"""Changes of texts: what spans mark stays marked, in any script."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from allrounder.synthesis.edits import Edit, edited, is_free, words_of
from allrounder.synthesis.noise import OPERATIONS
from allrounder.tasks.words import is_inside_word

PIECES = st.sampled_from([
    "rose", "Acme", "don't", "a", " ", "  ", "北", "京公司", "ไทย", "é", "e\u0301", "😀", ",", "。",
    "42", "-", "\n", "O'Neil",
])  # fmt: skip


@st.composite
def marked(draw):
    """Return a text and spans in it that begin and end where words do."""
    text = "".join(draw(st.lists(PIECES, min_size=1, max_size=14)))
    edges = [at for at in range(len(text) + 1) if not is_inside_word(text, at)]
    some = sorted(draw(st.sets(st.sampled_from(edges), max_size=6)))
    pairs = zip(some[::2], some[1::2], strict=False)
    return text, [{"start": a, "end": b, "label": "X"} for a, b in pairs]


def words(text):
    return [text[word.start : word.end] for word in words_of(text)]


def test_words_are_runs_of_letters_and_single_han_characters():
    assert words("Acme's 42 shares, don't fall") == ["Acme's", "42", "shares", "don't", "fall"]
    assert words("北京abc公司 2x") == ["北", "京", "abc", "公", "司", "2x"]
    assert words("...") == words("") == []
    assert words("'quoted' 'text'") == ["quoted", "text"]


def test_spans_move_by_what_is_changed_before_them():
    text = "The bank Acme fell"
    spans = [{"start": 9, "end": 13, "label": "ORG"}]
    changed, moved = edited(text, [Edit(0, 4, ""), Edit(9, 9, "; "), Edit(14, 18, "rose")], spans)
    assert changed == "bank ; Acme rose"
    assert changed[moved[0]["start"] : moved[0]["end"]] == "Acme"
    assert moved[0]["label"] == "ORG"


def test_a_change_that_would_cut_a_word_in_two_kinds_is_not_made():
    spans = [{"start": 0, "end": 3, "label": "X"}]
    assert edited("abc上def", [Edit(3, 4, "")], spans) is None
    assert edited("abc上def", [Edit(3, 4, " ")], spans) is not None


def test_what_is_empty_may_stand_at_the_edge_of_a_span_and_not_inside():
    spans = [{"start": 2, "end": 5, "label": "X"}]
    assert [at for at in range(8) if is_free(at, at, spans)] == [0, 1, 2, 5, 6, 7]
    assert is_free(0, 2, spans)
    assert not is_free(1, 3, spans)


@given(marked(), st.sampled_from(sorted(OPERATIONS)), st.integers(0, 99))
def test_whatever_is_done_spans_mark_the_same_stretches(text_spans, operation, seed):
    text, spans = text_spans
    chance = np.random.default_rng(seed)
    edits = OPERATIONS[operation](text, spans, 0.3, chance)
    ordered = sorted(edits)
    for left, right in pairwise(ordered):
        assert left.end <= right.start
    assert all(is_free(edit.start, edit.end, spans) for edit in edits)
    found = edited(text, edits, spans)
    if found is None:
        return
    changed, moved = found
    for old, new in zip(spans, moved, strict=True):
        assert changed[new["start"] : new["end"]] == text[old["start"] : old["end"]]
    for new in moved:
        assert not is_inside_word(changed, new["start"])
        assert not is_inside_word(changed, new["end"])


@given(marked(), st.sampled_from(sorted(OPERATIONS)), st.integers(0, 9))
def test_the_same_seed_does_the_same(text_spans, operation, seed):
    text, spans = text_spans
    one, other = (
        OPERATIONS[operation](text, spans, 0.3, np.random.default_rng(seed)) for _ in range(2)
    )
    assert one == other


def done(operation, text, seed=0, share=0.3):
    edits = OPERATIONS[operation](text, [], share, np.random.default_rng(seed))
    return edited(text, edits, [])[0]


@pytest.mark.parametrize("seed", range(20))
def test_deleting_leaves_words_and_takes_one_at_least(seed):
    text = "one two three four five six seven"
    left = done("delete", text, seed)
    assert 0 < len(left.split()) < 7
    kept = iter(text.split())
    assert all(word in kept for word in left.split())  # in their order
    assert "  " not in left


def test_swapping_keeps_all_words_and_all_that_stands_between():
    swapped = done("swap", "one, two; three four")
    assert swapped != "one, two; three four"
    assert sorted(words(swapped)) == sorted(["one", "two", "three", "four"])
    assert [swapped.count(mark) for mark in ",;"] == [1, 1]
    assert sorted(done("swap", "北京公司上涨")) == sorted("北京公司上涨")


@pytest.mark.parametrize(
    "text", ["one two three four five six seven eight nine", "北京公司股价上涨了"]
)
def test_punctuation_is_inserted_up_to_a_third_and_words_stay(text):
    for seed in range(20):
        marked = done("punctuation", text, seed)
        assert words(marked) == words(text)
        marks = sum(not char.isalnum() and char != " " for char in marked)
        assert 1 <= marks <= 3


def test_a_typo_changes_one_letter_of_long_words_alone():
    for seed in range(20):
        typed = done("typo", "a an the shares", seed, share=0.2)
        assert typed.startswith("a an the s")
        assert abs(len(typed) - len("a an the shares")) <= 1
    assert OPERATIONS["typo"]("北京公司上涨 a an", [], 0.5, np.random.default_rng(0)) == []
