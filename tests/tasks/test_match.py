"""Matching: the loss against an independent one, ranks by hand, chance, and what cosines mean."""

import numpy as np
import pyarrow as pa
import pytest
import torch
from torch.nn import functional as F

from allrounder.tasks import Match, matching, scoring
from allrounder.tasks.matching import Vectors, info_nce, ranks

TWO = Match(of=["a", "b"])


def unit(*shape: int, seed: int = 0) -> torch.Tensor:
    chance = torch.Generator().manual_seed(seed)
    return F.normalize(torch.randn(*shape, generator=chance), dim=-1)


def different(n: int, m: int) -> torch.Tensor:
    return torch.arange(1, n * m + 1).reshape(n, m)


def test_the_loss_is_that_of_clip_where_all_values_differ():
    vectors = 3.0 * unit(6, 2, 8)
    logits = vectors[:, 0] @ vectors[:, 1].T
    labels = torch.arange(6)
    expected = (F.cross_entropy(logits, labels) + F.cross_entropy(logits.T, labels)) / 2
    torch.testing.assert_close(info_nce(vectors, different(6, 2)).mean(), expected)


def test_equal_values_are_right_answers_too():
    vectors = 3.0 * unit(3, 2, 8)
    keys = torch.tensor([[1, 9], [2, 9], [3, 8]])  # the first two share their caption
    shares = (vectors[:, 0] @ vectors[:, 1].T).log_softmax(-1)
    back = (vectors[:, 1] @ vectors[:, 0].T).log_softmax(-1)
    first = -(shares[0, 0] + shares[0, 1]) / 2 - (back[0, 0] + back[0, 1]) / 2
    torch.testing.assert_close(info_nce(vectors, keys)[0], first / 2)


def test_a_record_without_an_input_is_no_candidate_for_it_and_asks_nothing():
    vectors = 3.0 * unit(4, 3, 8)
    vectors[3, 2] = 0
    keys = different(4, 3)
    keys[3, 2] = 0
    losses = info_nce(vectors, keys)
    assert torch.isfinite(losses).all()
    pair = info_nce(vectors[:, :2], keys[:, :2])
    torch.testing.assert_close(losses[3], pair[3])


def test_a_missing_input_has_no_vector_and_the_others_have_the_length_of_the_scale():
    head = TWO.head({"a": 4, "b": 6})
    features = torch.randn(3, 10)
    features[1, 4:] = 0
    vectors = head(features).detach()
    assert matching.there(vectors).tolist() == [[True, True], [True, False], [True, True]]
    assert vectors[0, 0].square().sum() == pytest.approx(1 / 0.07, rel=1e-4)
    head.log_scale.data.fill_(50.0)
    assert head(features).detach()[0, 0].square().sum() == pytest.approx(100.0, rel=1e-4)


def test_a_rank_counts_the_values_that_lie_nearer():
    asked = torch.eye(3)
    searched = torch.tensor([[0.8, 0.6, 0.0], [0.9, 0.1, 0.4], [0.0, 0.0, 1.0]])
    found = Vectors(torch.stack([asked, searched], 1), different(3, 2))
    assert ranks(found) == [[2.0, 1.0], [2.0, 3.0], [1.0, 1.0]]


def test_other_right_answers_do_not_count_and_equal_values_are_one():
    # One caption of two pictures: either picture is right, and the caption is one candidate.
    pictures = torch.tensor([[1.0, 0.0], [0.96, 0.28], [0.0, 1.0]])
    captions = torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    keys = torch.tensor([[1, 7], [2, 7], [3, 8]])
    found = ranks(Vectors(torch.stack([pictures, captions], 1), keys))
    assert found == [[1.0, 1.0], [1.0, 1.0], [1.0, 1.0]]


def test_a_model_that_says_the_same_of_all_ranks_everything_in_the_middle():
    same = torch.ones(5, 2, 4)
    assert ranks(Vectors(same, different(5, 2))) == [[3.0, 3.0]] * 5


def test_parts_of_which_one_has_no_hashes_have_none_together():
    with_keys, without = Vectors(unit(2, 2, 4), different(2, 2)), Vectors(unit(3, 2, 4), None)
    both = matching.joined([with_keys, without])
    assert (len(both), both.keys) == (5, None)
    assert matching.joined([with_keys, with_keys])[np.array([3])].keys.tolist() == [[3, 4]]


