from dataclasses import replace

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from allrounder.knowledge import Base, Fact, Linked, Ragged, Snapshot

BASE = Base(
    Snapshot.of(
        [
            Fact("acme", "name", "Acme"),
            Fact("acme2", "alias", "Acme", confidence=0.5),
            Fact("beijing", "name", "北京"),
        ]
    )
)


def test_every_row_has_its_mentions_with_places_in_code_points():
    linked = BASE.link(pa.array(["😀 Acme in 北京", None, "", "nothing", "Acme"]))
    mentions, rows = linked.mentions.of(np.array([0, 3, 4]))
    assert rows.tolist() == [0, 0, 2]
    assert linked.spans[mentions].tolist() == [[2, 6], [10, 12], [0, 4]]


def test_candidates_stand_in_the_order_of_their_priors():
    linked = BASE.link(pa.array(["Acme"]))
    entities, owners = linked.candidates.of(np.array([0]))
    assert [BASE.snapshot.entities[i] for i in entities] == ["acme", "acme2"]
    assert owners.tolist() == [0, 0]
    assert linked.priors.sum() == 1


def test_the_mentions_of_a_row_are_those_that_its_text_alone_has():
    texts = ["Acme in 北京", None, "nothing", "北京 Acme Acme"]
    linked = BASE.link(pa.array(texts))
    for row, text in enumerate(texts):
        assert linked.found(row) == [m._replace(priors=tuple(map(np.float32, m.priors)))
                                     for m in BASE.find(text or "")]  # fmt: skip


def test_no_text_at_all_has_no_mention():
    linked = BASE.link(pa.array([], pa.string()))
    assert linked.spans.shape == (0, 2)
    assert linked.entities().tolist() == []


def test_a_tie_is_between_the_two_likeliest_meanings_and_none_is_one():
    linked = Linked(
        mentions=Ragged(np.array([0, 2, 2, 4, 5]), np.arange(5)),
        spans=np.zeros((5, 2), np.int32),
        candidates=Ragged(np.array([0, 2, 4, 7, 8, 9]), np.zeros(9, np.int64)),
        priors=np.ones(9, np.float32),
    )
    assert linked.ties().tolist() == [0, 0, 0, 0]
    tied, sure = [0.4, 0.45], [0.6, 0.3]
    weighed = replace(linked, weights=np.array([*tied, *tied, 0.1, 0.2, 0.25, 0.52, 0.9]))
    assert weighed.ties().tolist() == [2, 0, 1, 0]  # with none of them: .45 to .25, .52 to .48
    assert replace(weighed, weights=np.array([*tied, *sure, 0.5, 0.3, 0.2, 0.9, 0.52])
                   ).ties().tolist() == [1, 0, 0, 1]  # fmt: skip
    nothing = replace(linked, mentions=Ragged(np.zeros(3, int), np.arange(0)), weights=np.zeros(0),
                      candidates=Ragged(np.zeros(1, int), np.zeros(0, int)))  # fmt: skip
    assert nothing.ties().tolist() == [0, 0]


def test_columns_in_chunks_are_one_column():
    whole = pa.array(["Acme", "x", "Acme 北京"])
    chunked = pa.chunked_array([whole[:1], whole[1:]])
    one, other = Linked.of(BASE.lexicon, whole), Linked.of(BASE.lexicon, chunked)
    assert np.array_equal(one.spans, other.spans)
    assert np.array_equal(one.mentions.starts, other.mentions.starts)


@given(st.lists(st.lists(st.integers(0, 9), max_size=4), max_size=6), st.data())
def test_ragged_numbers_are_taken_as_lists_are(lists, data):
    starts = np.concatenate([[0], np.cumsum([len(one) for one in lists], dtype=np.int64)])
    ragged = Ragged(starts, np.array([n for one in lists for n in one], np.int64))
    chosen = data.draw(st.lists(st.integers(0, len(lists) - 1), max_size=8)) if lists else []
    values, owners = ragged.of(np.array(chosen, np.int64))
    expected = [(n, place) for place, at in enumerate(chosen) for n in lists[at]]
    assert list(zip(values.tolist(), owners.tolist(), strict=True)) == expected
