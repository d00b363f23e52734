"""Mixup: features and losses mixed as the papers say, drawn from a generator that is handed in."""

import numpy as np
import pytest
import torch
from making import made, settings
from torch.nn import functional as F

from allrounder import ProjectError
from allrounder.model.mixing import Mixed, mixes
from allrounder.plan import make_plan
from allrounder.tasks import Multiclass, Multilabel, Ordinal, Regression, Spans
from allrounder.training.loop import Loop

TASKS = {
    "topic": Multiclass(labels=["a", "b", "c"], weight=2.0),
    "tags": Multilabel(labels=["x", "y"]),
    "mood": Regression(center=0.0, scale=1.0),
    "who": Spans(labels=["ORG"]),
}
ROWS = [
    {"text": "Acme rose" + " and fell" * i, "topic": "abc"[i % 3], "tags": ["x"] * (i % 2),
     "who": [{"start": 0, "end": 4, "label": "ORG"}]}
    if i % 3 else {"text": f"good great poor {i}", "mood": float(i % 5)}
    for i in range(9)
]  # fmt: skip
STEP = {
    "optimizer": {"kind": "sgd", "momentum": 0, "weight_decay": 0}, "clip": 0, "head_lr": 0.1,
    "schedule": {"kind": "constant", "warmup": 0}, "batch_records": 100, "epochs": 1,
}  # fmt: skip


def drawn(size=5, alpha=0.4):
    return Mixed.drawn(size, alpha, np.random.default_rng(3))


def test_features_are_mixed_by_share():
    mixed, x = drawn(), torch.randn(5, 4, dtype=torch.float64)
    found = mixed.features(x)
    for i in range(5):
        share, other = float(mixed.share[i]), x[mixed.partner[i]]
        torch.testing.assert_close(found[i], share * x[i] + (1 - share) * other)


def test_the_cross_entropy_of_both_labels_is_that_of_the_mixed_label():
    """Zhang et al. 2018, equation (1): ỹ = λ yᵢ + (1 - λ) yⱼ, one-hot."""
    mixed, scores = drawn(), torch.randn(5, 3)
    targets = torch.tensor([0, 1, 2, 1, 0])
    hot, share = F.one_hot(targets, 3).float(), mixed.share[:, None]
    wanted = F.cross_entropy(
        scores, share * hot + (1 - share) * hot[mixed.partner], reduction="none"
    )
    found = mixed.loss(Multiclass(labels=["a", "b", "c"]).loss, scores, targets)
    torch.testing.assert_close(found, wanted)


@pytest.mark.parametrize("task", [Multilabel(labels=["a", "b"]), Ordinal(labels=["1", "2", "3"])])
def test_yes_or_no_decisions_have_the_loss_of_mixed_targets(task):
    mixed, scores = drawn(), torch.randn(5, 2)
    labels = [["a"], [], ["a", "b"], ["b"], []] if isinstance(task, Multilabel) else list("12321")
    targets = task.encode(labels)
    share = mixed.share[:, None]
    both = share * targets + (1 - share) * targets[mixed.partner]
    torch.testing.assert_close(
        mixed.loss(task.loss, scores, targets), task.loss(scores, both.to(targets.dtype))
    )


def test_numbers_have_the_gradient_of_the_mixed_number():
    task, mixed = Regression(center=0.0, scale=1.0), drawn()
    targets = task.encode([1.0, -1.0, 0.5, 2.0, 0.0])
    one, other = (torch.zeros(5, 1, requires_grad=True) for _ in range(2))
    mixed.loss(task.loss, one, targets).sum().backward()
    shape = (5, *[1] * (targets.ndim - 1))
    share = mixed.share.reshape(shape)
    task.loss(other, share * targets + (1 - share) * targets[mixed.partner]).sum().backward()
    torch.testing.assert_close(one.grad, other.grad)


def test_shares_follow_the_beta_distribution_and_the_generator_alone():
    found = Mixed.drawn(20_000, 0.4, np.random.default_rng(0)).share.numpy()
    assert abs(found.mean() - 0.5) < 0.01
    assert abs(found.var() - 1 / (4 * (2 * 0.4 + 1))) < 0.005
    torch.manual_seed(5)
    one, other = drawn(), drawn()
    assert torch.equal(one.share, other.share)
    assert torch.equal(one.partner, other.partner)


