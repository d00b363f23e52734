"""A greedy soup of snapshots: never worse on validation than the best of them."""

import math
from types import SimpleNamespace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from making import write_newsroom
from torch import nn

from allrounder import Project, ProjectError
from allrounder.model.tensors import load_tensors
from allrounder.tasks import Multiclass, Regression
from allrounder.training import soup
from allrounder.training.keeping import SOUP, Keeper
from allrounder.training.soup import cook

TASKS = {"topic": Multiclass(labels=["a", "b"]), "mood": Regression(metric="mean_absolute_error")}


class Line(nn.Module):
    """A model of one weight."""

    def __init__(self):
        super().__init__()
        self.w = nn.Parameter(torch.zeros(1))


def cooked(folder, scored, points, most=5):
    """Return what is made of snapshots whose one weight is each of `points`, and what is said."""
    model, keeper = Line(), Keeper(folder, TASKS, 99, most)
    for step, point in enumerate(points, 1):
        keeper.update(step, scored(point), {"w": torch.tensor([float(point)])})

    def rows(split):
        assert split == "validation", "nothing else may be looked at"

    def quick(model, *_):
        return {
            name: {TASKS[name].decides: value} for name, value in scored(model.w.item()).items()
        }

    job = SimpleNamespace(tasks=TASKS, records=None, rows=rows, tell=lambda *_: None)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(soup, "quick_scores", quick)
        return keeper, cook(job, model, None, keeper)


def near_two(w):
    """The nearer to 2, the better both tasks are."""
    return {"topic": 1 / (1 + abs(w - 2)), "mood": 1 + abs(w - 2)}


def test_an_ingredient_stays_if_the_mean_gets_no_worse(tmp_path):
    keeper, said = cooked(tmp_path, near_two, [1.5, 3.0, 9.0, 2.25, 1.0])
    # The best is 2.25; 1.5 makes 1.875: better; 3 makes 2.25: worse than that; 1 makes 1.583; 9 no.
    assert keeper.shared == SOUP
    assert float(keeper.weights(SOUP)["w"]) == 1.875
    assert keeper.scores[SOUP] == near_two(1.875)
    assert said == (
        "Soup: the mean of the weights after steps 1 and 4 ships, of 5 snapshots tried. Their "
        "mean shortfall from each task's best step on validation is -0.1056, that of step 4 alone "
        "0.0000."
    )


def test_an_equal_score_is_good_enough(tmp_path):
    keeper, _ = cooked(tmp_path, lambda w: {"topic": 0.5, "mood": 1.0}, [1.0, 2.0, 6.0])
    assert keeper.shared == SOUP
    assert float(keeper.weights(SOUP)["w"]) == 3.0


def test_a_snapshot_that_nothing_makes_better_ships_alone(tmp_path):
    keeper, said = cooked(tmp_path, near_two, [2.0, 3.0, 4.0])
    assert keeper.shared == 1
    assert said == (
        "Soup: step 1 ships alone, as none of the other 2 snapshots tried could be averaged in "
        "without loss on validation."
    )
    keeper, said = cooked(tmp_path / "one", near_two, [3.0])
    assert (keeper.shared, said) == (
        1, "Soup: step 1 ships alone, as there is no other snapshot."
    )  # fmt: skip


def test_without_validation_labels_the_last_snapshot_ships(tmp_path):
    keeper, said = cooked(tmp_path, lambda w: {}, [1.0, 2.0])
    assert keeper.shared == 2
    assert said == "Soup: no task has validation labels to choose by; the last snapshot ships."


