"""Soft labels of votes beside labels, in one batch."""

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
import torch

from allrounder.encoders import Hashing
from allrounder.model import Model, Prepared
from allrounder.model.prepared import Guessed
from allrounder.tasks import Multiclass, Multilabel
from allrounder.training.voting import _scores

TASKS = {"topic": Multiclass(labels=["a", "b"]), "tags": Multilabel(labels=["x", "y", "z"])}
SOFT = {"topic": [[0.9, 0.1]], "tags": [[0.8, float("nan"), 0.3]]}


@pytest.fixture
def prepared():
    labels = {
        "topic": pa.chunked_array([["a", None, "b"]]),
        "tags": pa.chunked_array([[["x"], None, []]], pa.list_(pa.string())),
    }
    encoder = Hashing(width=8, buckets=64).named("text")
    model = Model({"text": encoder}, TASKS, dropout=0.0)
    found = Prepared.of(model, {"text": pa.chunked_array([["one", "two", "three"]])}, labels)
    for name, rows in SOFT.items():
        scores = _scores(np.array(rows), TASKS[name].speaks)
        found.guesses[name] = Guessed(np.array([-1, 0, -1]), scores, weight=0.5)
    return found


def batch(prepared, rows):
    rows = np.array(rows)
    return prepared.batch(rows, prepared.shown(rows, TASKS), targets=True)


def test_a_record_with_votes_alone_is_shown_and_no_label_is_known(prepared):
    rows = np.arange(3)
    assert all(mask.all() for mask in prepared.shown(rows, TASKS).values())
    assert all(
        mask.tolist() == [True, False, True] for mask in prepared.labeled(rows, TASKS).values()
    )


def test_labels_and_soft_labels_cost_what_they_cost_alone(prepared):
    model = prepared.model
    found = model.losses(batch(prepared, [0, 1, 2]))
    alone = [model.losses(batch(prepared, [row])) for row in range(3)]
    for name in TASKS:
        assert torch.allclose(found[name], torch.cat([one[name] for one in alone]), atol=1e-6)


def test_a_soft_label_costs_its_divergence_by_weight_and_open_labels_cost_nothing(prepared):
    model = prepared.model
    scores = model.scores(model.read(model.features(batch(prepared, [1])), batch(prepared, [1])))
    sure = torch.tensor(SOFT["topic"])
    entropy = -(sure * sure.log()).sum()
    cross = -(sure * scores["topic"].log_softmax(-1)).sum()
    found = model.losses(batch(prepared, [1]))
    assert found["topic"].item() == pytest.approx(0.5 * (cross - entropy).item(), abs=1e-5)
    found["tags"].sum().backward()
    grad = model.heads["tags"].bias.grad
    wanted = 0.5 * (scores["tags"].sigmoid() - torch.tensor(SOFT["tags"]))[0].detach()
    assert grad[1] == 0
    assert torch.allclose(grad[[0, 2]], wanted[[0, 2]], atol=1e-5)


def test_two_passes_over_a_record_with_votes_are_compared_too(prepared):
    twice = replace(batch(prepared, [0, 0, 1, 1]), r_drop=1.0)
    once = batch(prepared, [0, 0, 1, 1])
    for name, loss in prepared.model.losses(twice).items():
        assert torch.allclose(loss, prepared.model.losses(once)[name])  # no dropout: no difference
