import re
import unicodedata

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from allrounder.knowledge import Fact, Lexicon, Snapshot
from allrounder.knowledge.folding import JOINED, WORD, Folding, folded


def lexicon(*aliases, **options):
    facts = [Fact(f"e{i}", "name", alias) for i, alias in enumerate(aliases)]
    return Lexicon.of(Snapshot.of(facts), **options)


def found(text, *aliases, **options):
    return [text[m.start : m.end] for m in lexicon(*aliases, **options).find(text)]


def test_the_longest_alias_is_taken_and_none_overlaps():
    text = "New York City and New York"
    assert found(text, "New York", "New York City", "York", "City") == ["New York City", "New York"]


def test_in_scripts_with_words_an_alias_is_whole_words():
    assert found("Pineapple apples apple, Apple's", "apple") == ["apple", "Apple"]


def test_in_chinese_an_alias_may_begin_at_any_character():
    assert found("患者眼睛发红三天", "眼睛发红", "眼睛", "发红三") == ["眼睛发红"]


def test_a_text_may_mix_both():
    text = "服用维生素C片,Vitamin C和维生素CD,T恤"
    assert found(text, "维生素C", "vitamin c", "维生素", "恤", "T恤") == [
        "维生素C", "Vitamin C", "维生素", "T恤",
    ]  # fmt: skip


def test_signs_may_begin_and_end_an_alias():
    assert found("C++ beats C and .NET", "c++", ".net", "c") == ["C++", "C", ".NET"]


@pytest.mark.parametrize(
    ("text", "alias", "mention"),
    [
        ("der CAFE\u0301 au lait", "café", "CAFE\u0301"),
        ("ＦＵＬＬ width", "full", "ＦＵＬＬ"),
        ("Die STRASSE ist", "Straße", "STRASSE"),
        ("Die Straße ist", "STRASSE", "Straße"),
        ("in İstanbul now", "istanbul", "İstanbul"),
        ("ㇰ ｶﾞｽ test", "ガス", "ｶﾞｽ"),
        ("New\n  York", "new york", "New\n  York"),
        ("Ｘ㍿Ｙ", "株式会社", "㍿"),
        ("한국", "한국", "한국"),
        ("Ёлка", "елка", "Ёлка"),
    ],
)
def test_folding_never_moves_an_offset(text, alias, mention):
    assert found(text, alias) == [mention]


def test_part_of_a_character_is_no_mention():
    assert found("㍿", "会社") == []
    assert found("か\u3099", "か") == []


def test_a_voiced_sound_is_another_sound():
    assert found("かき", "がき") == []


def test_an_alias_of_several_entities_has_priors():
    facts = [
        Fact("city", "name", "Paris"),
        Fact("myth", "name", "Paris of Troy"),
        Fact("myth", "alias", "paris", confidence=0.25),
        Fact("myth", "alias", "PARIS", confidence=0.1),
    ]
    snapshot = Snapshot.of(facts)
    (mention,) = Lexicon.of(snapshot).find("Paris!")
    assert [snapshot.entities[i] for i in mention.candidates] == ["city", "myth"]
    assert mention.priors == pytest.approx((0.8, 0.2))


def test_an_entity_without_a_name_is_called_by_its_id():
    facts = [
        Fact("眼睛发红", "type", "症状"),
        Fact("Q1", "name", "Acme"),
        Fact("Q1", "p", "Q2", True),
    ]
    lexicon = Lexicon.of(Snapshot.of(facts))
    assert len(lexicon.find("眼睛发红")) == 1
    assert lexicon.find("Q1 Q2 症状") == []


def test_short_aliases_are_kept_unless_told_otherwise():
    assert found("我是猫 A", "猫", "a") == ["猫", "A"]
    assert found("我是猫 A", "猫", "a", min_length=2) == []


def test_names_longer_than_a_line_of_text_are_not_looked_for():
    assert found("x " * 200, "x " * 129) == []
    assert found("x " * 128, "x " * 128) == [("x " * 128).strip()]


def test_no_facts_no_mentions():
    assert lexicon().find("anything") == []
    assert lexicon("x").find("") == []


def test_meanings_are_asked_for_by_alias():
    assert lexicon("Straße").meanings("strasse") == ((0,), (1.0,))
    assert lexicon("Straße").meanings("gasse") == ((), ())


LETTERS = st.sampled_from("aAbßéE\u0301 ,_1维生ｶﾞ\uff9eｱ㍿İ\u3099\ta株会社")
ALIASES = st.lists(st.text(LETTERS, min_size=1, max_size=4), max_size=6)


def plain(text, aliases):
    """The same search as anyone would write it: slow, and in plain sight."""
    page = Folding()([text])
    whole = "".join(map(chr, page.codes[:-1]))
    inside = set(np.concatenate([[], *page.inside()]))
    known = {folded(alias).strip() for alias in aliases} - {""}
    place = 0
    while place < len(whole):
        fits = [
            end
            for end in range(len(whole), place, -1)
            if whole[place:end] in known
            and not {place, end} & inside
            and border(whole, place)
            and border(whole, end)
        ]
        if fits:
            _, (start,), (end,) = page.original(np.array([place]), np.array([fits[0]]))
            yield start, end
        place = fits[0] if fits else place + 1


def border(text, place):
    inside = re.match(f"{WORD}{WORD}|.[{JOINED}]", text[max(0, place - 1) : place + 1], re.DOTALL)
    return not (place and inside)


@given(st.text(LETTERS, max_size=20), ALIASES)
def test_it_finds_what_a_plain_search_finds(text, aliases):
    mentions = lexicon(*aliases).find(text)
    assert [(m.start, m.end) for m in mentions] == list(plain(text, aliases))


@given(st.lists(st.text(LETTERS, max_size=20), max_size=4), ALIASES)
def test_many_texts_at_once_are_as_one_by_one(texts, aliases):
    known = lexicon(*aliases)
    assert known.find_all(texts) == [known.find(text) for text in texts]


@given(st.text(max_size=30))
def test_every_text_is_found_in_itself(text):
    if folded(text).strip() and "\0" not in text:
        (mention, *_) = lexicon(text).find(f"x {text} x") or [None]
        assert mention is not None


@given(st.text(max_size=30))
def test_folding_twice_changes_nothing_more(text):
    assert folded(folded(text)) == folded(text)


@given(st.text(st.characters(max_codepoint=0x2FFF), max_size=30))
def test_folding_sees_no_difference_between_composed_and_decomposed(text):
    composed, apart = (unicodedata.normalize(form, text) for form in ("NFC", "NFD"))
    if not re.search("[\u0900-\u1aff]", text):
        assert folded(composed) == folded(apart)


@given(st.lists(st.text(max_size=12), max_size=5))
def test_every_folded_character_knows_where_it_was(texts):
    texts = [text.replace("\0", "") for text in texts]
    page = Folding()(texts)
    parts = "".join(map(chr, page.codes)).split("\0")[:-1] if texts else []
    assert parts == [folded(text) for text in texts]
    for i, text in enumerate(texts):
        places = page.places.get(i)
        if places is None:
            assert len(parts[i]) == len(text)
        else:
            known = places[places >= 0]
            assert len(places) == len(parts[i]) + 1
            assert (known[1:] > known[:-1]).all()
            assert known[-1] == len(text)
