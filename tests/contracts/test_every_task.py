"""What every kind of task promises. A kind without a row in EXAMPLES fails."""

import dataclasses
import json
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from making import column, hashing, settings
from making import made as made_of

from allrounder.kinds import dump
from allrounder.memory import Memory
from allrounder.model import Answerer, load_passes, save_model, scored
from allrounder.model.voice import Voice
from allrounder.records import BadValue
from allrounder.tasks import (
    TASKS,
    Generation,
    Match,
    Multiclass,
    Multilabel,
    Ordinal,
    Regression,
    Spans,
    Task,
)
from allrounder.tasks.generation import Light
from allrounder.tasks.pieces import learned
from allrounder.training.loop import Loop
from allrounder.training.teaching import said_by, teach

A, B = "Acme fell in Ruritania.", "北京的公司 said great 😀 things"


def spot(text: str, part: str, label: str) -> dict[str, Any]:
    return {"start": text.index(part), "end": text.index(part) + len(part), "label": label}


@dataclass(frozen=True)
class Example:
    """A task with its labels learned, labels of the texts A and B, and values it must refuse."""

    task: Task
    unlearned: Task
    labels: tuple[Any, Any]
    refused: tuple[Any, ...]
    rich: dict[str, Any] = field(default_factory=dict)
    """Settings that differ from every default, to be written out and read back."""

    @property
    def rows(self) -> list[dict[str, Any]]:
        return [
            {"text": text, "it": label} for text, label in zip((A, B), self.labels, strict=True)
        ]


SMALL = Light(layers=1, width=32, heads=2, vocabulary=300, dropout=0.0)
WRITTEN = "Acme is down.", "北京很好 😀!"

EXAMPLES = {
    "multiclass": Example(
        Multiclass(labels=["up", "down"]),
        Multiclass(class_weights="balanced"),
        ("down", "up"),
        ("sideways",),
        {"labels": ["b", "a"], "focal": 2.0, "label_smoothing": 0.1, "abstain": 0.6, "weight": 3.0},
    ),
    "multilabel": Example(
        Multilabel(labels=["firm", "place", "joy"]),
        Multilabel(),
        (["firm", "place"], ["joy"]),
        ("firm|nothing", '["firm", "nothing"]', "[unclosed"),
        {"labels": ["b", "a"], "separator": ";", "threshold": 0.4, "focal": 1.0},
    ),
    "regression": Example(
        Regression(range=(-4.0, 4.0), center=0.0, scale=1.5),
        Regression(),
        (-2.5, 1.5),
        ("warm", "9", "nan", "inf"),
        {"range": [0.0, 1.0], "error": "huber", "confidence": 0.8, "center": 0.5, "scale": 2.0},
    ),
    "ordinal": Example(
        Ordinal(labels=["poor", "fair", "good", "superb"]),
        Ordinal(),
        ("poor", "good"),
        ("soso",),
        {"labels": ["low", "high"], "metric": "accuracy"},
    ),
    "spans": Example(
        Spans(labels=["ORG", "LOC"]),
        Spans(),
        (
            [spot(A, "Acme", "ORG"), spot(A, "Ruritania", "LOC")],
            [spot(B, "北京", "LOC"), spot(B, "北京的公司", "ORG") | {"start": 3}],
        ),
        (
            '[{"start": 0, "end": 99, "label": "ORG"}]',
            '[{"start": -1, "end": 2, "label": "ORG"}]',
            '[{"start": 3, "end": 3, "label": "ORG"}]',
            '[{"start": 0, "end": 4, "label": "ORG"}, {"start": 2, "end": 6, "label": "LOC"}]',
            '[{"start": 0, "end": 4, "label": "DOG"}]',
            '[{"begin": 0, "end": 4, "label": "ORG"}]',
            '["Acme"]',
            "Acme",
        ),
        {"labels": ["X"], "split_words": True, "label_smoothing": 0.1, "abstain": 0.5},
    ),
    "generation": Example(
        Generation(light=SMALL, max_tokens=40, pieces=learned([*WRITTEN], SMALL.vocabulary)),
        Generation(light=SMALL, max_tokens=40),
        WRITTEN,
        (),
        {
            "light": {"layers": 3, "width": 64, "heads": 2, "vocabulary": 500, "dropout": 0.2},
            "max_tokens": 9,
            "before": "",
            "beams": 3,
            "temperature": 0.5,
            "top_p": 0.9,
            "top_k": 7,
            "repeat_penalty": 1.2,
            "no_repeat": 3,
            "seed": 4,
            "choices": ["a", "b"],
            "pieces": ["a b"],
        },
    ),
    "match": Example(
        Match(of=["text", "other"], width=16),
        Match(of=["text", "other"]),
        ([1, 2], [3, 4]),
        (),
        {"of": ["a", "b", "c"], "width": 64, "metric": "recall_at_5"},
    ),
}
PERFECT = {"match": [[1.0, 1.0], [1.0, 1.0]]}
"""What the kind says of A and B where all is right, if that is not their labels."""

