"""R-Drop: two passes under different dropout, pulled together from both sides."""

import numpy as np
import pytest
import torch
from making import made, settings, tiny_text, write_newsroom
from torch.distributions import Bernoulli, Categorical, kl_divergence
from torch.nn import functional as F

from allrounder import Project, ProjectError
from allrounder.plan import read_plan
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
    for i in range(8)
]  # fmt: skip
STEP = {
    "optimizer": {"kind": "sgd", "momentum": 0, "weight_decay": 0}, "clip": 0, "head_lr": 0.1,
    "schedule": {"kind": "constant", "warmup": 0}, "batch_records": 100, "epochs": 1,
}  # fmt: skip


def sides(*shape):
    generator = torch.Generator().manual_seed(1)
    pair = (torch.randn(shape, generator=generator, dtype=torch.float64) for _ in range(2))
    return [side.requires_grad_() for side in pair]


# ------------------------------------------------------------------ the paper's equation 3


def test_the_gradient_is_that_of_both_terms_through_both_passes():
    """With s = log p - log q: ½ (p · (s - Σ p s) + p - q), found by hand.

    Were each p that plays the teacher held still, it would be ½ (p - q).
    """
    one, other = sides(4, 3)
    apart = Multiclass(labels=["a", "b", "c"]).disagreement(one, other, torch.zeros(4))
    apart.sum().backward()
    p, q = (side.detach().softmax(-1).numpy() for side in (one, other))
    s = np.log(p) - np.log(q)
    np.testing.assert_allclose(apart.detach(), 0.5 * ((p - q) * s).sum(-1), rtol=1e-10)
    by_hand = 0.5 * (p * (s - (p * s).sum(-1, keepdims=True)) + p - q)
    np.testing.assert_allclose(one.grad, by_hand, rtol=1e-10, atol=1e-14)
    by_hand = 0.5 * (q * (-s + (q * s).sum(-1, keepdims=True)) + q - p)
    np.testing.assert_allclose(other.grad, by_hand, rtol=1e-10, atol=1e-14)


@pytest.mark.parametrize("task", [Multilabel(labels=["a", "b"]), Ordinal(labels=["1", "2", "3"])])
def test_decisions_that_are_yes_or_no_are_summed(task):
    """Both divergences of two coins come to (p - q) · (logit p - logit q)."""
    one, other = sides(4, 2)
    apart = task.disagreement(one, other, torch.zeros(4, 2))
    apart.sum().backward()
    a, b = (side.detach() for side in (one, other))
    p, q = a.sigmoid(), b.sigmoid()
    torch.testing.assert_close(apart, ((p - q) * (a - b)).sum(-1) / 2)
    torch.testing.assert_close(one.grad, (p * (1 - p) * (a - b) + p - q) / 2)
    torch.testing.assert_close(other.grad, (q * (1 - q) * (b - a) + q - p) / 2)


def test_two_numbers_are_as_far_apart_as_their_squared_distance():
    one, other = sides(4, 1)
    apart = Regression(center=0.0, scale=1.0).disagreement(one, other, torch.zeros(4))
    torch.testing.assert_close(apart, (one - other)[:, 0].square())


def test_only_tokens_that_train_are_compared():
    one, other = sides(2, 4, 3)
    targets = torch.tensor([[-100, 0, 1, -100], [-100, 2, -100, -100]])
    apart = Spans(labels=["ORG"]).disagreement(one, other, targets)
    each = [[symmetric(one[i, t], other[i, t]) for t in ts] for i, ts in enumerate([[1, 2], [1]])]
    torch.testing.assert_close(apart, torch.stack([sum(row) / len(row) ** 0.5 for row in each]))
    apart.sum().backward()
    for side in (one, other):
        assert torch.isfinite(side.grad).all()
        assert (side.grad[targets == -100] == 0).all()


def symmetric(one, other):
    p, q = Categorical(logits=one), Categorical(logits=other)
    return (kl_divergence(p, q) + kl_divergence(q, p)) / 2


# ------------------------------------------------------------------ a step


def stepped(prepared, **keys):
    torch.manual_seed(7)
    loop = Loop(prepared.model, prepared, np.arange(len(ROWS)), settings(**{**STEP, **keys}))
    return list(loop.steps())


