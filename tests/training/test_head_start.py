"""Heads that start at the answer of a regression, and trainings that begin with a head start."""

import json

import numpy as np
import pytest
import torch
from making import settings
from sklearn.linear_model import LogisticRegression

from allrounder import Project
from allrounder.errors import ProjectError
from allrounder.plan import read_plan
from allrounder.tasks import Multiclass, Multilabel, Ordinal, Regression
from allrounder.training.head_start import fit_head

TASKS = {
    "multiclass": (Multiclass(labels=["a", "b", "c"]), lambda i: "abc"[i % 3]),
    "multilabel": (Multilabel(labels=["a", "b", "c"]), lambda i: list("abc"[: i % 3])),
    "ordinal": (Ordinal(labels=["1", "2", "3"]), lambda i: "123"[i % 3]),
    "regression": (Regression(center=0.0, scale=1.0), lambda i: float(i % 3)),
}


def data(n, *, width=8, noise=0.3, seed=0):
    """Return vectors around three places, by place in turn."""
    rng = np.random.default_rng(seed)
    places = rng.normal(size=(3, width))
    found = places[np.arange(n) % 3] + noise * rng.normal(size=(n, width))
    return torch.from_numpy(found).float()


def fitted(task, labels, vectors, penalty=0.01):
    torch.manual_seed(0)
    head = task.head(vectors.shape[1])
    fresh = {name: weight.clone() for name, weight in head.state_dict().items()}
    fit_head(task, head, vectors, task.encode(labels), penalty)
    return head, fresh


@pytest.mark.parametrize("kind", TASKS)
def test_a_fitted_head_answers_where_a_random_one_guesses(kind):
    task, label = TASKS[kind]
    head, fresh = fitted(task, [label(i) for i in range(30)], data(30))
    new = data(60)
    truths = task.array([label(i) for i in range(60)])
    metric = next(iter(task.metrics().values()))
    score = metric.score(truths, task.array(task.decode(head(new))))
    head.load_state_dict(fresh)
    guess = metric.score(truths, task.array(task.decode(head(new))))
    assert score > 0.9 > guess


def test_a_multiclass_head_is_scikit_learns_logistic_regression():
    task, label = TASKS["multiclass"]
    labels, vectors = [label(i) for i in range(30)], data(30, noise=1.0)
    head, _ = fitted(task, labels, vectors, penalty=0.5)
    scale = float(vectors.square().sum(-1).mean())
    peer = LogisticRegression(C=2 / scale, tol=1e-8, max_iter=1000).fit(vectors.numpy(), labels)
    mine = head(vectors).softmax(-1).detach().numpy()
    assert mine == pytest.approx(peer.predict_proba(vectors.numpy()), abs=0.01)


def test_the_scale_of_vectors_does_not_matter():
    task, label = TASKS["multiclass"]
    labels, vectors = [label(i) for i in range(30)], data(30, noise=1.0)
    small, _ = fitted(task, labels, vectors)
    large, _ = fitted(task, labels, 10 * vectors)
    assert torch.allclose(small(vectors), large(10 * vectors), atol=0.01)


@pytest.mark.parametrize("kind", TASKS)
def test_a_class_without_a_record_leaves_answers_finite(kind):
    task, label = TASKS[kind]
    labels = [label(0) for _ in range(4)] + [label(1) for _ in range(4)]
    head, _ = fitted(task, labels, data(8))
    scores = head(data(30))
    assert bool(torch.isfinite(scores).all())
    assert all(weight.dtype == torch.float32 for weight in head.parameters())
    assert all(weight.grad is None for weight in head.parameters())


def test_one_record_can_be_fitted():
    task, label = TASKS["multiclass"]
    head, _ = fitted(task, [label(0)], data(1))
    assert task.decode(head(data(1))) == [label(0)]


# ------------------------------------------------------------------ whole trainings

START = {"steps": 6, "batch_records": 8}


def trained(file, **training):
    changes = [f"training.{key}={json.dumps(value)}" for key, value in training.items()]
    project = Project.load(file, changes=changes)
    return project, project.train()