KINDS = pytest.mark.parametrize("kind", sorted(TASKS.builtin))
SCORED = pytest.mark.parametrize("kind", sorted(set(TASKS.builtin) - {"generation"}))
"""Kinds whose scores are tensors: what is written has none that another could be kept to."""


def made(tasks, rows, **options):
    """Return a model over rows; one that matches inputs has a second one, the text reversed."""
    if any(task.reads == "inputs" for task in tasks.values()):
        rows = [{**row, "other": row["text"][::-1]} for row in rows]
        options = {"inputs": {"text": hashing(), "other": hashing("other")}, **options}
        tasks = {n: t if t.of else dataclasses.replace(t, of="text") for n, t in tasks.items()}
    return made_of(tasks, rows, **options)


def right(kind: str) -> list:
    """Return what a kind decodes of A and B where all is right."""
    return PERFECT.get(kind, list(example(kind).labels))


def example(kind: str) -> Example:
    assert kind in EXAMPLES, f"give the task kind {kind!r} a row in EXAMPLES"
    return EXAMPLES[kind]


def trained(rows, tasks, *, epochs: int = 150, **options):
    prepared = made(tasks, rows, **options)
    course = settings(epochs=epochs, head_lr=0.02, clip=0, schedule="constant")
    for _ in Loop(prepared.model, prepared, np.arange(len(rows)), course).steps():
        pass
    return prepared


def said(prepared, name="it"):
    """Return what the model says of every row, in order."""
    found = {}
    for part in scored(prepared.model, prepared, np.arange(len(prepared)), tasks=[name]):
        labels = prepared.model.tasks[name].decode_fully(part.scores)
        labels = [label["text"] if _is_written(label) else label for label in labels]
        found |= dict(zip(part.rows.tolist(), labels, strict=True))
    return [found[row] for row in sorted(found)]


def _is_written(label) -> bool:
    return isinstance(label, dict) and "text" in label


def answers(prepared, rows=None, calibration=None):
    answerer = Answerer([(prepared.model, list(prepared.model.tasks))], calibration or {})
    return answerer.answers(prepared, np.arange(len(prepared)) if rows is None else rows)


def gradients(prepared, rows, wanted=None):
    """Return losses and gradients of one batch."""
    model = prepared.model
    model.zero_grad(set_to_none=True)
    rows = np.asarray(rows)
    wanted = wanted or prepared.labeled(rows, list(model.tasks))
    losses = model.losses(prepared.batch(rows, wanted, targets=True))
    if losses:
        torch.cat(list(losses.values())).sum().backward()
    return losses, {
        name: weight.grad.clone()
        for name, weight in model.named_parameters()
        if weight.grad is not None
    }


@KINDS
def test_it_overfits_two_records_and_says_their_labels_back(kind):
    rows = example(kind).rows
    found = said(trained(rows, {"it": example(kind).task}))
    if kind == "regression":
        assert found == pytest.approx([row["it"] for row in rows], abs=0.05)
    else:
        assert found == right(kind)


