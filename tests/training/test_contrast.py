"""The contrastive loss: numbers worked out by hand, and what must not move it."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from making import hashing, made, settings, tiny_text

from allrounder.tasks import Multiclass, Multilabel, Ordinal, Regression, Spans
from allrounder.training.contrast import Contrast, Draw, alikeness, supervised_contrast
from allrounder.training.settings import HeadStart

LABELS = Multiclass(labels=["a", "b", "c"])


def by_hand(vectors, groups, temperature):
    """Equation 2 of Khosla et al. 2020, with weights, record by record in NumPy."""
    z = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    losses = []
    for i in range(len(z)):
        others = [a for a in range(len(z)) if a != i]
        weight = {
            j: len(groups[i] & groups[j]) / len(groups[i] | groups[j])
            for j in others
            if groups[i] & groups[j]
        }
        if weight:
            below = sum(np.exp(z[i] @ z[a] / temperature) for a in others)
            shares = [w * np.log(np.exp(z[i] @ z[j] / temperature) / below)
                      for j, w in weight.items()]  # fmt: skip
            losses.append(-sum(shares) / sum(weight.values()))
    return float(np.mean(losses)) if losses else 0.0


def loss_of(vectors, groups, temperature=0.1):
    return float(supervised_contrast(vectors, alikeness(groups), temperature))


def hot(groups, size=4):
    return torch.tensor([[int(g in found) for g in range(size)] for found in groups])


def test_two_records_of_one_label_beside_a_third_have_the_loss_worked_out_by_hand():
    vectors = torch.tensor([[1.0, 0.0], [2.0, 0.0], [0.0, 3.0]])
    found = loss_of(vectors, hot([{0}, {0}, {1}]), 0.5)
    assert found == pytest.approx(np.log(1 + np.exp(-2)), abs=1e-6)


@given(
    groups=st.lists(st.sets(st.integers(0, 3), max_size=3), min_size=2, max_size=9),
    seed=st.integers(0, 99),
    temperature=st.sampled_from([0.07, 0.1, 0.5]),
)
def test_the_loss_is_equation_two_with_the_share_of_common_labels_as_weight(
    groups, seed, temperature
):
    vectors = torch.from_numpy(np.random.default_rng(seed).normal(size=(len(groups), 5)))
    found = loss_of(vectors, hot(groups), temperature)
    assert found == pytest.approx(by_hand(vectors.numpy(), groups, temperature), rel=1e-4, abs=1e-6)


@given(order=st.permutations(range(6)))
def test_the_order_of_records_does_not_matter(order):
    vectors = torch.from_numpy(np.random.default_rng(0).normal(size=(6, 4)))
    groups = hot([{0}, {0, 1}, {1}, {2}, set(), {2}])
    order = list(order)
    assert loss_of(vectors[order], groups[order]) == pytest.approx(loss_of(vectors, groups))


def test_classes_of_one_record_each_train_nothing():
    vectors = torch.randn(3, 4, requires_grad=True)
    loss = supervised_contrast(vectors, alikeness(hot([{0}, {1}, set()])), 0.1)
    loss.backward()
    assert loss.item() == 0.0
    assert vectors.grad.tolist() == torch.zeros(3, 4).tolist()


def test_records_alike_by_half_pull_half_as_hard_as_equals():
    assert alikeness(hot([{0, 1}, {0, 1}, {1}, set(), set()])).tolist() == [
        [0.0, 1.0, 0.5, 0.0, 0.0],
        [1.0, 0.0, 0.5, 0.0, 0.0],
        [0.5, 0.5, 0.0, 0.0, 0.0],
        [0.0, 0.0, 0.0, 0.0, 0.0],
        [0.0, 0.0, 0.0, 0.0, 0.0],
    ]


@pytest.mark.parametrize(
    ("task", "labels", "groups"),
    [
        (LABELS, ["b", "a"], [[0, 1, 0], [1, 0, 0]]),
        (Multilabel(labels=["x", "y"]), [["x", "y"], []], [[1, 1], [0, 0]]),
        (Ordinal(labels=["1", "2", "3"]), ["1", "3"], [[1, 0, 0], [0, 0, 1]]),
        (Regression(center=0.0, scale=1.0), [1.0, 2.0], None),
    ],
    ids=lambda value: type(value).__name__,
)
def test_each_kind_groups_records_by_their_labels(task, labels, groups):
    found = task.groups(task.encode(labels))
    assert (found if found is None else found.tolist()) == groups


# ------------------------------------------------------------------ batches


def test_every_record_of_a_batch_has_a_partner_and_every_group_its_turn():
    rows = np.arange(40, 70)
    groups = np.eye(3, dtype=int)[np.arange(30) % 3]
    for seed in range(5):
        chosen = Draw(rows, groups).batch(6, np.random.default_rng(seed))
        assert sorted(((chosen - 40) % 3).tolist()) == [0, 0, 1, 1, 2, 2]


def test_a_group_of_one_is_never_drawn():
    groups = np.eye(2, dtype=int)[[0, 0, 0, 1]]
    draw = Draw(np.arange(4), groups)
    drawn = {int(row) for s in range(20) for row in draw.batch(4, np.random.default_rng(s))}
    assert drawn == {0, 1, 2}


@given(size=st.integers(4, 40), seed=st.integers(0, 50))
def test_a_batch_keeps_to_its_size_and_holds_no_record_twice(size, seed):
    groups = (np.random.default_rng(seed).random((30, 4)) < 0.3).astype(int)
    chosen = Draw(np.arange(30), groups).batch(size, np.random.default_rng(seed)).tolist()
    assert 2 <= len(chosen) <= size
    assert chosen == sorted(set(chosen))


# ------------------------------------------------------------------ training


def rows_of(n):
    words = {"a": "shares rose", "b": "the match", "c": "the minister"}
    return [{"text": f"{words['abc'[i % 3]]} {i}", "topic": "abc"[i % 3]} for i in range(n)]


def contrast(rows, tasks=None, *, inputs=None, only=None, **keys):
    prepared = made(tasks or {"topic": LABELS}, rows, inputs=inputs)
    chosen = np.arange(len(rows)) if only is None else np.asarray(only)
    start = HeadStart(**{"steps": 12, "batch_records": 8, **keys})
    return Contrast(prepared.model, prepared, chosen, settings(head_lr=0.01, seed=4), start)


def weights(model, beginning=""):
    return {
        name: weight.detach().clone()
        for name, weight in model.named_parameters()
        if name.startswith(beginning)
    }


@pytest.mark.filterwarnings(
    "ignore:.is_gradient_checkpointing. is deprecated:FutureWarning"
)  # peft asks for it
@pytest.mark.parametrize("tune", ["full", "top:1", "lora"])
def test_the_loss_falls_whatever_part_of_the_encoder_learns(tiny, tune):
    inputs = {"text": tiny_text(tiny, tune=tune)}
    found = contrast(rows_of(18), inputs=inputs, steps=40, lr=3e-3)
    frozen = {n: w.clone() for n, w in found.model.named_parameters() if not w.requires_grad}
    losses = list(found.steps())
    assert np.mean(losses[-5:]) < np.mean(losses[:5]) - 0.1
    after = dict(found.model.named_parameters())
    assert all(torch.equal(after[name], weight) for name, weight in frozen.items())


def test_heads_are_left_alone():
    found = contrast(rows_of(12))
    before = weights(found.model, "heads.")
    list(found.steps())
    assert all(torch.equal(w, before[n]) for n, w in weights(found.model, "heads.").items())


def test_the_same_seed_gives_the_same_weights_whatever_the_callers_chance():
    runs = []
    for state in (1, 2):
        found = contrast(rows_of(12))
        np.random.seed(state)
        torch.manual_seed(state)
        list(found.steps())
        runs.append(weights(found.model))
    assert all(torch.equal(runs[0][name], runs[1][name]) for name in runs[0])


def test_a_missing_label_trains_nothing():
    rows = rows_of(12)
    more = [*rows, *({"text": f"poor coach {i}"} for i in range(6))]
    runs = []
    for found in (contrast(rows), contrast(more)):
        list(found.steps())
        runs.append(weights(found.model))
    assert all(torch.equal(runs[0][name], runs[1][name]) for name in runs[0])


def test_two_tasks_meet_in_the_encoder():
    tasks = {"topic": LABELS, "tags": Multilabel(labels=["x", "y"])}
    rows = [{**row, "tags": ["x"] if i % 2 else ["y"]} for i, row in enumerate(rows_of(12))]
    alone, both = contrast(rows), contrast(rows, tasks)
    assert list(both.draws) == ["topic", "tags"]
    for found in (alone, both):
        list(found.steps())
    before, after = (weights(found.model, "encoders.") for found in (alone, both))
    assert any(not torch.equal(before[name], after[name]) for name in before)


def test_tasks_that_pull_nothing_together_take_no_part(tiny):
    tasks = {"topic": LABELS, "mood": Regression(center=0.0, scale=1.0), "who": Spans(labels=["A"])}
    rows = [{**row, "mood": 1.0, "who": []} for row in rows_of(9)]
    assert list(contrast(rows, tasks).draws) == ["topic"]
    assert list(contrast(rows, tasks, only=[0, 1, 2]).draws) == []
    frozen = {"text": tiny_text(tiny, tune="frozen")}
    assert list(contrast(rows, inputs=frozen).draws) == []


def test_batches_keep_to_the_tokens_of_a_batch():
    rows = [{"text": "match " * (1 + i), "topic": "abc"[i % 3]} for i in range(30)]
    prepared = made({"topic": LABELS}, rows, inputs={"text": hashing()})
    keys = settings(batch_tokens=64, head_lr=0.01)
    found = Contrast(prepared.model, prepared, np.arange(30), keys, HeadStart(batch_records=30))
    for size in (2, 10, 30):
        chosen = found._fitting(np.arange(size))
        assert len(chosen) == 2 or len(chosen) * found.lengths[chosen].max() <= 64
    assert found._fitting(np.arange(2)).tolist() == [0, 1]
