"""What a task may answer, and what each option costs."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from allrounder.tasks import TASKS, Multiclass, Multilabel, Ordinal, Regression

SCORES = st.lists(st.integers(-50, 50), min_size=3, max_size=3).map(lambda r: torch.tensor([r]) / 9)
CALIBRATION = st.sampled_from([{}, {"temperature": 2.0}])
CASES = {
    "multiclass": (Multiclass(labels=["a", "b", "c"]), {}),
    "multilabel": (Multilabel(labels=["a", "b", "c"], threshold=0.3), {"a": 1, "c": 1}),
    "ordinal": (Ordinal(labels=["1", "2", "3", "4"]), {}),
    "regression": (Regression(range=(-4, 4), center=0.0, scale=1.0), {-1.0: 1, 2.5: 1}),
}


def test_every_kind_that_speaks_is_tried_here_or_beside_the_automaton():
    assert {n for n, kind in TASKS.builtin.items() if kind.speaks} == {*CASES, "spans"}


@pytest.mark.parametrize("kind", CASES)
@given(scores=SCORES, calibration=CALIBRATION)
def test_the_cheapest_option_is_the_own_answer(kind, scores, calibration):
    task, mentioned = CASES[kind]
    (variables,) = task.options(scores, calibration, mentioned)
    (own,) = task.decode(scores)
    picks = [variable.best for variable in variables]
    assert all(v.costs[v.best] == min(v.costs) for v in variables)
    assert task.taken(own, variables, picks) == own
    chosen = task.answers(scores, calibration, [task.taken(own, variables, picks)])
    assert chosen == task.answers(scores, calibration)


@given(scores=SCORES, calibration=CALIBRATION)
def test_costs_are_minus_the_logarithm_of_calibrated_probabilities(scores, calibration):
    task, _ = CASES["multiclass"]
    (answer,) = task.answers(scores, calibration)
    ((variable,),) = task.options(scores, calibration, {})
    for label, cost in zip(variable.values, variable.costs, strict=True):
        assert math.exp(-cost) == pytest.approx(answer["probabilities"][label], abs=1e-6)


def test_labels_that_no_rule_mentions_stay_as_they_are():
    task, mentioned = CASES["multilabel"]
    (variables,) = task.options(torch.tensor([[2.0, 2.0, -2.0]]), {}, mentioned)
    assert [v.label for v in variables] == ["a", "c"]
    assert task.taken(["a", "b"], variables, [0, 1]) == ["b", "c"]


def test_a_number_goes_to_the_nearest_that_is_allowed():
    task, mentioned = CASES["regression"]
    ((variable,),) = task.options(torch.tensor([[1.0]]), {"reach": 1.6448536}, mentioned)
    assert variable.values == pytest.approx([-1.000001, -1.0, 1.0, 2.5, 2.500001])
    assert variable.costs == pytest.approx([2.0, 2.0, 0.0, 1.125, 1.125], abs=1e-4)
    assert task.answers(torch.tensor([[1.0]]), {"reach": 0.5}, [2.5]) == [
        {"value": 2.5, "interval": [0.5, 2.5]}
    ]


def test_an_answer_that_rules_chose_has_its_own_probability():
    task, _ = CASES["multiclass"]
    (answer,) = task.answers(torch.tensor([[2.0, 1.0, 0.0]]), {}, ["c"])
    assert answer["label"] == "c"
    assert answer["probability"] == answer["probabilities"]["c"]


@pytest.mark.parametrize("kind", ["multiclass", "multilabel", "ordinal"])
@given(scores=SCORES)
def test_what_is_likely_in_training_is_what_is_answered_uncalibrated(kind, scores):
    task, mentioned = CASES[kind]
    (answer,) = task.answers(scores, {})
    for one in task.likely(scores, mentioned):
        (chances,) = one.chances.tolist()
        assert sum(chances) == pytest.approx(1)
        named = (
            {one.label: chances[-1]} if one.label else dict(zip(one.values, chances, strict=True))
        )
        for label, chance in named.items():
            assert chance == pytest.approx(answer["probabilities"][label], abs=1e-6)


def test_a_kind_whose_answers_are_not_counted_is_likely_nothing():
    task, mentioned = CASES["regression"]
    assert task.likely(torch.zeros(1, 1), mentioned) == []
