"""The loop: every record in its turn, the losses of the naive path, the same numbers each time."""

from collections import Counter

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from making import hashing, made, settings, tiny_text

from allrounder.errors import DataError
from allrounder.tasks import Multiclass, Regression, Spans
from allrounder.training.epochs import Epochs, grouped
from allrounder.training.fit import notes_of
from allrounder.training.loop import Loop, parameter_groups
from allrounder.training.settings import Training

TASKS = {
    "topic": Multiclass(labels=["a", "b", "c"]),
    "mood": Regression(center=0.0, scale=1.0),
    "who": Spans(labels=["ORG"]),
}
WORDS = "Acme the bank said shares rose fell in Ruritania 北京 公司 😀 match".split()


def rows_of(n: int, *, longest: int = 30, seed: int = 0) -> list[dict]:
    """Return records of all lengths, each with labels of some tasks."""
    rng = np.random.default_rng(seed)
    return [_row(rng, i, longest) for i in range(n)]


def _row(rng, i, longest):
    text = " ".join(["Acme", *rng.choice(WORDS, rng.integers(1, longest))])
    row = {"text": text}
    if i % 3 != 1:
        row["topic"] = "abc"[i % 3]
    if i % 4 == 0:
        row["mood"] = float(rng.normal())
    if i % 5 == 0:
        row["who"] = [{"start": 0, "end": 4, "label": "ORG"}]
    return row


def run(prepared, rows=None, **keys):
    """Train to the end; return the loop and its steps."""
    torch.manual_seed(7)
    rows = np.arange(len(prepared)) if rows is None else np.asarray(rows)
    loop = Loop(prepared.model, prepared, rows, settings(**keys))
    return loop, list(loop.steps())


# ------------------------------------------------------------------ the same numbers each time


@pytest.mark.parametrize("dropout", [0.0, 0.3])
def test_the_same_seed_gives_the_same_losses_to_the_last_bit(dropout):
    runs = []
    for _ in range(2):
        prepared = made(TASKS, rows_of(60), dropout=dropout)
        _, steps = run(prepared, epochs=2, seed=5)
        runs.append([step.losses for step in steps])
    assert runs[0] == runs[1]


def test_another_seed_gives_other_batches():
    losses = [
        [step.losses for step in run(made(TASKS, rows_of(60)), epochs=1, seed=seed)[1]]
        for seed in (1, 2)
    ]
    assert losses[0] != losses[1]


def test_the_callers_chance_does_not_enter_the_order_of_records():
    plans = []
    for state in (1, 2):
        np.random.seed(state)
        torch.manual_seed(state)
        loop = Loop(*_parts(rows_of(60)), settings(seed=3))
        plans.append([batch.tolist() for batch in loop._plan(0)])
    assert plans[0] == plans[1]


def _parts(rows):
    prepared = made(TASKS, rows)
    return prepared.model, prepared, np.arange(len(rows))


# ------------------------------------------------------------------ batches


@given(
    lengths=st.lists(st.integers(1, 60), min_size=1, max_size=120),
    records=st.integers(1, 12),
    tokens=st.integers(60, 300),
    seed=st.integers(0, 9),
)
def test_batches_keep_to_their_limits_and_hold_each_record_once(lengths, records, tokens, seed):
    lengths = np.array(lengths)
    course = settings(batch_records=records, batch_tokens=tokens)
    batches = grouped(np.arange(len(lengths)), lengths, course, np.random.default_rng(seed))
    assert sorted(np.concatenate(batches).tolist()) == list(range(len(lengths)))
    for batch in batches:
        assert 1 <= len(batch) <= records
        assert lengths[batch].max() * len(batch) <= tokens


def test_a_record_longer_than_the_budget_has_a_batch_of_its_own():
    lengths = np.array([5, 500, 5])
    batches = grouped(np.arange(3), lengths, settings(batch_tokens=50), np.random.default_rng(0))
    assert sorted(map(len, batches)) == [1, 2]


def test_hardly_anything_is_padded():
    lengths = np.random.default_rng(0).integers(5, 120, 2000)
    course = settings(batch_records=32, batch_tokens=4096)
    batches = grouped(np.arange(2000), lengths, course, np.random.default_rng(0))
    read = sum(int(lengths[batch].max()) * len(batch) for batch in batches)
    assert lengths.sum() / read > 0.95