@KINDS
def test_saved_and_loaded_it_gives_the_same_answer(kind, tmp_path):
    prepared = trained(example(kind).rows, {"it": example(kind).task}, epochs=5)
    model = prepared.model
    save_model(tmp_path, model, {})
    ((again, names),) = load_passes(tmp_path, model.inputs, model.tasks, None)
    assert names == ["it"]
    prepared_again = made(model.tasks, example(kind).rows)
    prepared_again.model = again
    assert answers(prepared_again) == answers(prepared)


@KINDS
def test_every_record_has_one_finite_loss(kind):
    prepared = made({"it": example(kind).task}, example(kind).rows * 3)
    losses, _ = gradients(prepared, range(6))
    assert losses["it"].shape == (6,)
    assert torch.isfinite(losses["it"]).all()
    assert (losses["it"] >= 0).all()


@KINDS
def test_a_missing_label_trains_nothing(kind):
    rows = [*example(kind).rows, {"text": "said nothing of it"}]
    prepared = made({"it": example(kind).task}, rows)
    losses, with_it = gradients(prepared, [0, 1, 2])
    assert len(losses["it"]) == 2
    without, grads = gradients(prepared, [0, 1])
    torch.testing.assert_close(losses["it"], without["it"], rtol=1e-5, atol=1e-6)
    assert with_it.keys() == grads.keys()
    for name in grads:
        torch.testing.assert_close(with_it[name], grads[name], rtol=1e-4, atol=1e-6)


@SCORED
def test_the_divergence_is_nothing_from_itself_and_something_from_another(kind):
    task = example(kind).task
    prepared = made({"it": task}, example(kind).rows)
    shape = (5, *prepared.model(_batch(prepared))["it"].shape[1:])
    scores, teacher = torch.randn(shape, requires_grad=True), torch.randn(shape, requires_grad=True)
    same, other = task.divergence(scores, scores), task.divergence(scores, teacher)
    assert same.shape == other.shape == (5,)
    torch.testing.assert_close(same, torch.zeros(5), atol=1e-5, rtol=0)
    assert (other > 0).all()
    other.sum().backward()
    assert scores.grad.abs().sum() > 0
    assert teacher.grad.abs().sum() > 0, "whoever wants a teacher left alone detaches it"


@SCORED
def test_two_passes_are_pulled_together_from_both_sides(kind):
    task = example(kind).task
    prepared = made({"it": task}, example(kind).rows)
    batch = _batch(prepared)
    scores = prepared.model(batch)["it"].detach()
    one, other = (scores + 0.3 * torch.randn_like(scores) for _ in range(2))
    one, other = one.requires_grad_(), other.requires_grad_()
    apart = task.disagreement(one, other, batch.targets["it"])
    assert apart.shape == (2,)
    assert (apart > 0).all()
    torch.testing.assert_close(apart, task.disagreement(other, one, batch.targets["it"]))
    torch.testing.assert_close(
        task.disagreement(one, one, batch.targets["it"]), torch.zeros(2), atol=1e-5, rtol=0
    )
    before = [one.detach().clone(), other.detach().clone()]
    apart.sum().backward()
    for side, start in zip((one, other), before, strict=True):
        with torch.no_grad():
            side -= 0.05 * side.grad
        assert not torch.equal(side, start)
        assert torch.isfinite(side).all()
    assert (task.disagreement(one, other, batch.targets["it"]) < apart).all()


@KINDS
def test_a_task_kept_to_its_teacher_learns_what_the_teacher_says(kind):
    task = example(kind).task
    teacher = trained(example(kind).rows, {"it": task})
    prepared = made({"it": task}, example(kind).rows)
    if task.reads == "states":
        teach(prepared, "it", np.arange(2))
    else:
        prepared.teachers["it"] = said_by(teacher.model, prepared, "it", np.arange(2))
    loop = Loop(
        prepared.model,
        prepared,
        np.arange(2),
        settings(epochs=150, head_lr=0.02, clip=0, schedule="constant"),
    )
    for _ in loop.steps():
        pass
    assert answers(prepared) != answers(made({"it": task}, example(kind).rows))
    if kind == "regression":
        assert said(prepared) == pytest.approx(said(teacher), abs=0.05)
    else:
        assert said(prepared) == said(teacher)


