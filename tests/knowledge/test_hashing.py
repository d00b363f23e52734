import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from allrounder.knowledge.hashing import Hashing, code_points, hashed


@given(st.text(max_size=30), st.text(max_size=6), st.text(max_size=30))
def test_a_stretch_has_the_same_hash_wherever_it_stands(before, stretch, behind):
    alone = Hashing()(code_points(stretch), np.array([0]), np.array([len(stretch)]))
    start = np.array([len(before)])
    within = Hashing()(code_points(before + stretch + behind), start, start + len(stretch))
    assert alone == within


@given(st.lists(st.text(max_size=8), max_size=40, unique=True))
def test_different_texts_have_different_hashes(texts):
    assert len(np.unique(hashed(texts))) == len(texts)


def test_long_texts_need_more_powers():
    text = "ab" * 5000
    (whole,) = Hashing()(code_points(text), np.array([0]), np.array([len(text)]))
    assert whole == hash_slowly(text)


def hash_slowly(text):
    """The same polynomial, in whole numbers."""
    base = 0x9E3779B97F4A7C15
    x = sum(ord(character) * pow(base, i, 1 << 64) for i, character in enumerate(text)) % (1 << 64)
    x = (x + base) % (1 << 64)
    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9 % (1 << 64)
    x = (x ^ (x >> 27)) * 0x94D049BB133111EB % (1 << 64)
    return x ^ (x >> 31)


def test_nothing_has_no_hashes():
    assert hashed([]).tolist() == []
