"""A task past its best is held at its best, and tasks may have their turn one after another."""

import numpy as np
import pytest
import torch
from making import made, settings, tiny_text, write_newsroom

from allrounder import Project, ProjectError
from allrounder.tasks import Multiclass, Regression, Spans
from allrounder.training.course import train
from allrounder.training.job import Job
from allrounder.training.loop import Loop
from allrounder.training.teaching import held_rows, said_by, teach

TASKS = {
    "topic": Multiclass(labels=["a", "b"]),
    "mood": Regression(center=0.0, scale=1.0),
    "who": Spans(labels=["ORG"]),
}
ROWS = [
    {"text": f"Acme rose {i}", "topic": "ab"[i % 2],
     "who": [{"start": 0, "end": 4, "label": "ORG"}]}
    if i % 3 else {"text": f"good great poor {i}", "mood": float(i % 5)}
    for i in range(24)
]  # fmt: skip


def test_a_teacher_says_what_its_snapshot_says_and_the_model_stays_as_it_is():
    prepared = made(TASKS, ROWS)
    model = prepared.model
    now = {name: weight.clone() for name, weight in model.named_parameters()}
    snapshot = {name: weight + 0.5 for name, weight in now.items()}
    teach(prepared, "topic", np.arange(4), snapshot)
    plain = said_by(model, prepared, "topic", np.arange(4))
    assert all(torch.equal(weight, now[name]) for name, weight in model.named_parameters())
    taught = prepared.teachers["topic"].scores(np.arange(4))
    assert not torch.allclose(taught, plain.scores(np.arange(4)))
    assert prepared.taught(np.array([0, 3, 5]), "topic").tolist() == [True, True, False]


def test_the_scores_of_tokens_are_kept_as_long_as_each_record_is():
    prepared = made(TASKS, ROWS)
    teach(prepared, "who", np.array([1, 3]))
    scores = prepared.teachers["who"].scores(np.array([3, 1]))
    lengths = [len(prepared.tokens["text"].offsets(row)) for row in (3, 1)]
    assert (~scores[..., 0].isnan()).sum(1).tolist() == lengths


def test_a_fixed_share_of_its_records_holds_a_task():
    known = np.arange(100, 200)
    rows = held_rows(known, 0.25, [0, 1])
    assert len(rows) == 25
    assert set(rows) <= set(known)
    assert rows.tolist() == held_rows(known, 0.25, [0, 1]).tolist()
    assert rows.tolist() != held_rows(known, 0.25, [0, 2]).tolist()
    assert len(held_rows(known[:1], 0.01, [0])) == 1


def test_a_stopped_task_is_sampled_down_to_what_holds_it():
    prepared = made(TASKS, ROWS)
    loop = Loop(prepared.model, prepared, np.arange(24), settings(epochs=2))
    loop.state.stopped = loop.state.planned_without = ["mood"]
    assert not set(np.concatenate(loop._plan(0))) & set(range(0, 24, 3))
    teach(prepared, "mood", np.array([3, 9]))
    assert set(np.concatenate(loop._plan(0))) & set(range(0, 24, 3)) == {3, 9}
    assert any("mood" in step.losses for step in loop.steps())


def test_holding_keeps_a_head_where_it_was(tiny):
    """The encoder moves on for another task; with a teacher the old answers stay."""
    moved = {}
    for hold in (0.0, 1.0):
        prepared = made(TASKS, ROWS, inputs={"text": tiny_text(tiny)})
        rows = np.arange(0, 24, 3)
        before = said_by(prepared.model, prepared, "mood", rows).scores(rows)
        loop = Loop(prepared.model, prepared, np.arange(24), settings(epochs=20, lr=0.01))
        loop.state.stopped = ["mood", "who"]
        if hold:
            teach(prepared, "mood", rows)
        for _ in loop.steps():
            pass
        after = said_by(prepared.model, prepared, "mood", rows).scores(rows)
        moved[hold] = float((after - before).square().mean())
    assert moved[1.0] < moved[0.0] / 4


