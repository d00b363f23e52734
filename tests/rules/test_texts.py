"""Phrases and patterns in texts."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from allrounder.rules.texts import Lexicon, compiled, has_phrase


@pytest.mark.parametrize(
    ("text", "phrase", "found"),
    [
        ("I want my money back.", "Money back", True),
        ("moneybacks", "money", False),
        ("refunds", "refund", False),
        ("a refunds refund", "refund", True),
        ("我要退款了", "退款", True),
        ("STRASSE", "straße", True),
        ("", "a", False),
    ],
)
def test_a_phrase_is_found_as_whole_words_in_any_case(text, phrase, found):
    assert has_phrase(text, [phrase]) is found
    assert Lexicon([phrase]).is_in(text) is found


def test_a_pattern_that_would_backtrack_for_ever_takes_linear_time():
    pattern = compiled("(a*)*b", "", where="Rule 'r', column 1")
    began = time.perf_counter()
    assert pattern.search("a" * 20_000) is None
    assert time.perf_counter() - began < 1


def test_case_is_ignored_where_it_is_asked():
    assert compiled("refund", "i", where="").search("REFUND")
    assert not compiled("refund", "", where="").search("REFUND")


LETTERS = st.text(alphabet="aB ß退.", max_size=12)


@given(LETTERS, st.lists(LETTERS.filter(bool), min_size=1, max_size=6))
def test_a_lexicon_finds_what_its_phrases_are_found_by(text, phrases):
    assert Lexicon(phrases).is_in(text) is has_phrase(text, phrases)
