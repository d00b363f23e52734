"""Weighting in the loop: what heads and encoder get, what is kept, and what is refused."""

import sys
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pytest
import torch
from making import hashing, made, settings, tiny_text

from allrounder import Project
from allrounder.errors import MissingExtra, ProjectError
from allrounder.plan import read_plan
from allrounder.tasks import Multiclass, Regression, Spans
from allrounder.training.checkpoint import restore, save_checkpoint
from allrounder.training.loop import Loop
from allrounder.training.weighting import WEIGHTINGS, Aggregation
from allrounder.training.weighting.descents import Aggregated, Scalarized

WORDS = "Acme the bank said shares rose fell in Ruritania match".split()
PAIR = {"named": Multiclass(labels=["no", "yes"]), "banks": Regression(center=0.0, scale=1.0)}
THREE = {**PAIR, "who": Spans(labels=["ORG"])}
KINDS = sorted(WEIGHTINGS.builtin)
EVERY = pytest.mark.parametrize("kind", KINDS)


@pytest.fixture(autouse=True)
def _extras(request):
    kind = getattr(getattr(request.node, "callspec", None), "params", {}).get("kind")
    for name in getattr(WEIGHTINGS.builtin.get(kind), "needs", ()):
        pytest.importorskip(name)


def rows_of(n, *, disjoint=True, seed=0):
    """Return records with the label of one task each, or of all three."""
    rng = np.random.default_rng(seed)
    return [_row(i, list(rng.choice(WORDS, 6)), disjoint) for i in range(n)]


def _row(i, words, disjoint):
    spans = [] if words[0] != "Acme" else [{"start": 0, "end": 4, "label": "ORG"}]
    labels = {"named": "yes" if "Acme" in words else "no", "banks": words.count("bank") + 1.0,
              "who": spans}  # fmt: skip
    kept = list(labels)[i % 3] if disjoint else None
    text = " ".join(words)
    return {"text": text, **{name: x for name, x in labels.items() if kept in (None, name)}}


def loop_of(kind, *, tasks=THREE, rows=None, inputs=None, dropout=0.0, **keys):
    rows = rows_of(48) if rows is None else rows
    prepared = made(tasks, rows, inputs=inputs, dropout=dropout)
    torch.manual_seed(7)
    return Loop(prepared.model, prepared, np.arange(len(rows)), settings(weighting=kind, **keys))


def whole(loop, rows=None):
    """Return a batch of all records."""
    rows = np.arange(len(loop.prepared)) if rows is None else np.asarray(rows)
    return loop.prepared.batch(rows, loop.prepared.labeled(rows, loop.model.tasks), targets=True)


# ------------------------------------------------------------------ every kind learns


@EVERY
@pytest.mark.parametrize("accumulate", [1, 2])
def test_both_tasks_get_better_though_no_record_has_both(kind, accumulate):
    rows = [row for row in rows_of(90) if "who" not in row]
    loop = loop_of(kind, tasks=PAIR, rows=rows, epochs=15, head_lr=0.02, accumulate=accumulate)
    steps = list(loop.steps())
    for name in PAIR:
        losses = [step.losses[name] for step in steps if name in step.losses]
        assert np.mean(losses[-5:]) < 0.7 * np.mean(losses[:5]), name


@EVERY
def test_the_same_seed_gives_the_same_bits(kind):
    weights = []
    for _ in range(2):
        loop = loop_of(kind, dropout=0.2, epochs=2)
        for _ in loop.steps():
            pass
        weights.append([w.clone() for w in loop.model.parameters()])
    assert all(torch.equal(one, two) for one, two in zip(*weights, strict=True))


@EVERY
def test_one_task_alone_is_trained_as_by_its_own_loss(kind):
    rows = [{"text": row["text"], "banks": row["banks"]} for row in rows_of(8, disjoint=False)]
    slopes = []
    for found in (kind, "mean"):
        loop = loop_of(found, tasks={"banks": PAIR["banks"]}, rows=rows)
        loop.descent.backward(whole(loop), 8)
        slopes.append(torch.cat([w.grad.flatten() for w in loop.model.parameters()]))
    cosine = torch.cosine_similarity(*slopes, dim=0)
    assert float(cosine) == pytest.approx(1, abs=1e-5)