@KINDS
def test_a_record_without_any_label_gives_no_loss_at_all(kind):
    prepared = made({"it": example(kind).task}, [{"text": A}])
    assert gradients(prepared, [0]) == ({}, {})


@KINDS
@pytest.mark.parametrize("other", sorted(TASKS.builtin))
def test_a_missing_label_still_trains_the_other_tasks(kind, other):
    rows = [
        {"text": A, "that": example(other).labels[0]},
        {"text": B, "it": example(kind).labels[1], "that": example(other).labels[1]},
    ]
    prepared = made({"it": example(kind).task, "that": example(other).task}, rows)
    losses, grads = gradients(prepared, [0])
    assert list(losses) == ["that"]
    assert {n.split(".")[1] for n in grads if n.startswith("heads.")} == {"that"}
    assert any(name.startswith("encoders.") for name in grads)


@KINDS
def test_an_answer_does_not_depend_on_its_batch(kind):
    long = "the bank said that shares rose and " * 6
    rows = [*example(kind).rows, {"text": long}, {"text": "Acme"}, {"text": A}]
    prepared = trained(rows, {"it": example(kind).task}, epochs=3)
    prepared.model.eval()
    together = _by_hand(prepared, np.arange(5))
    for row in range(5):
        assert _near(_by_hand(prepared, np.array([row]))[0], together[row])
    assert _near(together[0], together[4])


def _batch(prepared):
    return prepared.batch(np.arange(2), {"it": np.ones(2, dtype=bool)}, targets=True)


def _by_hand(prepared, rows):
    """Answer rows in exactly one batch."""
    wanted = {"it": np.ones(len(rows), bool)}
    task = prepared.model.tasks["it"]
    with torch.no_grad():
        scores = prepared.model(prepared.batch(rows, wanted))["it"]
    if task.reads == "tokens":
        texts = [prepared.values["text"][int(row)].as_py() for row in rows]
        scores = task.readable(scores, texts, [prepared.tokens["text"].offsets(r) for r in rows])
    if task.reads in ("inputs", "states"):
        scores = task.readable(scores, None)
    return task.answers(scores, {})


def _near(left, right) -> bool:
    if isinstance(left, float):
        return left == pytest.approx(right, abs=2e-5)
    if isinstance(left, dict):
        return left.keys() == right.keys() and all(_near(left[key], right[key]) for key in left)
    if isinstance(left, list):
        return len(left) == len(right) and all(map(_near, left, right))
    return left == right


@KINDS
@given(seed=st.integers(0, 10_000))
def test_every_answer_lies_in_the_label_set(kind, seed):
    task = example(kind).task
    scores = random_scores(task, seed)
    for label in task.decode(scores):
        assert _is_label(kind, task, label)
    for answer in task.answers(scores, {}):
        assert json.loads(json.dumps(answer)) == answer


MENTIONED = {
    "multilabel": {"firm": 1, "joy": 1},
    "regression": {0.5: 1, -1.0: 1},
    "spans": {"ORG": 2, "LOC": 1},
}
"""What rules speak of; a kind without a row is mentioned as a whole."""


@KINDS
@given(seed=st.integers(0, 10_000))
def test_every_option_is_a_label_and_the_cheapest_is_the_own_answer(kind, seed):
    task = example(kind).task
    if task.speaks is None:
        return
    scores, mentioned = random_scores(task, seed), MENTIONED.get(kind, {})
    own, options = task.decode(scores), task.options(scores, {}, mentioned)
    for label, variables in zip(own, options, strict=True):
        best = [variable.best for variable in variables]
        assert all(v.costs[v.best] == min(v.costs) for v in variables)
        assert task.taken(label, variables, best) == label
        for at in range(max(len(variable.values) for variable in variables)):
            picks = [min(at, len(variable.values) - 1) for variable in variables]
            assert _is_label(kind, task, task.taken(label, variables, picks))
    taken = [
        task.taken(label, variables, [len(v.values) - 1 for v in variables])
        for label, variables in zip(own, options, strict=True)
    ]
    for answer in task.answers(scores, {}, taken):
        assert json.loads(json.dumps(answer)) == answer


