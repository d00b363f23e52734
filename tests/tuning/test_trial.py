"""What a trial is worth: read off validation records, on one scale for every metric."""

import csv
from pathlib import Path

import pytest
from making import TOPICS

from allrounder.checking import load_records
from allrounder.errors import DataError
from allrounder.plan import make_plan
from allrounder.tasks import Multiclass
from allrounder.training.job import Job
from allrounder.training.keeping import Keeper
from allrounder.tuning.trial import Pruned, run_trial, scale_of, shipped, skill

SCALE = {"topic": (0.4, 1.0), "mood": (2.0, 0.0)}


def test_skill_is_zero_for_a_constant_one_for_the_truth_and_higher_is_better():
    assert skill({"topic": 0.4, "mood": 2.0}, SCALE) == 0
    assert skill({"topic": 1.0, "mood": 0.0}, SCALE) == 1
    assert skill({"topic": 0.7, "mood": 1.0}, SCALE) == pytest.approx(0.5)
    assert skill({"topic": 0.7, "mood": 0.5}, SCALE) > skill({"topic": 0.7, "mood": 1.0}, SCALE)
    assert skill({"topic": 0.1, "mood": 3.0}, SCALE) < 0


def test_a_constant_that_is_perfect_leaves_nothing_to_gain():
    assert skill({"topic": 1.0}, {"topic": (1.0, 1.0)}) == 0
    assert skill({"topic": 0.8}, {"topic": (1.0, 1.0)}) == pytest.approx(-0.2)


def test_what_would_ship_is_what_counts():
    scores = {4: {"a": 0.9, "b": 0.2}, 8: {"a": 0.8, "b": 0.6}}
    tasks = {name: Multiclass(labels=["x", "y"]) for name in "ab"}
    keeper = Keeper(Path(), tasks, 3, scores=scores, best={"a": 4, "b": 8})
    assert keeper.shared == 8
    assert shipped(keeper, own=False) == {"a": 0.8, "b": 0.6}
    assert shipped(keeper, own=True) == {"a": 0.9, "b": 0.6}


def written(folder: Path, *, test: list[str] | None = None, validation: bool = True) -> dict:
    """Write three files of topics; `test` replaces the labels of the test file."""
    folder.mkdir(parents=True, exist_ok=True)
    for split in ("train", "validation", "test"):
        rows = [[f"{t[i % 2]} {split} {i}", topic] for i in range(6) for topic, t in TOPICS.items()]
        if split == "test" and test:
            rows = [[text, test[i % len(test)]] for i, (text, _) in enumerate(rows)]
        if split == "validation" and not validation:
            rows = [[text, ""] for text, _ in rows]
        with open(folder / f"{split}.csv", "w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([["text", "topic"], *rows])
    return {
        "sources": [{"path": f"{s}.csv", "split": s} for s in ("train", "validation", "test")],
        "inputs": {"text": {"kind": "hashing", "width": 16, "buckets": 512}},
        "tasks": {"topic": {"kind": "multiclass"}},
        "training": {"epochs": 3, "batch_records": 4, "head_lr": 0.03, "precision": "fp32"},
    }


def tried(folder: Path, sections: dict, watch=lambda epoch, value: False):
    plan = make_plan(sections, folder=folder)
    return run_trial(plan, load_records(plan), scratch=folder / "scratch", watch=watch)


def test_test_records_decide_nothing(tmp_path):
    honest, lying = tmp_path / "honest", tmp_path / "lying"
    first = tried(honest, written(honest))
    second = tried(lying, written(lying, test=["sport", "markets", "politics", "sport"]))
    assert first == second
    assert 0 < first.value <= 1


def test_a_trial_tells_of_every_evaluation_and_leaves_nothing_behind(tmp_path):
    seen = []
    tried(tmp_path, written(tmp_path), lambda epoch, value: seen.append((epoch, value)))
    assert [epoch for epoch, _ in seen] == [1, 2, 3]
    assert not (tmp_path / "scratch").exists()
    assert not (tmp_path / "runs").exists()


def test_a_trial_ends_when_it_is_given_up(tmp_path):
    seen = []
    with pytest.raises(Pruned):
        tried(tmp_path, written(tmp_path), lambda epoch, value: seen.append(epoch) or epoch == 2)
    assert seen == [1, 2]
    assert not (tmp_path / "scratch").exists()


def test_a_constant_is_learned_from_training_and_judged_on_validation(tmp_path):
    plan = make_plan(written(tmp_path), folder=tmp_path)
    records = load_records(plan)
    job = Job(inputs=plan.inputs, tasks=plan.tasks, fusion=plan.fusion, settings=plan.training,
              records=records, run=None, cache=plan.cache)  # fmt: skip
    job = job.learned()
    assert scale_of(job) == {"topic": (pytest.approx(1 / 3), 1.0)}


def test_without_validation_labels_nothing_can_be_compared(tmp_path):
    sections = written(tmp_path, validation=False)
    with pytest.raises(DataError) as caught:
        tried(tmp_path, sections)
    assert "validation" in str(caught.value)