@EVERY
def test_a_task_of_weight_zero_pulls_nothing(kind):
    tasks = {**PAIR, "banks": Regression(center=0.0, scale=1.0, weight=0.0)}
    rows = [row for row in rows_of(12) if "banks" in row]
    loop = loop_of(kind, tasks=tasks, rows=rows)
    losses = loop.descent.backward(whole(loop), len(rows))
    assert losses.keys() == {"banks"}, "it is still reported"
    assert all(w.grad is None or not w.grad.any() for w in loop.model.parameters())


@EVERY
def test_a_step_without_any_label_does_nothing(kind):
    loop = loop_of(kind)
    loop.state.stopped = list(THREE)
    assert loop._backward(np.arange(4), 4) == {}
    loop.descent.stepped()
    loop.descent.passed()
    assert all(w.grad is None for w in loop.model.parameters())


@EVERY
def test_a_task_that_stops_leaves_the_others_to_learn(kind):
    loop = loop_of(kind, epochs=3)
    for step in loop.steps():
        assert all(np.isfinite(loss) for loss in step.losses.values())
        if step.number == 2:
            loop.state.stopped = ["named"]
            before = {n: [w.clone() for w in loop.model.heads[n].parameters()] for n in THREE}
    same = {
        name: all(map(torch.equal, before[name], loop.model.heads[name].parameters()))
        for name in THREE
    }
    assert same == {"named": True, "banks": False, "who": False}
    assert all(torch.isfinite(w).all() for w in loop.model.parameters())


# ------------------------------------------------------------------ gradients of the definition


@dataclass(kw_only=True)
class Given(Aggregation):
    """Weights from outside; notes what it was asked."""

    needs: ClassVar[tuple[str, ...]] = ()
    weights: list[float]

    def weigh(self, gramian, tasks, state):
        state["gramian"] = gramian
        return torch.tensor([self.weights[task] for task in tasks], dtype=torch.float64)


def slopes_of(model, loss):
    """Return the gradient of one loss by the name of each weight."""
    named = dict(model.named_parameters())
    found = torch.autograd.grad(
        loss, list(named.values()), allow_unused=True, materialize_grads=True, retain_graph=True
    )
    return dict(zip(named, found, strict=True))


INPUTS = {
    "one encoder": lambda tiny: {"text": tiny_text(tiny)},
    "two encoders": lambda tiny: {"text": tiny_text(tiny), "pair": hashing("pair")},
    "one encoder twice": lambda tiny: {"text": tiny_text(tiny), "pair": tiny_text(tiny, "pair")},
    "first token": lambda tiny: {"text": tiny_text(tiny, pool="cls")},
}


@pytest.mark.parametrize("inputs", INPUTS)
@pytest.mark.parametrize("disjoint", [True, False])
@pytest.mark.parametrize("total", [12, 24])
def test_the_encoder_gets_the_weighted_sum_and_each_head_its_own(tiny, inputs, disjoint, total):
    weights = {"named": 0.3, "banks": -1.2, "who": 2.0}
    rows = [
        {**row, "pair": "Acme rose"} if i % 4 else row
        for i, row in enumerate(rows_of(12, disjoint=disjoint))
    ]
    tasks = {**PAIR, "who": Spans(labels=["ORG"], of="text", weight=0.5)}
    loop = loop_of("sum", tasks=tasks, rows=rows, inputs=INPUTS[inputs](tiny))
    batch, model = whole(loop), loop.model.eval()  # chance hides no input between two passes
    losses = model.losses(batch)
    each = {n: slopes_of(model, tasks[n].weight * loss.mean()) for n, loss in losses.items()}
    descent = Aggregated(model, Given(weights=list(weights.values())))
    found = descent.backward(batch, total)
    assert found.keys() == losses.keys()
    share = 12 / total
    for name, weight in model.named_parameters():
        if name.startswith("heads."):
            expected = each[name.split(".")[1]][name]
        else:
            expected = sum(weights[task] * slope[name] for task, slope in each.items())
        slope = torch.zeros_like(weight) if weight.grad is None else weight.grad
        torch.testing.assert_close(slope, share * expected, atol=1e-5, rtol=1e-4, msg=name)


def test_tasks_on_different_records_meet_in_the_products(tiny):
    loop = loop_of("sum", rows=rows_of(24), inputs={"text": tiny_text(tiny)})
    descent = Aggregated(loop.model, Given(weights=[1.0, 1.0, 1.0]))
    descent.backward(whole(loop), 24)
    gramian = descent.state["gramian"]
    cosines = gramian / gramian.diagonal().sqrt() / gramian.diagonal().sqrt()[:, None]
    assert (cosines - torch.eye(3)).abs().min(0).values.max() > 0
    assert (cosines[~torch.eye(3, dtype=torch.bool)].abs() > 1e-4).all()
    assert float(gramian.trace()) == pytest.approx(3)