def test_batches_come_in_random_order_not_by_length():
    lengths = np.arange(1000) % 97 + 1
    course = settings(batch_records=8, batch_tokens=4096)
    batches = grouped(np.arange(1000), lengths, course, np.random.default_rng(0))
    means = [float(lengths[batch].mean()) for batch in batches]
    assert abs(np.corrcoef(means, range(len(means)))[0, 1]) < 0.3


def test_an_epoch_visits_every_labelled_record_once():
    rows = [*rows_of(50), {"text": "nobody labelled this"}]
    loop = Loop(*_parts(rows), settings())
    seen = Counter(np.concatenate(loop._plan(0)).tolist())
    labelled = {i for i, row in enumerate(rows) if row.keys() & TASKS.keys()}
    assert set(seen) == labelled
    assert set(seen.values()) == {1}


def test_each_epoch_has_an_order_of_its_own():
    loop = Loop(*_parts(rows_of(60)), settings())
    orders = [np.concatenate(loop._plan(epoch)).tolist() for epoch in (0, 1)]
    assert orders[0] != orders[1]
    assert sorted(orders[0]) == sorted(orders[1])


def test_epochs_count_records_and_parts_of_an_epoch_are_allowed():
    _, steps = run(made(TASKS, rows_of(60)), epochs=1.5, batch_records=5)
    whole = len(run(made(TASKS, rows_of(60)), epochs=1, batch_records=5)[1])
    assert abs(len(steps) - 1.5 * whole) <= 1
    assert [step.number for step in steps] == list(range(1, len(steps) + 1))
    assert steps[-1].evaluates
    assert sum(step.evaluates for step in steps) == 2


def test_evaluations_fall_where_they_were_asked_for():
    _, steps = run(made(TASKS, rows_of(60)), epochs=2, evaluate_every=0.5, batch_records=4)
    assert sum(step.evaluates for step in steps) == 4


# ------------------------------------------------------------------ the losses of the naive path


@pytest.mark.parametrize("encoder", ["hashing", "tiny"])
def test_grouped_batches_have_the_losses_of_records_read_one_by_one(tiny, encoder):
    inputs = {"text": hashing() if encoder == "hashing" else tiny_text(tiny, max_tokens=24)}
    prepared = made(TASKS, rows_of(24), inputs=inputs)
    model = prepared.model.train()
    together = {name: {} for name in TASKS}
    for batch in grouped(np.arange(24), prepared.lengths(), settings(), np.random.default_rng(0)):
        _collect(together, model, prepared, np.sort(batch))
    alone = {name: {} for name in TASKS}
    for row in range(24):
        _collect(alone, model, prepared, np.array([row]))
    assert together.keys() == alone.keys()
    for name in TASKS:
        assert together[name].keys() == alone[name].keys()
        for row, loss in alone[name].items():
            assert together[name][row] == pytest.approx(loss, rel=1e-4, abs=1e-5)


def _collect(found, model, prepared, rows):
    wanted = prepared.labeled(rows, list(TASKS))
    with torch.no_grad():
        losses = model.losses(prepared.batch(rows, wanted, targets=True))
    for name, loss in losses.items():
        found[name] |= dict(zip(rows[wanted[name]].tolist(), loss.tolist(), strict=True))


def test_a_step_follows_the_mean_over_records_of_the_sum_over_tasks():
    rows = rows_of(8)
    one, other = made(TASKS, rows), made(TASKS, rows)
    run(one, epochs=1, optimizer={"kind": "sgd", "momentum": 0, "weight_decay": 0}, clip=0,
        schedule={"kind": "constant", "warmup": 0}, head_lr=0.1, batch_records=100)  # fmt: skip
    total = torch.zeros(())
    for row in [i for i, r in enumerate(rows) if r.keys() & TASKS.keys()]:
        row = np.array([row])
        batch = other.batch(row, other.labeled(row, list(TASKS)), targets=True)
        total = total + sum(loss.sum() for loss in other.model.losses(batch).values())
    (total / sum(bool(r.keys() & TASKS.keys()) for r in rows)).backward()
    with torch.no_grad():
        for (name, weight), moved in zip(
            other.model.named_parameters(), one.model.parameters(), strict=True
        ):
            torch.testing.assert_close(
                weight - 0.1 * weight.grad, moved, atol=1e-5, rtol=1e-4, msg=name
            )


