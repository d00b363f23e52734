"""From places in a text to the tokens that lie there."""

import numpy as np
import pyarrow as pa
import pytest
from making import hashing, tiny_text

from allrounder.injection import Facts, Gazetteer
from allrounder.knowledge import Base, Fact, Snapshot, Weights
from allrounder.model import Knowing, Lent, fresh_readers

BASE = Base(
    Snapshot.of(
        [
            Fact("Acme bank", "type", "firm"),
            Fact("Lin", "type", "man"),
            Fact("北京", "type", "city"),
        ]
    )
)
TEXTS = ["Lin left Acme bank in 北京", "nobody", "Acme bank"]
KNOWING = Knowing.of(BASE, [Gazetteer(of="text", types=["firm", "man", "city"])], {})


def told(encoder, rows):
    tokens = encoder.prepare([pa.array(TEXTS)])
    found = KNOWING.told("text_gazetteer", BASE.link(pa.array(TEXTS)), tokens, np.array(rows))
    return found, tokens


@pytest.mark.parametrize("make", [hashing, tiny_text])
def test_the_tokens_of_a_mention_are_those_that_share_a_character_with_it(make, tiny):
    encoder = make() if make is hashing else make(tiny)
    found, tokens = told(encoder, [0, 1, 2])
    offsets = [tokens.offsets(row) for row in (0, 1, 2)]
    for mention, (row, text) in enumerate([(0, "Lin"), (0, "Acme bank"), (0, "北京"),
                                           (2, "Acme bank")]):  # fmt: skip
        assert found.records[mention] == row
        places = found.tokens[found.mentions == mention].tolist()
        start, end = offsets[row][places[0]][0], offsets[row][places[-1]][1]
        assert TEXTS[row][start:end] == text
        begins = found.begins[found.mentions == mention].tolist()
        assert begins == [True] + [False] * (len(places) - 1)


def test_items_are_those_of_the_entities_that_are_mentioned():
    found, _ = told(hashing(), [0, 2])
    assert found.items.tolist() == [1, 0, 2, 0]
    assert found.owners.tolist() == [0, 1, 2, 3]


def test_rows_may_be_asked_for_in_any_order_and_without_mentions():
    found, _ = told(hashing(), [2, 1])
    assert found.records.tolist() == [0]
    nothing, _ = told(hashing(), [1])
    assert not len(nothing.records) and not len(nothing.tokens) and not len(nothing.items)


def test_two_injections_of_a_kind_have_names_of_their_own():
    kinds = [Gazetteer(of="a"), Gazetteer(of="a", types=["x"]), Facts(of="a")]
    assert list(Knowing.of(BASE, kinds, {}).injections) == [
        "a_gazetteer", "a_gazetteer2", "a_facts",
    ]  # fmt: skip


def test_a_fact_is_read_once_and_always_the_same():
    inputs = {"text": hashing()}
    reader = fresh_readers(inputs, [Facts(of="text")])["text"]
    first = reader.vectors(["type: firm", "type: man", "type: firm"])
    assert first.shape == (3, 32)
    assert (first[0] == first[2]).all()
    assert (reader.vectors(["type: man"])[0] == first[1]).all()
    assert len(reader.known) == 2


AMBIGUOUS = Base(
    Snapshot.of(
        [
            Fact("firm", "alias", "Lin", confidence=0.8),
            Fact("firm", "type", "firm"),
            Fact("firm", "description", "sells cars"),
            Fact("man", "alias", "Lin", confidence=0.2),
            Fact("man", "type", "man"),
            Fact("man", "description", "was born and married"),
        ]
    )
)


@pytest.mark.parametrize("kind", [Gazetteer(of="text", types=["firm", "man"]), Facts(of="text")])
def test_candidates_lend_by_how_likely_they_are_meant(kind):
    inputs = {"text": hashing(width=64, buckets=4096)}
    readers = fresh_readers(inputs, [kind], linking=True)
    knowing = Knowing.of(AMBIGUOUS, [kind], readers, Weights())
    texts = pa.array(["nobody", None, "Lin sells cars", "Lin was born"])
    linked, tokens = knowing.link("text", texts), inputs["text"].prepare([texts])
    (name,) = knowing.injections
    found = knowing.told(name, linked, tokens, np.array([2, 3]))
    expected = []
    for text in ("Lin sells cars", "Lin was born"):
        (one,) = knowing.linkers["text"].link(text)
        for entity, likely in zip(one.mention.candidates, one.probabilities, strict=True):
            expected += [likely] * len(knowing.lent(name, entity))
    assert found.weights.tolist() == pytest.approx(expected, abs=1e-5)
    hidden = {2: {Lent("text", 0, AMBIGUOUS.snapshot.number("firm"), knowing.lent(name, 0)[0])}}
    less = knowing.told(name, linked, tokens, np.array([2, 3]), hidden=hidden)
    assert less.weights.tolist() == found.weights.tolist()[1:]


def test_without_linking_all_candidates_lend_alike_and_nothing_is_read():
    kind = Gazetteer(of="text", types=["firm", "man"])
    assert fresh_readers({"text": hashing()}, [kind]) == {}
    knowing = Knowing.of(AMBIGUOUS, [kind], {})
    texts = pa.array(["Lin sells cars"])
    linked = knowing.link("text", texts)
    told = knowing.told("text_gazetteer", linked, hashing().prepare([texts]), np.array([0]))
    assert linked.weights is None and told.weights is None