def random_scores(task: Task, seed: int, scale: float = 4.0) -> Any:
    """Return scores of A and B as no head would give them."""
    prepared = made({"it": task}, [{"text": A}, {"text": B}])
    (part,) = scored(prepared.model, prepared, np.arange(2), tasks=["it"])
    chance = torch.Generator().manual_seed(seed)
    if task.reads == "states":
        with torch.no_grad():
            for weight in prepared.model.heads["it"].parameters():
                weight.copy_(torch.randn(weight.shape, generator=chance))
        return part.scores
    if task.reads == "tokens":
        values = part.scores.values
        return dataclasses.replace(
            part.scores, values=torch.randn(values.shape, generator=chance) * scale
        )
    if task.reads == "inputs":
        return task.readable(torch.randn(part.scores.vectors.shape, generator=chance), None)
    return torch.randn(part.scores.shape, generator=chance) * scale


def _is_label(kind: str, task: Any, label: Any) -> bool:
    if kind == "regression":
        return task.range[0] <= label <= task.range[1]
    if kind == "spans":
        return all(span["label"] in task.labels for span in label)
    if kind == "match":
        return all(1 <= rank <= 2 for rank in label)
    if kind == "generation":
        return label == {}  # how likely a label is that nobody knows
    names = label if kind == "multilabel" else [label]
    return set(names) <= set(task.labels)


@KINDS
@given(seed=st.integers(0, 10_000), temperature=st.floats(0.05, 20))
def test_probabilities_are_probabilities(kind, seed, temperature):
    task = example(kind).task
    for answer in task.answers(random_scores(task, seed), {"temperature": temperature}):
        every = answer.get("probabilities", {})
        spans = answer.get("spans", [])
        sure = [*every.values(), *(span["probability"] for span in spans)]
        sure += [answer["probability"]] if "probability" in answer else []
        assert all(0 <= p <= 1 for p in sure)
        if kind in {"multiclass", "ordinal"}:
            assert sum(every.values()) == pytest.approx(1, abs=1e-5)
            assert list(every) == task.labels or kind == "multiclass"
            assert answer["probability"] == every[answer["label"]]


@KINDS
def test_metrics_are_perfect_where_answers_are_the_truth(kind):
    task = example(kind).task
    truths, answers = (task.array([*rows] * 4) for rows in (example(kind).labels, right(kind)))
    if kind == "generation":
        answers = task.array([{"text": text, "loss": 0.0, "tokens": 4} for text in WRITTEN] * 4)
    for name, metric in task.metrics().items():
        best = 1.0 if metric.higher_is_better or name == "perplexity" else 0.0
        assert metric.score(truths, answers) == pytest.approx(best), name
        assert not metric.better(best, best)


@KINDS
def test_the_deciding_metric_is_the_first_or_the_one_that_is_named(kind):
    first, *_, last = example(kind).task.metrics()
    assert example(kind).task.decides == first
    assert dataclasses.replace(example(kind).task, metric=last).decides == last


@KINDS
def test_a_null_is_read_as_a_missing_label(kind):
    task = example(kind).task
    texts = pa.array([A, B])
    for nothing in (pa.nulls(2), pa.nulls(2, pa.string()), pa.array(["", " "])):
        read = task.read(nothing, texts)
        assert read.type == task.type
        assert read.null_count == 2


@KINDS
def test_what_was_read_is_read_again_as_it_is(kind):
    task = example(kind).task
    labels = pa.array(example(kind).labels, task.type)
    assert task.read(labels, pa.array([A, B])).equals(labels)