def test_the_products_are_those_of_a_linear_layer_after_the_encoder(tiny):
    loop = loop_of("sum", rows=rows_of(24), inputs={"text": tiny_text(tiny)})
    batch, model = whole(loop), loop.model
    descent = Aggregated(model, Given(weights=[1.0, 1.0, 1.0]))
    descent.backward(batch, 24)
    features = model.features(batch)["text"]
    layer = torch.eye(16, requires_grad=True)
    turned = type(features)(features.pooled.detach() @ layer, features.tokens.detach() @ layer)
    losses = model.losses_from(model.read({"text": turned}, batch), batch)
    rows = [
        torch.autograd.grad(losses[name].mean(), layer, retain_graph=True)[0].flatten()
        for name in THREE
    ]
    gramian = torch.stack(rows).double() @ torch.stack(rows).double().T
    torch.testing.assert_close(
        descent.state["gramian"], gramian * 3 / gramian.trace(), atol=1e-5, rtol=1e-4
    )


@pytest.mark.parametrize("tasks", [["named"], list(THREE)])
def test_the_encoder_is_gone_back_through_once_whatever_the_number_of_tasks(tiny, tasks):
    chosen = {name: THREE[name] for name in tasks}
    rows = rows_of(12, disjoint=False)
    loop = loop_of("sum", tasks=chosen, rows=rows, inputs={"text": tiny_text(tiny)})
    counts = dict.fromkeys(dict(loop.model.encoders.named_parameters()), 0)
    for name, weight in loop.model.encoders.named_parameters():
        weight.register_post_accumulate_grad_hook(
            lambda _, name=name: counts.update({name: counts[name] + 1})
        )
    Aggregated(loop.model, Given(weights=[1.0, 2.0, 3.0])).backward(whole(loop), 12)
    assert set(counts.values()) <= {0, 1}
    assert sum(counts.values()) > len(counts) - 4, "all but what a text never reaches"


def test_an_encoder_that_stays_as_it_is_needs_no_gradient(tiny):
    loop = loop_of("sum", inputs={"text": tiny_text(tiny, tune="frozen")})
    Aggregated(loop.model, Given(weights=[5.0, 5.0, 5.0])).backward(whole(loop), 48)
    assert all(w.grad is None for w in loop.model.encoders.parameters())
    assert all(w.grad is not None for w in loop.model.heads.parameters())


# ------------------------------------------------------------------ tasks that a batch lacks


def test_an_absent_task_stands_at_its_last_loss_and_a_new_one_at_the_mean():
    seen = []

    class Noting(type(WEIGHTINGS.build("mean", at=""))):
        def combine(self, losses, present, state):
            seen.append((losses.detach().clone(), present.tolist()))
            return (losses * present).sum()

    rows = rows_of(12)
    loop = loop_of("sum", rows=rows)
    descent = Scalarized(loop.model, Noting())
    where = {n: [i for i, row in enumerate(rows) if n in row] for n in THREE}
    descent.backward(whole(loop, where["named"]), 4)
    descent.backward(whole(loop, sorted(where["banks"] + where["named"])), 8)
    descent.backward(whole(loop, where["who"]), 4)
    assert [present for _, present in seen] == [
        [True, False, False], [True, True, False], [False, False, True],
    ]  # fmt: skip
    first, second, third = (losses for losses, _ in seen)
    assert first[1] == first[2] == first[0]
    assert second[2] == pytest.approx(float(second[:2].mean()))
    assert third[:2].tolist() == second[:2].tolist()


def test_famo_compares_the_same_batch_and_leaves_chance_alone():
    notes = []
    loop = loop_of("famo", dropout=0.4)
    kind = loop.descent.weighting
    kind.stepped = lambda before, after, state: notes.append((before, after))  # type: ignore[method-assign]
    loop._backward(np.arange(10), 10)
    state = torch.get_rng_state()
    loop.descent.stepped()
    assert torch.equal(torch.get_rng_state(), state)
    ((before, after),) = notes
    torch.testing.assert_close(before, after, atol=0, rtol=0, msg="nothing was learned between")


# ------------------------------------------------------------------ checkpoints and optimizer