def job(tmp_path, **training):
    """Return a small job whose model can be trained."""
    project = Project.load(write_newsroom(tmp_path, size=8, training={
        "epochs": 2, "batch_records": 8, "head_lr": 0.03, "precision": "fp32", "probe": False,
        **training}))  # fmt: skip
    found: dict = {}

    def kept(job, **_):
        found["job"] = job
        raise ProjectError("enough")

    return project, found, kept


def trained(tmp_path, monkeypatch, **training):
    """Train without judging; return keeper, course and the loop's last state."""
    project, found, kept = job(tmp_path, **training)
    monkeypatch.setattr("allrounder.training.fit.fit", kept)
    with pytest.raises(ProjectError, match="enough"):
        project.train()
    whole: Job = found["job"]
    whole = whole.learned()
    (whole.run.path / "steps").mkdir(parents=True, exist_ok=True)
    model = whole.model(dropout=0.0)
    return train(whole, model, whole.prepared(model)), whole


def test_the_first_tasks_train_alone_and_then_the_others(tmp_path, monkeypatch):
    (keeper, course), _ = trained(tmp_path, monkeypatch, first=["topic"], hold=0.5)
    early = [row["losses"] for row in course.history if row["epoch"] <= 2]
    late = [row["losses"] for row in course.history if row["epoch"] > 2]
    assert all(losses.keys() == {"topic"} for losses in early)
    assert any("mood" in losses for losses in late)
    assert any("topic" in losses for losses in late), "it is held to its teacher"
    assert course.history[-1]["epoch"] == 4
    assert keeper.best.keys() == {"topic", "mood", "entities"}


def test_without_a_hold_the_first_tasks_are_let_go(tmp_path, monkeypatch):
    (_, course), _ = trained(tmp_path, monkeypatch, first=["topic"], hold=0)
    assert all("topic" not in row["losses"] for row in course.history if row["epoch"] > 2)


def test_a_task_that_has_stopped_stays_stopped_and_is_held(tmp_path, monkeypatch):
    (_, course), whole = trained(
        tmp_path,
        monkeypatch,
        epochs=30,
        patience=1,
        patience_steps=0,
        head_lr=0.3,
        evaluate_every=0.5,
    )
    assert course.history[-1]["epoch"] < 30, "all tasks were past their best"
    assert whole.settings.hold == 0.25


@pytest.mark.parametrize(
    ("first", "words"),
    [
        (["topik"], "`training.first` names 'topik', which is no task. Did you mean 'topic'?"),
        (["topic", "mood", "entities"], "`training.first` names every task: leave it out"),
    ],
)
def test_first_tasks_that_make_no_sense_are_refused(tmp_path, first, words):
    with pytest.raises(ProjectError) as caught:
        Project.load(write_newsroom(tmp_path, training={"first": first}))
    assert str(caught.value).startswith(words)


def test_a_share_to_hold_is_a_share():
    with pytest.raises(ProjectError, match=r"`training` has `hold: 1\.5`"):
        settings(hold=1.5)


@pytest.mark.parametrize("weighting", ["sum", "uncertainty", "famo", "dwa", "pcgrad", "nash_mtl"])
def test_a_held_task_is_held_whatever_the_weighting(weighting):
    moved = {}
    for hold in (False, True):
        prepared = made(TASKS, ROWS)
        rows = np.arange(0, 24, 3)
        before = said_by(prepared.model, prepared, "mood", rows).scores(rows)
        course = settings(epochs=20, head_lr=0.05, weighting=weighting)
        loop = Loop(prepared.model, prepared, np.arange(24), course)
        loop.state.stopped = ["mood"]
        if hold:
            teach(prepared, "mood", rows)
        for _ in loop.steps():
            pass
        after = said_by(prepared.model, prepared, "mood", rows).scores(rows)
        moved[hold] = float((after - before).square().mean())
        assert np.isfinite(moved[hold])
    assert moved[True] < moved[False]