def test_a_task_of_weight_two_pulls_twice_as_hard():
    rows = [{"text": "Acme rose", "topic": "a"}]
    grads = []
    for weight in (1.0, 2.0):
        prepared = made({"topic": Multiclass(labels=["a", "b"], weight=weight)}, rows)
        before = [w.clone() for w in prepared.model.parameters()]
        run(prepared, epochs=1, optimizer={"kind": "sgd", "momentum": 0, "weight_decay": 0},
            clip=0, schedule={"kind": "constant", "warmup": 0}, head_lr=0.01)  # fmt: skip
        after = prepared.model.parameters()
        grads.append([b - a.detach() for a, b in zip(after, before, strict=True)])
    for one, two in zip(*grads, strict=True):
        torch.testing.assert_close(2 * one, two, atol=1e-6, rtol=1e-3)


@pytest.mark.parametrize("encoder", ["hashing", "tiny"])
def test_accumulated_small_batches_make_the_step_of_a_large_one(tiny, encoder):
    inputs = {"text": hashing() if encoder == "hashing" else tiny_text(tiny)}
    rows = [{"text": row["text"], "topic": "abc"[i % 3]} for i, row in enumerate(rows_of(32))]
    tasks = {"topic": TASKS["topic"]}
    weights, counts = [], []
    for size, accumulate in ((32, 1), (8, 4)):
        prepared = made(tasks, rows, inputs=inputs)
        _, steps = run(prepared, epochs=1, batch_records=size, accumulate=accumulate,
                       optimizer={"kind": "sgd", "weight_decay": 0.01}, lr=0.1, head_lr=0.1,
                       schedule={"kind": "constant", "warmup": 0})  # fmt: skip
        counts.append((len(steps), steps[0].records))
        weights.append(dict(prepared.model.named_parameters()))
    assert counts == [(1, 32), (1, 32)]
    for name, weight in weights[0].items():
        torch.testing.assert_close(weight, weights[1][name], atol=2e-5, rtol=1e-4, msg=name)


def test_training_makes_the_loss_smaller():
    _, steps = run(made(TASKS, rows_of(60)), epochs=15, head_lr=0.02)
    first, last = steps[0].losses, steps[-1].losses
    assert all(last[name] < first[name] for name in last.keys() & first.keys())


# ------------------------------------------------------------------ learning rates


def test_each_layer_learns_at_a_factor_of_the_layer_above(tiny):
    encoder = tiny_text(tiny, layer_decay=0.5)
    model = made({"topic": TASKS["topic"]}, rows_of(3), inputs={"text": encoder}).model
    groups = parameter_groups(model, settings(lr=1e-3, head_lr=1e-2))
    rate = {id(w): group["lr"] for group in groups for w in group["params"]}
    assert len(rate) == len(model.trained())
    for name, weight in model.trained().items():
        if name.startswith("heads."):
            expected = 1e-2
        elif ".layer." in name:
            expected = 1e-3 * 0.5 ** (2 - int(name.split(".layer.")[1][0]))
        else:
            expected = 1e-3 * 0.5**3
        assert rate[id(weight)] == pytest.approx(expected), name


def test_decay_leaves_biases_and_norms_alone(tiny):
    model = made(TASKS, rows_of(3), inputs={"text": tiny_text(tiny)}).model
    for group in parameter_groups(
        model, settings(optimizer={"kind": "adamw", "weight_decay": 0.1})
    ):
        for weight in group["params"]:
            assert group["weight_decay"] == (0.1 if weight.ndim > 1 else 0.0)


def test_an_encoder_without_layers_learns_at_the_rate_of_heads():
    model = made(TASKS, rows_of(3)).model
    rates = {group["lr"] for group in parameter_groups(model, settings(lr=1e-5, head_lr=1e-2))}
    assert rates == {1e-2}