@EVERY
@pytest.mark.parametrize("epochs", [0, 3])
def test_a_checkpoint_holds_all_that_a_weighting_remembers(kind, epochs, tmp_path):
    keys = {"dropout": 0.2, "epochs": 4, "tasks": THREE}
    plain = loop_of(kind, **keys)
    for _ in plain.steps():
        pass
    cut, moment = loop_of(kind, **keys), max(1, epochs * plain.num_steps)
    for step in cut.steps():
        if step.number == moment:  # the end of an epoch, before it was taken note of
            save_checkpoint(tmp_path / "here.safetensors", cut, {})
            break
    again = loop_of(kind, **keys)
    torch.manual_seed(99)
    restore(tmp_path / "here.safetensors", again)
    for _ in again.steps():
        pass
    assert again.state.step == plain.state.step > moment
    for one, two in zip(plain.model.parameters(), again.model.parameters(), strict=True):
        assert torch.equal(one, two)
    assert plain.descent.state.keys() == again.descent.state.keys()
    for name, value in plain.descent.state.items():
        torch.testing.assert_close(again.descent.state[name], value, atol=0, rtol=0, equal_nan=True)


@pytest.mark.parametrize("kind", ["uncertainty", "imtl_l"])
def test_learned_scales_are_trained_at_the_rate_of_heads_without_decay(kind):
    loop = loop_of(kind, epochs=2, head_lr=0.03,
                   optimizer={"kind": "adamw", "weight_decay": 0.5})  # fmt: skip
    (scales,) = loop.descent.learned.values()
    group = next(g for g in loop.optimizer.param_groups if g["params"][0] is scales)
    assert (group["full_lr"], group["weight_decay"]) == (0.03, 0.0)
    for _ in loop.steps():
        pass
    assert (scales != 0).all()


def test_the_history_of_dwa_rolls_at_the_end_of_each_epoch():
    loop = loop_of("dwa", epochs=3)
    steps = list(loop.steps())
    ends = [i for i, s in enumerate(steps) if s.epoch == int(s.epoch)]
    assert len(ends) == 3
    state = loop.descent.state
    assert not state["sums"].any()
    assert torch.isfinite(state["older"]).all()
    assert (state["newer"] != state["older"]).all()


# ------------------------------------------------------------------ what is refused


@pytest.mark.parametrize(
    ("kind", "hidden", "words"),
    [
        ("upgrad", ["torchjd"], "`weighting: upgrad` needs torchjd. Try: pip install "
         "'allrounder[sharing]'"),
        ("cagrad", ["cvxpy", "clarabel"], "`weighting: cagrad` needs cvxpy and clarabel. "
         "Try: pip install 'allrounder[sharing]'"),
    ],
)  # fmt: skip
def test_a_missing_library_is_named_before_anything_is_done(
    newsroom, monkeypatch, kind, hidden, words
):
    file = newsroom(size=6, training={"epochs": 1, "weighting": kind})
    stages = []
    project = Project.load(file, tell=lambda stage, *_: stages.append(stage))
    for name in hidden:
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(MissingExtra) as caught:
        project.train()
    assert str(caught.value) == words
    assert not {"tokenize", "train"} & set(stages)


def test_a_run_answers_without_the_library_it_was_trained_with(newsroom, monkeypatch):
    pytest.importorskip("torchjd")
    file = newsroom(size=6, training={"epochs": 1, "weighting": "upgrad", "precision": "fp32"})
    report = Project.load(file).train()
    assert report.project["training"]["weighting"] == {"kind": "upgrad"}
    monkeypatch.setitem(sys.modules, "torchjd", None)
    assert Project.load(file.parent / "runs/1").predict({"text": "Acme"})


@pytest.mark.parametrize(
    ("weights", "words"),
    [
        ((0, 0, 0), "The tasks have weights that sum to zero, so nothing would be learned. Give "
         "at least one of them a `weight` above 0."),
        ((-1, 1, 1), "`tasks.topic.weight` is -1.0. Expected 0 or more."),
        ((1, float("nan"), 1), "`tasks.mood.weight` is nan. Expected 0 or more."),
        ((1, 1, float("inf")), "`tasks.entities.weight` is inf. Expected 0 or more."),
    ],
)  # fmt: skip
def test_weights_that_mean_nothing_are_refused_in_words(newsroom, weights, words):
    file = newsroom(size=2)
    names = ("topic", "mood", "entities")
    changes = [f"tasks.{n}.weight={w if w == w and abs(w) < 9 else f'.{w}'}"
               for n, w in zip(names, weights, strict=True)]  # fmt: skip
    with pytest.raises(ProjectError) as caught:
        read_plan(file, changes)
    assert str(caught.value) == words
