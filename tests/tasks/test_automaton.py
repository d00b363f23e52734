"""The best tags for every set of kinds seen: exact, against every path there is."""

from itertools import product

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from allrounder.tasks import Spans
from allrounder.tasks.automaton import best_by_count, mass_by_count
from allrounder.tasks.tagging import NEVER, TokenRecord, TokenScores, lattice, runs_of, viterbi

TEXT = "ab c de"
OFFSETS = np.array([[0, 0], [0, 1], [1, 2], [3, 4], [5, 7], [0, 0]])
"""Tokens of which the third goes on inside a word, between two special ones."""


def scores(seed, num_labels=2):
    values = torch.randn(1, 6, 1 + 2 * num_labels, generator=torch.Generator().manual_seed(seed))
    return TokenScores(2 * values, [TokenRecord(TEXT, OFFSETS)])


def legal(path, inside, num_labels):
    before = 0
    for t, tag in enumerate(path):
        goes_on = tag > num_labels and before in (tag, tag - num_labels)
        if tag > num_labels and not goes_on:
            return False
        if inside[t] and not (goes_on or (tag == 0 and before == 0)):
            return False
        before = tag
    return True


def by_hand(paths, counted, num_labels, join=max):
    """Return the best log-probability of every combination of counts, path by path."""
    live = [t for t in range(paths.size[1]) if paths.live[0, t]]
    logs = torch.cat([paths.o, paths.b, paths.i], -1)[0]
    inside = [bool(paths.inside[0, t]) for t in live]
    best = {}
    for path in product(range(1 + 2 * num_labels), repeat=len(live)):
        if legal(path, inside, num_labels):
            seen = tuple(min(path.count(1 + label), most) for label, most in counted.items())
            value = float(sum(logs[t, tag] for t, tag in zip(live, path, strict=True)))
            best[seen] = join(best.get(seen, NEVER), value)
    return best


@pytest.mark.parametrize("split_words", [False, True])
@given(seed=st.integers(0, 10**6), counted=st.sampled_from([{}, {0: 1}, {1: 2}, {0: 1, 1: 2}]))
def test_every_combination_of_counts_has_its_best_path(split_words, seed, counted):
    paths = lattice(scores(seed), split_words=split_words)
    expected = by_hand(paths, counted, 2)
    found = {}
    for way in best_by_count(paths, counted)[0]:
        kinds = [run.label for run in way.runs]
        seen = tuple(min(kinds.count(label), most) for label, most in counted.items())
        assert seen not in found
        found[seen] = way.log
    assert found == pytest.approx(expected)


@given(st.integers(0, 10**6))
def test_the_cheapest_way_is_that_of_plain_viterbi(seed):
    paths = lattice(scores(seed), split_words=False)
    ways = best_by_count(paths, {0: 1, 1: 1})[0]
    assert max(ways, key=lambda way: way.log).runs == viterbi(paths)[0]


def test_an_answer_of_chosen_spans_has_their_exact_probability():
    task, given_ = Spans(labels=["A", "B"]), scores(5)
    (variable,) = task.options(given_, {}, {"A": 1, "B": 1})[0]
    total = torch.tensor([-cost for cost in variable.costs]).exp().sum()
    assert total <= 1.0
    for at, value in enumerate(variable.values):
        label = task.taken([], [variable], [at])
        (answer,) = task.answers(given_, {}, [label])
        assert [s["text"] for s in answer["spans"]] == [s["text"] for s in value]
        assert all(0 <= s["probability"] <= 1 for s in answer["spans"])


def test_a_text_without_tokens_has_one_way():
    empty = TokenScores(torch.zeros(1, 1, 3), [TokenRecord("", np.array([[0, 0]]))])
    ways = best_by_count(lattice(empty, split_words=False), {0: 1})
    assert [[way.runs for way in row] for row in ways] == [[[]]]
    assert runs_of([0], 1) == []


@pytest.mark.parametrize("split_words", [False, True])
@given(seed=st.integers(0, 10**6), counted=st.sampled_from([{}, {0: 1}, {1: 2}, {0: 1, 1: 2}]))
def test_the_weight_of_every_combination_is_that_of_all_its_paths(split_words, seed, counted):
    paths = lattice(scores(seed), split_words=split_words)
    expected = by_hand(paths, counted, 2, join=np.logaddexp)
    found = mass_by_count(paths, counted)[0].tolist()
    every = product(*(range(most + 1) for most in counted.values()))
    for seen, log in zip(every, found, strict=True):
        if seen in expected:
            assert log == pytest.approx(expected[seen])
        else:
            assert log < -1e8


@given(st.integers(0, 10**6))
def test_the_weight_that_no_path_has_has_no_gradient(seed):
    given_ = scores(seed)
    given_.values.requires_grad_(True)
    (likely,) = Spans(labels=["A", "B"]).likely(given_, {"A": 9, "B": 1})
    assert likely.chances.sum().item() == pytest.approx(1)
    likely.chances[0, -1].backward()
    assert given_.values.grad.abs().max() < 1e-6