def test_a_rate_that_moved_nothing_is_told(tiny):
    words = "`training.lr: 0.1` moved nothing: no pretrained layer learned."
    kinds = {"full": tiny_text(tiny), "frozen": tiny_text(tiny, tune="frozen"), "small": hashing()}
    told = {}
    for name, encoder in kinds.items():
        prepared = made({"topic": TASKS["topic"]}, rows_of(3), inputs={"text": encoder})
        notes = [notes_of(prepared, settings(lr=lr)) for lr in (0.1, Training.lr)]
        told[name] = [sum(one.startswith(words) for one in some) for some in notes]
    assert told == {"full": [0, 0], "frozen": [1, 0], "small": [1, 0]}


def test_layers_wake_one_after_another_from_the_top(tiny):
    encoder = tiny_text(tiny, unfreeze=1.0)
    prepared = made({"topic": TASKS["topic"]}, rows_of(12), inputs={"text": encoder})
    names = dict(prepared.model.named_parameters())
    before = {name: weight.clone() for name, weight in names.items()}
    torch.manual_seed(0)
    course = settings(epochs=4, lr=0.01, schedule={"kind": "constant", "warmup": 0})
    loop = Loop(prepared.model, prepared, np.arange(12), course)
    moved_in: dict[str, int] = {}
    for step in loop.steps():
        for name, weight in names.items():
            if name not in moved_in and not torch.equal(weight, before[name]):
                moved_in[name] = int(np.ceil(step.epoch)) - 1
    layers = {name: n for name, n in moved_in.items() if ".layer." in name}
    assert {n for name, n in layers.items() if ".layer.2." in name} == {0}
    assert {n for name, n in layers.items() if ".layer.1." in name} == {1}
    assert {n for name, n in layers.items() if ".layer.0." in name} == {2}
    assert {n for name, n in moved_in.items() if "word_embeddings" in name} == {3}


def test_the_rate_follows_the_schedule():
    prepared = made(TASKS, rows_of(60))
    _, steps = run(prepared, epochs=2, lr=1.0, schedule={"kind": "linear", "warmup": 0.25})
    rates = [step.lr for step in steps]
    top = int(np.argmax(rates))
    assert rates[0] == 0
    assert rates[: top + 1] == sorted(rates[: top + 1])
    assert rates[top:] == sorted(rates[top:], reverse=True)
    assert 0 < rates[-1] < 0.2


def test_gradients_are_clipped_to_the_norm_asked_for():
    moves = []
    for clip in (0, 0.01):
        prepared = made(TASKS, rows_of(16))
        before = [w.detach().clone() for w in prepared.model.parameters()]
        run(prepared, epochs=1, batch_records=100, clip=clip, head_lr=1.0,
            optimizer={"kind": "sgd", "momentum": 0, "weight_decay": 0},
            schedule={"kind": "constant", "warmup": 0})  # fmt: skip
        after = prepared.model.parameters()
        moves.append(
            torch.cat([(a.detach() - b).flatten() for a, b in zip(after, before, strict=True)])
        )
    assert moves[0].norm() > 0.1
    assert float(moves[1].norm()) == pytest.approx(0.01, rel=1e-3)
    torch.testing.assert_close(
        moves[0] / moves[0].norm(), moves[1] / moves[1].norm(), atol=1e-4, rtol=1e-3
    )


# ------------------------------------------------------------------ sources and sampling


def test_sources_of_the_same_task_are_groups_of_their_own():
    rows = [{"text": f"Acme {i}", "topic": "ab"[i % 2]} for i in range(40)]
    prepared = made({"topic": Multiclass(labels=["a", "b"])}, rows)
    sources = np.array([0] * 36 + [1] * 4)
    epochs = Epochs(prepared, np.arange(40), settings(sampling="uniform"), sources)
    shown = np.concatenate(epochs.batches(0, prepared.labeled(np.arange(40), ["topic"])))
    assert Counter(sources[shown].tolist()) == {0: 20, 1: 20}