def test_ranks_in_blocks_are_those_at_once(monkeypatch):
    found = Vectors(unit(40, 3, 8), different(40, 3))
    whole = ranks(found)
    monkeypatch.setattr(matching, "BLOCK", 100)
    assert ranks(found) == whole


def test_ranks_agree_with_sorting():
    found = Vectors(unit(30, 2, 4), different(30, 2))
    similar = (found.vectors[:, 0] @ found.vectors[:, 1].T).numpy()
    order = np.argsort(-similar, axis=1)
    expected = [int(np.flatnonzero(order[i] == i)[0]) + 1 for i in range(30)]
    assert [row[0] for row in ranks(found)] == expected


def test_recall_counts_ranks_within_and_leaves_out_directions_that_are_missing():
    truths = TWO.array([[1, 2], [3, 4], [5, 0]])
    answers = TWO.array([[1.0, 6.0], [3.0, 11.0], [2.0, None]])
    assert scoring.recall_at_1(truths, answers) == pytest.approx(0.5 / 3)
    assert scoring.recall_at_5(truths, answers) == pytest.approx((0.5 + 0.5 + 1) / 3)
    assert scoring.recall_at_10(truths, answers) == pytest.approx((1 + 0.5 + 1) / 3)
    expected = ((1 + 1 / 6) / 2 + (1 / 3 + 1 / 11) / 2 + 1 / 2) / 3
    assert scoring.mean_reciprocal_rank(truths, answers) == pytest.approx(expected)


def test_no_ranks_stand_for_chance(rng):
    labels = [[a, b % 20 + 100] for a, b in enumerate(range(50), 1)]
    truths = TWO.array(labels)
    chance = TWO.array([TWO.baseline(truths)] * 50)
    assert scoring.recall_at_5(truths, chance) == pytest.approx((5 / 20 + 5 / 50) / 2)
    uniform = rng.integers(1, 51, (20_000, 2)) * np.array([20 / 50, 1.0])
    expected = scoring.mean_reciprocal_rank(truths[:1], np.ceil(uniform[:, 1:]))
    assert scoring.mean_reciprocal_rank(truths[:, [0, 0]], chance) == pytest.approx(
        expected, abs=0.01
    )


def test_what_a_cosine_means_is_learned_for_each_pair_of_inputs():
    task = Match(of=["a", "b", "c"])
    shared = unit(200, 1, 16)
    vectors = F.normalize(shared + 0.1 * unit(200, 3, 16, seed=1), dim=-1)
    vectors[100:, 2] = unit(100, 16, seed=2)  # c agrees with the others in half of the records
    known = task.calibrate(vectors, different(200, 3))
    assert {name.split()[0] for name in known} == {"a+b", "a+c", "b+c"}
    (sure,) = task.answers(Vectors(vectors[:1], None), known)
    assert sure["probability"] > 0.9
    strange = torch.stack([vectors[0, 0], -vectors[0, 0], torch.zeros(16)])[None]
    (unsure,) = task.answers(Vectors(strange, None), known)
    assert unsure["probability"] < 0.1
    alone = torch.stack([vectors[0, 0], torch.zeros(16), torch.zeros(16)])[None]
    (alone,) = task.answers(Vectors(alone, None), known)
    assert alone == {"matches": {}, "similarity": None, "probability": None}


def test_too_few_pairs_teach_nothing():
    assert TWO.calibrate(unit(3, 2, 4), different(3, 2)) == {}


def test_labels_are_hashes_and_one_input_alone_is_none():
    values = pa.array([[1, 2], [3, 0], None, [2**64 - 1, 5]], pa.list_(pa.uint64()))
    read = TWO.read(values, None)
    assert read.to_pylist() == [[1, 2], None, None, [2**64 - 1, 5]]
    assert TWO.encode([[2**64 - 1, 5]]).tolist() == [[-1, 5]]
    assert TWO.array([[2**64 - 1, 5]]).tolist() == [[2**64 - 1, 5]]


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"of": ["a"]}, "matches two inputs or more"),
        ({"of": ["a", "b", "a"]}, "names an input twice"),
        ({"of": ["a", "b"], "width": 0}, "Expected 1 or more"),
        ({"of": ["a", "b"], "abstain": 0.5}, "cannot abstain"),
    ],
)
def test_what_makes_no_sense_is_refused(keys, said):
    with pytest.raises(ValueError, match=said):
        Match(**keys)