def test_a_training_with_a_head_start_says_what_it_did_and_counts_it_as_a_snapshot(newsroom):
    stages = []
    file = newsroom(training={"epochs": 1, "head_lr": 0.01, "head_start": START, "probe": False})
    report = Project.load(file, tell=lambda *told: stages.append(told)).train()
    told = [stage for stage in stages if stage[0] == "head start"]
    assert [done for _, done, _, _ in told] == [1, 2, 3, 4, 5, 6, 6]
    assert report.notes[0] == (
        "Head start: 6 contrastive steps on topic; heads of topic, mood fitted."
    )
    assert report.history[0]["step"] == 0
    assert report.history[0]["validation"]["topic"]["accuracy"] > 0.5


def test_after_a_head_start_there_may_be_no_epoch_at_all(newsroom):
    file = newsroom(training={"head_lr": 0.01, "head_start": START, "probe": False})
    project, report = trained(file, epochs=0)
    assert [row["step"] for row in report.history] == [0]
    assert report.snapshots["topic"]["shipped_step"] == 0
    assert project.predict({"text": "The team of Dr Lin won the match"})["topic"]["label"]


def test_the_same_seed_gives_the_same_weights_and_another_seed_others(newsroom):
    file = newsroom(size=8, training={"epochs": 1, "head_start": START, "probe": False})
    runs = [trained(file, seed=seed)[0].run.path for seed in (3, 3, 4)]
    files = [(run / "model.safetensors").read_bytes() for run in runs]
    assert files[0] == files[1] != files[2]


@pytest.mark.parametrize("stage", ["head start", "train", "calibrate"])
def test_a_training_stopped_at_any_stage_resumes_to_the_same_weights(newsroom, stage):
    keys = {"epochs": 2, "head_start": START, "probe": False, "dropout": 0.2,
            "checkpoint_minutes": 1e-9}  # fmt: skip
    file = newsroom(size=8, training=keys)
    whole, _ = trained(file)
    seen = 0

    def tell(found, *_):
        nonlocal seen
        seen += found == stage
        if seen == (1 if stage == "calibrate" else 4):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Project.load(file, tell=tell).train()
    again = Project.load(file)
    report = again.train(resume=True)
    weights = [(run / "model.safetensors").read_bytes() for run in (whole.run.path, again.run.path)]
    assert weights[0] == weights[1]
    assert report.notes[0].startswith("Head start: 6 contrastive steps")


def test_a_frozen_encoder_is_left_alone_and_heads_are_fitted(newsroom, tiny):
    file = newsroom(
        size=8,
        inputs={"text": {"kind": "text", "model": tiny, "tune": "frozen", "max_tokens": 32}},
        training={"epochs": 0, "head_start": START, "probe": False},
    )
    _, report = trained(file)
    assert report.notes[0] == (
        "Head start: heads of topic, mood fitted; no encoder trained, as each one is frozen or no "
        "two training records share a label."
    )


# ------------------------------------------------------------------ bad input


def test_a_head_start_without_a_task_it_is_for_is_refused(newsroom):
    file = newsroom(
        sources=[{"path": "rated.jsonl"}],
        tasks={"mood": {"kind": "regression"}},
        training={"head_start": {}},
    )
    with pytest.raises(ProjectError) as caught:
        read_plan(file)
    assert str(caught.value) == (
        "`training.head_start` pulls records of one label together, and no task has labels for "
        "that: it is for multiclass, multilabel and ordinal tasks. Remove it."
    )


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"head_start": {"steps": -1}}, "has `steps: -1`. Expected 0 or more."),
        ({"head_start": {"batch_records": 3}}, "Expected 4 or more: pairs to compare."),
        ({"head_start": {"temperature": 0}}, "has `temperature: 0.0`. Expected more than 0."),
        ({"head_start": {"step": 3}}, "Did you mean 'steps'?"),
        ({"epochs": 0}, "has `epochs: 0.0`. Expected more than 0."),
        ({"epochs": -1, "head_start": {}}, "has `epochs: -1.0`. Expected more than 0."),
    ],
)
def test_settings_that_mean_nothing_are_refused_in_words(keys, words):
    with pytest.raises(ProjectError) as caught:
        settings(**keys)
    assert words in str(caught.value)