@KINDS
def test_a_bad_value_is_refused_with_its_place(kind):
    for value in example(kind).refused:
        with pytest.raises(BadValue) as caught:
            example(kind).task.read(pa.array([None, value]), pa.array([A, A]))
        assert caught.value.index == 1, value
        assert str(caught.value).endswith(".")


@KINDS
def test_the_settings_survive_being_written_out(kind):
    for task in (example(kind).task, TASKS.build({"kind": kind, **example(kind).rich}, at="t")):
        plain = json.loads(json.dumps(dump(task)))
        assert plain["kind"] == kind
        assert TASKS.build(plain, at="tasks.it") == task
    task = dump(task)
    assert {key: task[key] for key in example(kind).rich} == example(kind).rich


@KINDS
def test_training_labels_fill_in_what_was_left_open(kind):
    unlearned = example(kind).unlearned
    labels = column([*example(kind).rows, {"text": B}], "it", unlearned.type)
    task = unlearned.learn(labels, labels)
    if kind == "regression":
        assert (task.center, task.scale) == (-0.5, 2.0)
    elif hasattr(task, "labels"):
        assert sorted(task.labels) == sorted(_names(example(kind).labels))
    assert task.learn(labels, labels) == task, "learning again changes nothing"
    assert isinstance(task.head(_width(task, 8)), torch.nn.Module)


def _width(task: Task, width: int) -> Any:
    """Return what a head is built for."""
    if task.reads == "states":
        return Voice({"text": width})
    return dict.fromkeys(task.of, width) if task.reads == "inputs" else width


def _names(labels) -> set[str]:
    """Return the names within labels of any kind."""
    flat = [part for label in labels for part in (label if isinstance(label, list) else [label])]
    return {part["label"] if isinstance(part, dict) else part for part in flat}


@KINDS
def test_declared_labels_stay_in_their_order(kind):
    if not hasattr(example(kind).task, "labels"):
        pytest.skip("there is no label set")
    task = example(kind).task
    labels = column(example(kind).rows, "it", task.type)
    assert task.learn(labels, labels).labels == task.labels


@KINDS
def test_calibration_leaves_the_decision_alone(kind):
    task = example(kind).task
    scores = random_scores(task, 5)
    main = next(iter(task.answers(scores, {})[0]))
    if kind == "spans":
        return  # the likeliest path may change with the temperature, as it should
    cold, hot = (task.answers(scores, {"temperature": t}) for t in (0.2, 5.0))
    assert [a[main] for a in cold] == [a[main] for a in hot]


@KINDS
def test_the_constant_answer_is_a_label(kind):
    task = example(kind).task
    constant = task.baseline(task.array([*example(kind).labels] * 2))
    assert len(task.array([constant])) == 1
    assert json.loads(json.dumps(constant)) == constant


@KINDS
def test_a_head_reads_the_width_it_was_built_for(kind):
    task = example(kind).task
    if task.reads == "states":
        memory = Memory(torch.zeros(2, 5, 7), torch.ones(2, 5, dtype=torch.bool))
        assert len(task.head(_width(task, 7))({"text": memory})) == 2
        return
    shape = {"record": (2, 7), "tokens": (2, 5, 7), "inputs": (2, 14)}[task.reads]
    found = task.head(_width(task, 7))(torch.zeros(shape))
    assert found.shape[:-1] == ((2, 2) if task.reads == "inputs" else shape[:-1])


@pytest.mark.parametrize("kind", ["multiclass", "multilabel", "ordinal"])
def test_an_unsure_answer_is_withheld(kind):
    task = dataclasses.replace(example(kind).task, abstain=1.0)
    for answer in task.answers(random_scores(task, 1, scale=0.1), {}):
        assert answer["abstained"]
        assert answer.get("label", answer.get("labels")) is None
        assert answer["probabilities"]


def test_a_number_cannot_be_withheld():
    with pytest.raises(ValueError, match="cannot abstain"):
        Regression(abstain=0.5)


