"""Injection modules compute what their papers say, written out one token at a time."""

from dataclasses import replace

import pytest
import torch

from allrounder.encoders.modules import Features
from allrounder.injection.modules import AttendedFacts, Attention, Gate, GatedTypes, Told

WIDTH = 5


def told(vectors=None, weights=None):
    """Two records; the first mentions two things, of which the second is two tokens long."""
    return Told(
        records=torch.tensor([0, 0]),
        mentions=torch.tensor([0, 1, 1]),
        tokens=torch.tensor([0, 2, 3]),
        begins=torch.tensor([True, True, False]),
        owners=torch.tensor([0, 1, 1]),
        items=torch.tensor([1, 0, 1]),
        vectors=vectors,
        weights=weights,
    )


def features(chance=0):
    generator = torch.Generator().manual_seed(chance)
    drawn = torch.randn(2, 4, WIDTH, generator=generator)
    return Features(drawn.mean(1), drawn, torch.ones(2, 4, dtype=torch.bool))


def opened(module):
    """Return the module with every weight drawn, no gate closed."""
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for weight in module.parameters():
            weight.copy_(torch.randn(weight.shape, generator=generator))
    return module.eval()


def test_a_gate_begins_nearly_closed_and_over_nothing():
    gate = Gate(WIDTH, 3)
    assert (gate.gate.bias == -2).all()
    assert not gate(torch.randn(4, WIDTH), torch.ones(4, 3)).any()


def test_typed_gates_are_the_formula_of_gemnet_token_by_token():
    module, given = opened(GatedTypes(WIDTH, 2, 0.0)), features()
    found = module(given, told())
    named = {0: [1], 1: [0, 1]}
    inside = {(0, 0): (0, True), (0, 2): (1, True), (0, 3): (1, False)}
    for row in range(2):
        for token in range(4):
            h = given.tokens[row, token]
            k = torch.zeros(6)
            if (row, token) in inside:
                mention, begins = inside[row, token]
                half = 0 if begins else 3
                k[half] = 1
                for kind in named[mention]:
                    k[half + 1 + kind] = 1
            gate = module.of_tokens.gate(torch.cat([h, k])).sigmoid()
            expected = h + gate * (module.of_tokens.value.weight @ k)
            assert torch.allclose(found.tokens[row, token], expected, atol=1e-6)


def test_a_record_hears_of_the_types_of_all_its_mentions():
    module, given = opened(GatedTypes(WIDTH, 2, 0.0)), features()
    found, k, h = module(given, told()).pooled, torch.ones(3), given.pooled[0]
    change = module.of_records.gate(torch.cat([h, k])).sigmoid() * module.of_records.value(k)
    assert torch.allclose(found[0], h + change, atol=1e-6)
    assert torch.equal(found[1], given.pooled[1])


def test_attention_is_a_softmax_over_facts_and_the_null_fact_in_every_head():
    layer, h = opened(Attention(WIDTH, 2, 4)), torch.randn(3, WIDTH)
    facts, asker = torch.randn(4, WIDTH), torch.tensor([0, 0, 0, 2])
    found = layer(h, asker, facts)
    for place in range(3):
        mine = [fact for fact, whose in zip(facts, asker, strict=True) if whose == place]
        heads = []
        for head in range(2):
            part = slice(4 * head, 4 * head + 4)
            query = layer.query(h[place])[part]
            keys = [layer.null[head], *(layer.key(fact)[part] for fact in mine)]
            cosines = torch.stack([torch.cosine_similarity(query, key, 0) for key in keys])
            alpha = (layer.factor[head] * cosines).softmax(0)
            values = [torch.zeros(4), *(layer.value(fact)[part] for fact in mine)]
            heads.append(alpha @ torch.stack(values))
        expected = layer.gate.tanh() * layer.told(torch.cat(heads))
        assert torch.allclose(found[place], expected, atol=1e-5)


