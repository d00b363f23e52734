"""Near duplicates: the same as comparing all pairs, in any script."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from allrounder.synthesis import near
from allrounder.synthesis.near import Index, grams, plain

WORDS = st.lists(
    st.sampled_from("card arrived yet why has my not the 我的 卡 还没 到 ok".split()), max_size=9
)
TEXTS = st.lists(WORDS.map(" ".join), max_size=8)


def slow(texts, others, similarity, either):
    sets, held = ([set(grams(text)) for text in some] for some in (texts, others))
    found = []
    for one in sets:
        hits = []
        for place, other in enumerate(held):
            common = len(one & other)
            alike = common >= similarity * len(one | other) - 1e-9
            held_by = common >= similarity * min(len(one), len(other)) - 1e-9
            if common and (alike or (either and held_by and common >= near.LONG)):
                hits.append(place)
        found.append(hits)
    return found


@given(TEXTS, TEXTS, st.sampled_from([0.3, 0.5, 0.75, 1.0]), st.booleans())
def test_it_finds_what_comparing_all_pairs_finds(texts, others, similarity, either):
    if not texts:
        return
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(near, "LONG", 8)  # the texts are short
        found = Index(others, similarity).alike(texts, either=either)
        wanted = slow(texts, others, similarity, either)
    assert [sorted(places.tolist()) for places in found] == wanted


def test_case_width_marks_and_punctuation_make_no_difference():
    assert plain("  Café — CAFE\u0301!  ＡＢ１") == "cafe cafe ab1"
    index = Index(["Why has my card not arrived yet?"], 1.0)
    assert len(index.alike(["why HAS my card, not arrived yet!!"], either=False)[0]) == 1


def test_a_copy_inside_a_longer_text_is_found_where_either_may_hold_the_other():
    whole = "why has my new card not arrived yet, and when can I use it again"
    index = Index([whole], 0.75)
    long = f"So I asked them this: {whole}? And nobody there could say a word to me about it."
    assert len(index.alike([long], either=True)[0]) == 1
    assert len(index.alike([long], either=False)[0]) == 0
    part = "my new card not arrived yet, and when can I use it"
    assert len(index.alike([part], either=True)[0]) == 1
    assert len(index.alike(["when can I use it"], either=True)[0]) == 0


def test_chinese_texts_with_one_other_character_are_alike():
    index = Index(["昨天北京的公司股价上涨了很多，人们都很高兴"], 0.75)
    assert len(index.alike(["昨天北京的公司股价下涨了很多，人们都很高兴"], either=True)[0]) == 1
    assert len(index.alike(["上海队赢得了重要的比赛"], either=True)[0]) == 0


def test_ten_thousand_texts_take_no_hundred_million_comparisons():
    rng = np.random.default_rng(0)
    words = ["".join(rng.choice(list("abcdefghij"), 5)) for _ in range(3000)]
    texts = [" ".join(rng.choice(words, 8)) for _ in range(10_000)]
    found = Index(texts, 0.75).alike(texts[:500], either=True)
    assert [places.tolist() for places in found] == [[at] for at in range(500)]