@pytest.mark.parametrize("kind", ["multiclass", "multilabel", "ordinal", "spans"])
def test_a_label_set_with_a_label_twice_is_refused(kind):
    with pytest.raises(ValueError, match="names the label 'a' twice"):
        TASKS.builtin[kind](labels=["a", "a", "b"])


def test_balanced_weights_make_each_class_weigh_alike():
    labels = pa.chunked_array([["a", "a", "a", "b", None]])
    task = Multiclass(class_weights="balanced").learn(labels, labels)
    assert 3 * task.class_weights["a"] == pytest.approx(task.class_weights["b"], rel=1e-4)
    even = torch.zeros(4, 2)
    losses = task.loss(even, task.encode(["a", "a", "a", "b"]))
    assert losses[:3].sum() == pytest.approx(float(losses[3]), rel=1e-4)


def test_the_focal_loss_follows_its_equation():
    scores = torch.tensor([[2.0, 0.0], [0.0, 3.0]])
    plain, focal = Multiclass(labels=["a", "b"]), Multiclass(labels=["a", "b"], focal=2.0)
    targets = plain.encode(["a", "a"])
    right = scores.softmax(-1)[:, 0]
    torch.testing.assert_close(focal.loss(scores, targets), (1 - right) ** 2 * -right.log())


def test_label_smoothing_spreads_a_share_of_the_target():
    scores = torch.tensor([[2.0, 0.0, -1.0]])
    task = Multiclass(labels=["a", "b", "c"], label_smoothing=0.3)
    soft = torch.tensor([[0.8, 0.1, 0.1]])
    expected = -(soft * scores.log_softmax(-1)).sum(-1)
    torch.testing.assert_close(task.loss(scores, task.encode(["a"])), expected)


def test_intervals_of_numbers_hold_what_they_promise(rng):
    task = Regression(center=0.0, scale=1.0, confidence=0.9)
    truths = torch.from_numpy(rng.normal(0, 1, 2000)).float()
    scores = truths[:, None] + torch.from_numpy(rng.normal(0, 0.5, (2000, 1))).float()
    found = task.calibrate(scores[:1000], truths[:1000])
    held = [
        low <= truth <= high
        for truth, answer in zip(truths[1000:], task.answers(scores[1000:], found), strict=True)
        for low, high in [answer["interval"]]
    ]
    assert np.mean(held) == pytest.approx(0.9, abs=0.03)


def test_a_temperature_makes_overconfident_answers_honest(rng):
    task = Multiclass(labels=["a", "b"])
    logits = torch.from_numpy(rng.normal(0, 1, (4000, 2)))
    targets = torch.multinomial(logits.softmax(-1), 1)[:, 0]
    assert task.calibrate(logits * 3, targets)["temperature"] == pytest.approx(3, rel=0.15)


def test_a_pair_of_texts_is_answered_as_one_record():
    rows = [
        {"left": "Acme rose", "right": "Acme fell", "it": "up"},
        {"left": "Acme fell", "right": "Acme rose", "it": "down"},
        {"left": "Acme fell", "it": "down"},
    ]
    task = Multiclass(labels=["up", "down"])
    prepared = trained(rows, {"it": task}, inputs={"pair": hashing("left", "right")})
    assert said(prepared) == ["up", "down"], "half a pair is no pair"


def test_a_label_that_only_a_test_record_carries_is_known() -> None:
    train = pa.chunked_array([pa.array(["a", "b", "a"])])
    every = pa.chunked_array([pa.array(["a", "b", "a", "rare"])])
    task = Multiclass(class_weights="balanced").learn(train, every)
    assert task.labels == ["a", "b", "rare"]
    assert task.array(["rare"]).tolist() == [2]
    assert task.class_weights == {"a": 0.75, "b": 1.5, "rare": 1.0}


def test_a_multilabel_head_starts_at_the_base_rates() -> None:
    task = Multilabel(labels=["often", "seldom"])
    head = task.head(4)
    task.begin(head, torch.tensor([[1.0, 0.0]] * 3 + [[0.0, 1.0]]))
    assert torch.sigmoid(head.bias).tolist() == pytest.approx([0.75, 0.25])