@given(
    points=st.lists(st.floats(-3, 3), min_size=1, max_size=9),
    tones=st.tuples(st.floats(0.1, 9), st.floats(0.1, 9)),
    most=st.integers(1, 5),
)
def test_a_soup_is_never_worse_on_validation_than_the_best_snapshot(
    tmp_path_factory, points, tones, most
):
    def scored(w):
        return {"topic": 0.5 + math.sin(tones[0] * w) / 2, "mood": 1.5 + math.cos(tones[1] * w)}

    folder = tmp_path_factory.mktemp("soup")
    keeper, _ = cooked(folder, scored, points, most)
    best = min(keeper.shortfall(found) for at, found in keeper.scores.items() if at != SOUP)
    assert keeper.shortfall(keeper.scores[keeper.shared]) <= best
    shipped = scored(float(keeper.weights(keeper.shared)["w"]))
    assert keeper.scores[keeper.shared] == pytest.approx(shipped, abs=1e-5), "weights are floats"
    keeper.clear()
    assert not list(folder.iterdir())


def test_as_many_snapshots_are_kept_as_are_asked_for_those_that_cost_least(tmp_path):
    keeper = Keeper(tmp_path, TASKS, 99, most=3)
    for step, w in enumerate([5.0, 2.5, 4.0, 2.0, 3.0, 9.0], 1):
        keeper.update(step, near_two(w), {"w": torch.tensor([w])})
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        f"step-000000{step}.safetensors" for step in (2, 4, 5)
    ]
    assert keeper.ranked == [4, 2, 5]


# ------------------------------------------------------------------ a whole training

TRAINING = {"epochs": 6, "batch_records": 8, "head_lr": 0.3, "precision": "fp32", "dropout": 0.2,
            "probe": False, "patience": 99, "snapshots": "soup", "seed": 0}  # fmt: skip


class Stop(Exception):
    """Raised in place of a kill."""


def test_a_soup_that_was_interrupted_is_made_again_to_the_last_bit(tmp_path):
    def stop(stage, *_):
        if stage == "calibrate":
            raise Stop

    whole, cut = (write_newsroom(tmp_path / n, size=8, training=TRAINING) for n in ("a", "b"))
    report = Project.load(whole).train()
    with pytest.raises(Stop):
        Project.load(cut, tell=stop).train()
    assert (cut.parent / "runs/1/steps/step-soup.safetensors").exists()
    again = Project.load(cut).train(resume=True)
    runs = [file.parent / "runs/1" for file in (whole, cut)]
    one, other = ((run / "model.safetensors").read_bytes() for run in runs)
    assert one == other
    assert again.notes == report.notes
    (note,) = [note for note in report.notes if note.startswith("Soup: ")]
    assert note.startswith("Soup: the mean of the weights after steps ")
    for run in runs:
        assert not (run / "steps").exists()
        assert not (run / "checkpoint.safetensors").exists()
        assert "; a soup ships." in (run / "report.html").read_text()
    assert {found["shipped_step"] for found in report.snapshots.values()} == {None}


def test_a_soup_costs_one_pass_and_answers_as_it_was_judged(tmp_path):
    file = write_newsroom(tmp_path, size=8, training=TRAINING)
    report = Project.load(file).train()
    assert load_tensors(tmp_path / "runs/1/model.safetensors")[1]["own"] == []
    assert not (tmp_path / "runs/1/snapshots").exists()
    again = Project.load(tmp_path / "runs/1").evaluate()
    for name, task in report.tasks.items():
        assert again.tasks[name].metrics == task.metrics


def test_a_soup_is_compared_with_twins_as_the_shared_snapshot(tmp_path):
    training = {**TRAINING, "twins": True}
    report = Project.load(write_newsroom(tmp_path, size=8, training=training)).train()
    assert report.notes[0].startswith("Soup: the mean of the weights after steps ")
    for name, found in report.sharing.tasks.items():
        shipped = report.tasks[name].metrics[found.metric].after.value
        assert found.shipped[0] == pytest.approx(shipped, abs=1e-6)
        assert report.snapshots[name]["shipped_step"] is None or found.origin == "own snapshot"
    assert not (tmp_path / "runs/1/twins").exists()


def test_a_way_to_choose_snapshots_that_is_unknown_is_refused(tmp_path):
    with pytest.raises(ProjectError) as caught:
        Project.load(write_newsroom(tmp_path, training={"snapshots": "stew"}))
    assert str(caught.value) == (
        "`training.snapshots`: input should be 'shared', 'own' or 'soup'. Got 'stew'."
    )