def test_only_tasks_that_read_records_are_mixed_and_no_record_alone():
    sizes = {"topic": 4, "tags": 1, "mood": 2, "who": 4}
    assert list(mixes(TASKS, sizes, 1.0, np.random.default_rng(0))) == ["topic", "mood"]


def stepped(prepared, **keys):
    torch.manual_seed(7)
    loop = Loop(prepared.model, prepared, np.arange(len(ROWS)), settings(**{**STEP, **keys}))
    return list(loop.steps())


def test_a_step_follows_the_mixed_loss():
    one, other = (made(TASKS, ROWS) for _ in range(2))
    stepped(one, mixup=0.5)
    rows, model = np.arange(len(ROWS)), other.model.train()
    batch = other.batch(rows, other.labeled(rows, list(TASKS)), targets=True)
    chance = np.random.default_rng([0, 1, 0])
    drawn = mixes(TASKS, {n: len(at) for n, at in batch.places.items()}, 0.5, chance)
    read = model.read(model.features(batch), batch)
    total = torch.zeros(())
    for name, features in read.items():
        targets, task = batch.targets[name], TASKS[name]
        if name == "who":
            scores = model.heads[name](features)[:, : targets.shape[1]]
            each = task.loss(scores, targets)
        else:
            share, partner = drawn[name].share, drawn[name].partner
            mixed = share[:, None] * features + (1 - share[:, None]) * features[partner]
            scores = model.heads[name](mixed)
            losses = task.loss(scores, targets), task.loss(scores, targets[partner])
            each = share * losses[0] + (1 - share) * losses[1]
        total = total + task.weight * each.sum()
    (total / len(ROWS)).backward()
    for (name, weight), moved in zip(model.named_parameters(), one.model.parameters(), strict=True):
        wanted = weight.detach() - 0.1 * weight.grad
        torch.testing.assert_close(wanted, moved.detach(), atol=1e-6, rtol=1e-4, msg=name)


@pytest.mark.parametrize("weighting", ["sum", "uncertainty", "dwa", "nash_mtl"])
def test_it_trains_with_every_form_of_weighting(weighting):
    assert all(np.isfinite(list(step.losses.values())).all()
               for step in stepped(made(TASKS, ROWS), mixup=0.3, weighting=weighting))  # fmt: skip


# ------------------------------------------------------------------ the project file

NEWS = {"sources": ["a.csv"], "inputs": {"text": "hashing"}, "tasks": {"topic": "multiclass"}}


def test_the_kind_mix_stands_for_the_key_of_training(tmp_path):
    plan = make_plan({**NEWS, "synthesis": {"kind": "mix", "alpha": 0.3}}, folder=tmp_path)
    assert plan.training.mixup == 0.3
    assert make_plan(plan.to_dict(), folder=tmp_path) == plan


@pytest.mark.parametrize(
    ("sections", "words"),
    [
        ({"training": {"mixup": -1}}, "`training` has `mixup: -1.0`. Expected 0 or more."),
        ({"training": {"mixup": 1, "r_drop": 1}}, "`training` has `mixup` and `r_drop`. The one "
         "mixes records, the other compares two passes over each: leave one of them out."),
        ({"training": {"mixup": 1}, "synthesis": "mix"}, "`synthesis` mixes with `alpha: 0.2` and "
         "`training.mixup` is 1.0: they are one thing. Leave one of them out."),
        ({"training": {"mixup": 1}, "tasks": {"who": "spans"}}, "`training.mixup` mixes records "
         "where heads read one vector each, and no task does: it is for multiclass, multilabel, "
         "ordinal and regression tasks. Remove it."),
    ],
)  # fmt: skip
def test_what_cannot_be_mixed_is_refused_in_words(tmp_path, sections, words):
    with pytest.raises(ProjectError) as caught:
        make_plan({**NEWS, **sections}, folder=tmp_path)
    assert str(caught.value) == words