def test_a_type_is_as_likely_as_the_candidates_that_have_it_together():
    module = GatedTypes(WIDTH, 2, 0.0)
    likely = torch.tensor([0.3, 0.2, 0.5])
    known = replace(told(weights=likely), items=torch.tensor([1, 0, 0]))
    assert module.marks(known).tolist() == [[1.0, 0.0, pytest.approx(0.3)],
                                            [1.0, pytest.approx(0.7), 0.0]]  # fmt: skip
    kept = known.only(torch.tensor([False, True]))
    assert kept.weights.tolist() == pytest.approx([0.2, 0.5])


def test_certain_candidates_weigh_as_much_as_without_weights():
    given, sure = features(), torch.ones(3)
    for module, vectors in ((GatedTypes(WIDTH, 2, 0.0), None),
                            (AttendedFacts(WIDTH, 2, 4, 0.0), torch.randn(3, WIDTH))):  # fmt: skip
        module = opened(module)
        plain, weighed = module(given, told(vectors)), module(given, told(vectors, sure))
        assert torch.allclose(plain.tokens, weighed.tokens, atol=1e-6)
        assert torch.allclose(plain.pooled, weighed.pooled, atol=1e-6)


def test_a_fact_with_weight_two_counts_like_the_same_fact_twice():
    layer, h, facts = opened(Attention(WIDTH, 2, 4)), torch.randn(1, WIDTH), torch.randn(2, WIDTH)
    weighed = layer(h, torch.tensor([0, 0]), facts, torch.tensor([2.0, 1.0]))
    twice = layer(h, torch.tensor([0, 0, 0]), facts[[0, 0, 1]])
    assert torch.allclose(weighed, twice, atol=1e-6)


def test_a_fact_that_is_certainly_not_meant_hardly_counts():
    layer, h, facts = opened(Attention(WIDTH, 2, 4)), torch.randn(1, WIDTH), torch.randn(2, WIDTH)
    weighed = layer(h, torch.tensor([0, 0]), facts, torch.tensor([0.0, 1.0]))
    assert torch.allclose(weighed, layer(h, torch.tensor([0]), facts[1:]), atol=1e-3)


def test_very_large_scores_stay_finite():
    layer = opened(Attention(WIDTH, 2, 4))
    found = layer(torch.randn(1, WIDTH), torch.tensor([0, 0]), 1e4 * torch.randn(2, WIDTH))
    assert torch.isfinite(found).all()


def test_tokens_attend_to_the_facts_of_their_own_mention():
    module, given = opened(AttendedFacts(WIDTH, 2, 4, 0.0)), features()
    vectors = torch.randn(3, WIDTH)
    found = module(given, told(vectors)).tokens
    placed = module.norm(vectors[1:]) + module.places.weight[1]
    alone = module.of_tokens(given.tokens[0, 2:3], torch.tensor([0, 0]), placed)
    assert torch.allclose(found[0, 2], given.tokens[0, 2] + alone[0], atol=1e-6)
    assert torch.equal(found[1], given.tokens[1])
    assert torch.equal(found[0, 1], given.tokens[0, 1])


def test_passing_over_a_mention_takes_its_tokens_and_items_with_it():
    kept = told(torch.arange(3.0)[:, None]).only(torch.tensor([False, True]))
    assert kept.records.tolist() == [0]
    assert kept.mentions.tolist() == [0, 0]
    assert kept.tokens.tolist() == [2, 3]
    assert kept.owners.tolist() == [0, 0]
    assert kept.items.tolist() == [0, 1]
    assert kept.vectors.flatten().tolist() == [1.0, 2.0]


def test_with_every_mention_passed_over_nothing_changes():
    module, given = opened(GatedTypes(WIDTH, 2, 0.0)), features()
    found = module(given, told().only(torch.tensor([False, False])))
    assert torch.equal(found.tokens, given.tokens)
    assert torch.equal(found.pooled, given.pooled)


@pytest.mark.parametrize("num_tokens", [0, 1, 3])
def test_tokens_that_were_cut_off_are_not_told(num_tokens):
    given = features()
    short = Features(given.pooled, given.tokens[:, :num_tokens], given.mask[:, :num_tokens])
    found = opened(GatedTypes(WIDTH, 2, 0.0))(short, told())
    whole = opened(GatedTypes(WIDTH, 2, 0.0))(given, told())
    assert torch.allclose(found.tokens, whole.tokens[:, :num_tokens])
