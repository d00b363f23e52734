import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from allrounder.errors import DataError
from allrounder.knowledge import Base, Fact, Mention, Snapshot, Weights
from allrounder.knowledge.disambiguation import (
    Evidence,
    Examples,
    Relations,
    described,
    fitted,
    surroundings,
)

BASE = Base(
    Snapshot.of(
        [
            Fact("apple", "name", "Apple", confidence=0.8),
            Fact("apple", "description", "a maker of phones"),
            Fact("apple", "type", "firm"),
            Fact("apple", "led_by", "tim", True),
            Fact("fruit", "name", "apple", confidence=0.2),
            Fact("fruit", "type", "food"),
            Fact("tim", "name", "Tim Cook"),
            Fact("pear", "name", "pear"),
            Fact("pear", "type", "food"),
            Fact("pear", "grows_on", "trees"),
        ]
    )
)
APPLE, FRUIT, PEAR, TIM = (BASE.snapshot.number(id) for id in ("apple", "fruit", "pear", "tim"))
NUMBERS = st.floats(-5, 5)
ROW = st.tuples(st.floats(0, 1), NUMBERS, st.floats(0, 1), NUMBERS)
EVIDENCE = st.lists(ROW, min_size=1, max_size=6)
WEIGHTS = st.builds(Weights, *[st.floats(0, 3)] * 4, NUMBERS)


def evidence(rows):
    return Evidence(*np.array(rows, float).T)


@given(EVIDENCE, WEIGHTS)
def test_probabilities_are_a_softmax_over_scores_and_sum_to_one(rows, weights):
    scores = [weights.prior * math.log(max(p, 1e-6)) + weights.context * x + weights.coherence * c
              + weights.types * t for p, x, c, t in rows]  # fmt: skip
    odds = [math.exp(score) for score in [*scores, weights.nil]]
    found = weights.probabilities(evidence(rows))
    assert found == pytest.approx([one / sum(odds) for one in odds])
    assert found.sum() == pytest.approx(1)


@given(EVIDENCE, WEIGHTS, st.randoms())
def test_the_order_of_candidates_does_not_matter(rows, weights, chance):
    order = list(range(len(rows)))
    chance.shuffle(order)
    found = weights.probabilities(evidence(rows))
    again = weights.probabilities(evidence([rows[at] for at in order]))
    assert again == pytest.approx([*found[order], found[-1]])


@given(ROW)
def test_without_nil_the_only_candidate_is_certain(row):
    assert Weights(nil=-math.inf).probabilities(evidence([row])).tolist() == [1.0, 0.0]


def test_an_only_candidate_stays_where_the_text_says_nothing_against_it():
    found = Weights().probabilities(evidence([(1.0, 0.0, 0.0, 0.0)]))
    assert found == pytest.approx([0.562, 0.438], abs=1e-3)


@given(EVIDENCE)
def test_without_weights_for_context_and_coherence_priors_stay(rows):
    rows = [(0.01 + prior, *others) for prior, *others in rows]
    priors = np.array([prior for prior, *_ in rows])
    found = Weights(1.0, 0.0, 0.0, 0.0, -math.inf).probabilities(evidence(rows))
    assert found[:-1] == pytest.approx(priors / priors.sum())


def drawn(weights, count, rng):
    """Return evidence, and what is meant as often as weights say."""
    told, meant = [], []
    for _ in range(count):
        size = rng.integers(1, 5)
        one = evidence(np.stack([rng.uniform(0.05, 1, size), rng.normal(size=size) * 2,
                                 rng.uniform(0, 1, size), rng.normal(size=size)], 1))  # fmt: skip
        place = int(rng.choice(size + 1, p=weights.probabilities(one)))
        told.append(one)
        meant.append(None if place == size else place)
    return told, meant


def test_weights_are_found_again_from_what_they_make_likely(rng):
    true = Weights(0.7, 1.5, 2.0, 0.6, 0.5)
    found = fitted(*drawn(true, 4000, rng), Weights())
    assert found.prior == pytest.approx(true.prior, abs=0.15)
    assert found.context == pytest.approx(true.context, abs=0.15)
    assert found.coherence == pytest.approx(true.coherence, abs=0.5)
    assert found.types == pytest.approx(true.types, abs=0.15)
    assert found.nil == pytest.approx(true.nil, abs=0.4)