def test_visits_are_what_the_epochs_show():
    prepared = made(TASKS, rows_of(60))
    course = settings(epochs=1.5, sampling={"kind": "smoothed", "alpha": 0.3})
    epochs = Epochs(prepared, np.arange(60), course)
    labeled = prepared.labeled(np.arange(60), list(TASKS))
    whole, half = (np.concatenate(epochs.batches(e, labeled)) for e in (0, 1))
    for name, visits in epochs.visits().items():
        shown = labeled[name][whole].sum() + labeled[name][half].sum() / 2
        assert visits == pytest.approx(shown)


def test_a_task_that_sampling_never_reaches_is_refused():
    rows = [{"text": f"Acme {i}", "topic": "ab"[i % 2]} for i in range(60)]
    rows += [{"text": "bank", "mood": 1.0}]
    prepared = made({name: TASKS[name] for name in ("topic", "mood")}, rows)
    with pytest.raises(DataError) as caught:
        Loop(prepared.model, prepared, np.arange(61),
             settings(sampling={"kind": "smoothed", "alpha": 4.0}))  # fmt: skip
    assert str(caught.value) == (
        "`training.sampling` (smoothed) never draws a record with a label of mood: its group is "
        "too small beside the others. Lower alpha or set a cap."
    )


# ------------------------------------------------------------------ tasks that have stopped


def test_a_stopped_task_trains_nothing():
    prepared = made(TASKS, rows_of(40))
    torch.manual_seed(0)
    loop = Loop(
        prepared.model,
        prepared,
        np.arange(40),
        settings(epochs=2, optimizer={"kind": "adamw", "weight_decay": 0}),
    )
    loop.state.stopped = ["mood"]
    head = prepared.model.heads["mood"]
    before = [w.clone() for w in head.parameters()]
    steps = list(loop.steps())
    assert all("mood" not in step.losses for step in steps)
    assert all(torch.equal(a, b) for a, b in zip(head.parameters(), before, strict=True))
    rows = np.concatenate(loop._plan(0)).tolist()
    assert all(rows_of(40)[row].keys() & {"topic", "who"} for row in rows)


def test_training_ends_where_every_task_has_stopped():
    prepared = made(TASKS, rows_of(40))
    loop = Loop(prepared.model, prepared, np.arange(40), settings(epochs=50))
    for step in loop.steps():
        if step.number == 3:
            loop.state.stopped = list(TASKS)
    assert step.number == 3


def test_whoever_runs_the_loop_may_stop_it_at_any_step():
    prepared = made(TASKS, rows_of(40))
    steps = Loop(prepared.model, prepared, np.arange(40), settings(epochs=50)).steps()
    assert [next(steps).number for _ in range(4)] == [1, 2, 3, 4]
    steps.close()


# ------------------------------------------------------------------ settings


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"epochs": 0}, "`training` has `epochs: 0.0`. Expected more than 0."),
        ({"batch_records": -1}, "`training` has `batch_records: -1`. Expected more than 0."),
        ({"patience_steps": -1}, "`training` has `patience_steps: -1`. Expected 0 or more."),
        ({"dropout": 1.0}, "`training` has `dropout: 1.0`. Expected 0 to less than 1."),
        ({"weighting": "pcgard"}, "`training.weighting.kind`: there is no weighting kind 'pcgard'. "
         "Did you mean 'pcgrad'?"),
        ({"schedule": "linaer"}, "`training.schedule.kind`: there is no schedules kind 'linaer'. "
         "Did you mean 'linear'?"),
        ({"optimizer": {"kind": "adamw", "beta": 1}}, "`training.optimizer.beta` is not a known "
         "key. Did you mean 'betas'?"),
    ],
)  # fmt: skip
def test_settings_that_mean_nothing_are_refused_in_words(keys, words):
    with pytest.raises(ValueError) as caught:
        settings(**keys)
    assert str(caught.value).startswith(words)


def test_dropout_inside_the_encoder_is_at_work_from_the_first_step(tiny):
    losses = []
    for dropout in (0.0, 0.5):
        encoder = tiny_text(tiny, dropout=dropout)
        _, steps = run(made(TASKS, rows_of(8), inputs={"text": encoder}), epochs=1)
        losses.append(steps[0].losses)
    assert losses[0] != losses[1]
