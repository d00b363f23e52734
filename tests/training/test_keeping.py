"""Snapshots: each task's best, the best for all of them together, and no others."""

import json

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from allrounder.tasks import Multiclass, Regression
from allrounder.training.keeping import Keeper

TASKS = {"topic": Multiclass(labels=["a", "b"]), "mood": Regression(metric="mean_absolute_error")}


def weights(step):
    return {"w": torch.full((2,), float(step))}


def updated(folder, scores, patience=3, least=0):
    """Return the keeper after `scores`, pairs of topic and mood, and the tasks done at each."""
    keeper = Keeper(folder, TASKS, patience, least=least)
    done = []
    for step, (topic, mood) in enumerate(scores, 1):
        found = {"topic": topic, "mood": mood}
        known = {name: value for name, value in found.items() if value is not None}
        done.append(keeper.update(step, known, weights(step)))
    return keeper, done


def files(folder):
    return sorted(path.name for path in folder.glob("*"))


def test_the_best_of_each_task_is_kept_in_its_own_direction(tmp_path):
    keeper, _ = updated(tmp_path, [(0.5, 0.9), (0.8, 1.2), (0.7, 0.4)])
    assert keeper.best == {"topic": 2, "mood": 3}
    assert keeper.weights(2)["w"].tolist() == [2.0, 2.0]


def test_a_tie_keeps_the_earlier_step(tmp_path):
    keeper, _ = updated(tmp_path, [(0.5, 1.0), (0.5, 1.0)])
    assert keeper.best == {"topic": 1, "mood": 1}


def test_the_shared_step_costs_the_tasks_least_together(tmp_path):
    keeper, _ = updated(tmp_path, [(0.80, 2.0), (0.79, 1.0), (0.40, 0.98)])
    assert keeper.best == {"topic": 1, "mood": 3}
    assert keeper.shared == 2


def test_only_snapshots_that_somebody_needs_stay_on_disk(tmp_path):
    keeper, _ = updated(tmp_path, [(0.5, 2.0), (0.6, 1.9), (0.7, 1.8), (0.1, 1.7), (0.1, 9.0)])
    assert files(tmp_path) == ["step-0000003.safetensors", "step-0000004.safetensors"]
    assert {keeper.shared, *keeper.best.values()} == {3, 4}


@given(
    scores=st.lists(st.tuples(st.floats(0, 1), st.floats(0.01, 5)), min_size=1, max_size=12),
    patience=st.integers(1, 3),
)
def test_what_is_shipped_can_always_be_loaded(tmp_path_factory, scores, patience):
    folder = tmp_path_factory.mktemp("steps")
    keeper, done = updated(folder, scores, patience)
    best = max(range(len(scores)), key=lambda i: (scores[i][0], -i)) + 1
    assert keeper.best["topic"] == best
    for step in {keeper.shared, *keeper.best.values()}:
        assert keeper.weights(step)["w"].tolist() == [step, step]
    waited = len(scores) - best
    assert ("topic" in done[-1]) == (waited >= patience)
    assert len(files(folder)) <= 3


def test_a_task_is_done_when_its_patience_is_over_and_not_before(tmp_path):
    _, done = updated(tmp_path, [(0.5, 3), (0.5, 2), (0.5, 1), (0.4, 0.5)], patience=2)
    assert done == [[], [], ["topic"], ["topic"]]


def test_a_task_is_not_done_before_so_many_steps_without_a_better_score(tmp_path):
    scores = [(0.5, 3), *[(0.5, 2 / step) for step in range(1, 6)], (0.4, 0.2)]
    _, done = updated(tmp_path, scores, patience=2, least=5)
    assert done == [[], [], [], [], [], ["topic"], ["topic"]]


def test_a_task_that_stopped_keeps_its_best_while_others_go_on(tmp_path):
    keeper, _ = updated(tmp_path, [(0.9, 3.0), (None, 2.0), (None, 1.0)], patience=1)
    assert keeper.best == {"topic": 1, "mood": 3}
    assert keeper.weights(1)["w"].tolist() == [1.0, 1.0]


def test_a_restored_keeper_goes_on_as_if_nothing_had_happened(tmp_path):
    scores = [(0.5, 2.0), (0.6, 1.9), (0.4, 1.8), (0.3, 1.7)]
    whole, done = updated(tmp_path / "whole", scores)
    first, _ = updated(tmp_path / "cut", scores[:2])
    again = Keeper(tmp_path / "cut", TASKS, 3)
    again.restore(first.to_dict())
    last = [
        again.update(step, dict(zip(TASKS, pair, strict=True)), weights(step))
        for step, pair in enumerate(scores[2:], 3)
    ]
    assert last == done[2:]
    assert again.best == whole.best
    assert again.shared == whole.shared


def test_files_that_the_last_checkpoint_speaks_of_stay_until_the_next(tmp_path):
    keeper, _ = updated(tmp_path, [(0.5, 2.0)])
    saved = json.loads(json.dumps(keeper.to_dict()))
    keeper.update(2, {"topic": 0.9, "mood": 0.1}, weights(2))
    again = Keeper(tmp_path, TASKS, 3)
    again.restore(saved)
    assert again.weights(again.best["topic"])["w"].tolist() == [1.0, 1.0]
    keeper.to_dict()
    keeper.update(3, {"topic": 0.95, "mood": 0.05}, weights(3))
    assert "step-0000001.safetensors" not in files(tmp_path)


def test_clearing_leaves_nothing(tmp_path):
    keeper, _ = updated(tmp_path, [(0.5, 2.0), (0.6, 1.0)])
    keeper.clear()
    assert files(tmp_path) == []


def test_a_snapshot_that_cannot_be_read_is_named(tmp_path):
    keeper, _ = updated(tmp_path, [(0.5, 2.0)])
    keeper.path(1).write_bytes(b"torn")
    with pytest.raises(RuntimeError, match=r"step-0000001\.safetensors cannot be read"):
        keeper.weights(1)