def test_a_step_follows_the_mean_of_two_losses_and_what_the_two_answers_differ():
    """Against torch's own distributions, on scores read with the dropout of the step."""
    one, other = (made(TASKS, ROWS, dropout=0.3) for _ in range(2))
    stepped(one, r_drop=1.5)
    rows, model = np.repeat(np.arange(len(ROWS)), 2), other.model.train()
    torch.manual_seed(7)
    batch = other.batch(rows, other.labeled(rows, list(TASKS)), targets=True)
    scores, total = model(batch), torch.zeros(())
    for name, found in scores.items():
        targets, a, b = batch.targets[name][0::2], found[0::2], found[1::2]
        losses = [TASKS[name].loss(side, targets) for side in (a, b)]
        each = (losses[0] + losses[1]) / 2 + 1.5 * apart_by_torch(name, a, b, targets)
        total = total + TASKS[name].weight * each.sum()
    (total / len(ROWS)).backward()
    with torch.no_grad():
        for (name, weight), moved in zip(
            model.named_parameters(), one.model.parameters(), strict=True
        ):
            torch.testing.assert_close(
                weight - 0.1 * weight.grad, moved, atol=1e-6, rtol=1e-4, msg=name
            )


def apart_by_torch(name, a, b, targets):
    if name == "mood":
        return F.mse_loss(a, b, reduction="none")[:, 0]
    kind = Bernoulli if name == "tags" else Categorical
    p, q = kind(logits=a), kind(logits=b)
    both = (kl_divergence(p, q) + kl_divergence(q, p)) / 2
    if name == "tags":
        return both.sum(-1)
    known = targets != -100
    return (both * known).sum(-1) / known.sum(-1).sqrt() if name == "who" else both


@pytest.mark.parametrize(
    "weighting", ["sum", "uncertainty", "famo", "dwa", "geometric_mean", "pcgrad", "nash_mtl"]
)
def test_without_dropout_it_changes_nothing_whatever_the_weighting(weighting):
    if weighting == "pcgrad":
        pytest.importorskip("torchjd")
    ends = []
    for r_drop in (0.0, 5.0):
        prepared = made(TASKS, ROWS)
        stepped(prepared, r_drop=r_drop, weighting=weighting, epochs=3, batch_records=4)
        ends.append(dict(prepared.model.named_parameters()))
    for name, weight in ends[0].items():
        torch.testing.assert_close(weight, ends[1][name], atol=1e-4, rtol=1e-3, msg=name)


def test_it_brings_the_two_answers_together(tiny):
    apart = {}
    for r_drop in (0.0, 10.0):
        inputs = {"text": tiny_text(tiny, dropout=0.2)}
        prepared = made(TASKS, ROWS, inputs=inputs, dropout=0.2)
        stepped(prepared, r_drop=r_drop, epochs=30, lr=0.01, head_lr=0.02, optimizer="adamw")
        rows, model = np.repeat(np.arange(len(ROWS)), 40), prepared.model.train()
        batch = prepared.batch(rows, prepared.labeled(rows, ["topic"]), targets=True)
        with torch.no_grad():
            scores = model(batch)["topic"]
        apart[r_drop] = float(symmetric(scores[0::2], scores[1::2]).mean())
    assert apart[10.0] < apart[0.0] / 2


def test_both_passes_are_counted_as_tokens_read_and_the_records_once():
    once, twice = (stepped(made(TASKS, ROWS), r_drop=r_drop)[0] for r_drop in (0.0, 1.0))
    assert twice.tokens == 2 * once.tokens
    assert twice.records == once.records


# ------------------------------------------------------------------ refused


@pytest.mark.parametrize("value", [-1.0, float("inf"), float("nan")])
def test_a_factor_that_means_nothing_is_refused(value):
    with pytest.raises(ProjectError, match=r"`training` has `r_drop: .*`\. Expected 0 or more\."):
        settings(r_drop=value)


def test_without_dropout_anywhere_it_is_refused(tmp_path):
    with pytest.raises(ProjectError) as caught:
        Project.load(write_newsroom(tmp_path, training={"r_drop": 1.0, "dropout": 0}))
    assert str(caught.value) == (
        "`training.r_drop` compares two passes under different dropout, and there is none: set "
        "`training.dropout` or the `dropout` of an input above 0."
    )
    Project.load(write_newsroom(tmp_path, training={"r_drop": 1.0}))


def test_dropout_inside_an_encoder_is_enough_unless_it_is_frozen(tmp_path):
    for tune in ("top:1", "frozen"):
        text = {"kind": "text", "model": "tiny", "dropout": 0.1, "tune": tune}
        file = write_newsroom(
            tmp_path, inputs={"text": text}, training={"r_drop": 1.0, "dropout": 0}
        )
        if tune == "frozen":
            with pytest.raises(ProjectError, match=r"`training\.r_drop` compares two passes"):
                read_plan(file)
        else:
            read_plan(file)