def test_fitted_probabilities_of_nil_are_as_often_right_as_they_say(rng):
    told, meant = drawn(Weights(1.0, 1.0, 1.0, 1.0, 0.5), 1000, rng)
    weights = fitted(told, meant, Weights())
    likely = np.mean([weights.probabilities(one)[-1] for one in told])
    assert likely == pytest.approx(np.mean([one is None for one in meant]), abs=0.01)


def test_one_labelled_mention_moves_the_weights_a_little():
    one = evidence([(0.5, 2.0, 0.0, 0.0), (0.5, 0.0, 0.0, 0.0)])
    found = fitted([one], [0], Weights())
    assert 1.0 < found.context < 2.0
    assert found.nil < -0.25


def test_evidence_never_speaks_against_a_candidate():
    misleading = [evidence([(0.5, 3.0, 1.0, 2.0), (0.5, -3.0, 0.0, -2.0)])] * 200
    found = fitted(misleading, [1] * 200, Weights())
    assert found.context == found.coherence == found.types == 0.0


def test_a_fit_may_begin_where_nil_is_never_meant():
    one = evidence([(1.0, 0.0, 0.0, 0.0)])
    assert math.isfinite(fitted([one], [None], Weights(nil=-math.inf)).nil)


def test_a_fit_to_nothing_is_refused():
    with pytest.raises(DataError, match=r"expected one or more .* found none"):
        fitted([], [], Weights())


def test_an_entity_is_described_by_name_description_and_facts():
    assert described(BASE, APPLE) == "Apple: a maker of phones; led_by: Tim Cook; type: firm"
    assert described(BASE, TIM) == "Tim Cook"


def test_entities_have_to_do_with_each_other_by_a_fact_or_by_what_both_have():
    relations = Relations(BASE)
    assert relations.between(APPLE, TIM) == relations.between(TIM, APPLE) == 1.0
    assert relations.between(APPLE, APPLE) == 1.0
    assert relations.between(FRUIT, PEAR) == 0.5
    assert relations.between(APPLE, PEAR) == 0.0
    assert relations.between(TIM, PEAR) == 0.0


def coherences(text):
    mentions = BASE.find(text)
    return dict(zip(mentions[0].candidates, Relations(BASE).coherence(mentions, 0), strict=True))


def test_candidates_are_coherent_with_what_else_is_mentioned():
    assert coherences("apple by Tim Cook") == {APPLE: 1.0, FRUIT: 0.0}
    assert coherences("apple or pear") == {APPLE: 0.0, FRUIT: 0.5}
    assert coherences("apple, pear, Tim Cook") == {APPLE: 0.5, FRUIT: 0.25}


def test_the_same_name_again_tells_nothing():
    assert coherences("apple, apple") == {APPLE: 0.0, FRUIT: 0.0}
    assert coherences("apple, apple, pear") == coherences("apple, pear")


def test_coherence_with_an_ambiguous_mention_counts_its_candidates_by_their_priors():
    mentions = BASE.find("pear or apple")
    assert Relations(BASE).coherence(mentions, 0) == pytest.approx([0.2 * 0.5])


def around(text, name, width, monkeypatch):
    monkeypatch.setattr("allrounder.knowledge.disambiguation.AROUND", width)
    start = text.index(name)
    return surroundings(text, Mention(start, start + len(name), (0,), (1.0,)))


def test_a_context_is_the_text_around_a_mention_in_whole_words(monkeypatch):
    text = "whoever founded Acme in Berlin knew"
    assert around(text, "Acme", 200, monkeypatch) == "whoever founded in Berlin knew"
    assert around(text, "Acme", 11, monkeypatch) == "founded in Berlin"
    assert around("Acme", "Acme", 200, monkeypatch) == ""
    assert around("北京大学在北京", "大学", 2, monkeypatch) == "北京 在北"


def test_a_type_has_examples_evenly_from_all_of_it_and_below():
    facts = [Fact(f"e{at:02}", "type", "low", True) for at in range(30)]
    base = Base(Snapshot.of([*facts, Fact("low", "is_a", "high"), Fact("x", "type", "other")]))
    examples, snapshot = Examples(base), base.snapshot
    e00, low, x = (snapshot.number(id) for id in ("e00", "low", "x"))
    names = base.kinds.names
    assert [names[type] for type in examples.types(e00)] == ["high", "low"]
    assert [names[type] for type in examples.types(low)] == ["high"]
    assert examples.of(names.index("other")) == [x]
    ids = [snapshot.entities[entity] for entity in examples.of(names.index("low"))]
    assert ids == ["e00", "e09", "e19", "e29"]
    assert low in examples.of(names.index("high"))
