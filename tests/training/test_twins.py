"""Twins: the same budget, an honest comparison, and a fall-back that validation decides."""

import json

import numpy as np
import pytest
from making import write_newsroom

from allrounder import Project, ProjectError
from allrounder.checking import load_records
from allrounder.evaluation.assess import Said
from allrounder.judging import job_of
from allrounder.runs import Run
from allrounder.tasks import Regression
from allrounder.training.settings import Twins
from allrounder.training.twins import TIMED, Told, _Court, compare, part_of, timed

TRAINING = {
    "epochs": 2, "batch_records": 8, "head_lr": 0.03, "precision": "fp32", "probe": False,
}  # fmt: skip


def project(folder, **training):
    return Project.load(write_newsroom(folder, training={**TRAINING, **training}))


def the_job(folder, **training):
    """Return a job with tasks learned, whose run folder is empty."""
    plan = project(folder, **training).plan
    job = job_of(plan, load_records(plan), Run(folder / "run", {}), lambda *_: None)
    job = job.learned()
    return job


def said(job, name, split, error):
    """Return answers of a regression task that are off by `error` on average."""
    rows = job.records.indices(split, name).tolist()
    truths = np.array(job.records.take(name, rows))
    signs = np.where(np.arange(len(rows)) % 2, 1, -1)
    return Said(rows=rows, decoded=(truths + error * signs).tolist())


def told(job, shared, own=None):
    """Return a training that misses `mood` by so much, in validation and in test records."""
    answers = {
        which: {split: {"mood": said(job, "mood", split, error)} for split, error in errors.items()}
        for which, errors in (("shared", shared), ("own", own or shared))
    }
    return Told(**answers, seconds=1.0, parameters=10, milliseconds=0.1)


def judged(job, joint, twin, others=("own snapshot", "twin")):
    job.tasks = {"mood": job.tasks["mood"]}
    court = _Court(job, [joint], {"mood": [twin]})
    return court.task("mood", "shared snapshot", others)


SMALL, LARGE = 0.1, 1.0


@pytest.mark.parametrize(
    ("shared", "own", "twin", "origin"),
    [
        (SMALL, SMALL, LARGE, "shared snapshot"),
        (SMALL, SMALL, SMALL, "shared snapshot"),
        (LARGE, SMALL, SMALL, "own snapshot"),
        (LARGE, LARGE, SMALL, "twin"),
    ],
)
def test_validation_records_decide_who_answers(tmp_path, shared, own, twin, origin):
    job = the_job(tmp_path)

    def both(error):
        return {"validation": error, "test": 0.5}

    found = judged(job, told(job, both(shared), both(own)), told(job, both(twin)))
    assert found.origin == origin
    assert found.difference.value == pytest.approx(0, abs=1e-6), "test records decide nothing"


def test_test_records_decide_nothing(tmp_path):
    job = the_job(tmp_path)
    joint = told(job, {"validation": SMALL, "test": LARGE})
    found = judged(job, joint, told(job, {"validation": SMALL, "test": SMALL}))
    assert found.origin == "shared snapshot"
    assert found.difference.high < 0


def test_gains_point_the_same_way_whatever_the_metric(tmp_path):
    job = the_job(tmp_path)
    job.tasks["mood"] = Regression(metric="mean_absolute_error", center=0.0, scale=1.0)
    joint = told(job, {"validation": LARGE, "test": LARGE})
    found = judged(job, joint, told(job, {"validation": SMALL, "test": SMALL}))
    assert found.difference.value == pytest.approx(SMALL - LARGE, abs=1e-6)
    assert found.origin == "twin"


def test_a_twin_sees_its_labels_as_often_as_the_shared_model_shows_them(tmp_path):
    job = the_job(tmp_path)
    job.visits = {"topic": 1000.0, "mood": 1.0}
    known = len(job.records.indices("train", "topic"))
    assert part_of(job, ["topic"], 0, 1.0).settings.epochs == pytest.approx(1000 / known)
    assert part_of(job, ["mood"], 0, 1.0).settings.epochs == 2, "but never fewer epochs"
    assert part_of(job, ["mood"], 0, 0.5).settings.epochs == 1
    assert part_of(job, ["mood"], 5, 1.0).settings.seed == 5
    assert list(part_of(job, ["mood"], 0, 1.0).tasks) == ["mood"]


def test_a_short_budget_trains_both_sides_anew_and_changes_nothing(tmp_path):
    job = the_job(tmp_path)
    found = compare(job, told(job, {"validation": LARGE, "test": LARGE}), twins=Twins(budget=0.5))
    assert found.own == {}
    assert found.sharing.budget == 0.5
    assert set(found.sharing.tasks) == {"topic", "mood", "entities"}
    assert {t.origin for t in found.sharing.tasks.values()} == {"shared snapshot"}


def test_a_run_with_twins_reports_them_and_ships_what_it_says(tmp_path):
    report = project(tmp_path, twins=True, sampling="uniform").train()
    run = Project.load(tmp_path / "news.yaml").run
    assert set(report.sharing.tasks) == {"topic", "mood", "entities"}
    moved = {n for n, t in report.sharing.tasks.items() if t.origin != "shared snapshot"}
    assert {path.stem for path in run.path.glob("snapshots/*")} == moved
    for name, found in report.sharing.tasks.items():
        assert report.tasks[name].deciding.after.value == pytest.approx(found.shipped[0], abs=1e-4)
    assert not (run.path / "twins").exists()
    assert list(report.sharing.costs)[:2] == ["one model", "3 twins"]


def test_a_finished_run_gets_its_twins_and_answers_as_the_report_says(tmp_path, monkeypatch):
    """Here the shared model is spoilt, so that a twin has to take over."""
    found = project(tmp_path, epochs=8)
    found.train()
    before = found.predict({"text": "A great day 😀 number 3"})

    def spoilt(job, *rest):
        mine = told_by(job, *rest)
        for split, tasks in mine.shared.items():
            tasks["mood"] = said(job, "mood", split, 5.0)
        return mine

    from allrounder.training.twins import told_by

    monkeypatch.setattr("allrounder.judging.told_by", spoilt)
    report = found.evaluate_twins()
    assert report.sharing.tasks["mood"].origin == "twin"
    assert (found.run.path / "snapshots" / "mood.safetensors").exists()
    again = Project.load(found.run.path)
    after = again.predict({"text": "A great day 😀 number 3"})
    assert after["topic"] == before["topic"]
    assert after["mood"] != before["mood"]
    kept = json.loads((found.run.path / "metrics.json").read_text("utf-8"))
    assert kept["sharing"]["tasks"]["mood"]["origin"] == "twin"
    assert kept["snapshots"]["mood"]["shipped"] is None
    value = again.evaluate().tasks["mood"].deciding.after.value
    assert value == pytest.approx(report.sharing.tasks["mood"].shipped[0], abs=1e-4)


@pytest.mark.parametrize("n", [0, 1, TIMED, TIMED + 1, 10 * TIMED])
def test_answers_are_timed_on_records_from_first_to_last(n):
    rows = timed(np.arange(n))
    assert len(set(rows.tolist())) == min(n, TIMED)
    assert rows.tolist() == sorted(rows.tolist())
    assert not n or rows[0] == 0
    assert n < 2 or rows[-1] == n - 1


def test_twins_that_were_trained_are_not_trained_again(tmp_path):
    stages: list[str] = []

    def tell(stage, done, total, word):
        stages.append(stage)
        if stage == "entities-0: train":
            raise KeyboardInterrupt

    path = write_newsroom(tmp_path, training={**TRAINING, "twins": {"seeds": 1}})
    with pytest.raises(KeyboardInterrupt):
        Project.load(path, tell=tell).train()
    assert "topic-0: train" in stages
    again: list[str] = []
    report = Project.load(path, tell=lambda stage, *_: again.append(stage)).train(resume=True)
    assert "entities-0: train" in again
    assert "topic-0: train" not in again
    whole = Project.load(path).train()
    assert whole.sharing.tasks == report.sharing.tasks


@pytest.mark.parametrize(
    ("twins", "words"),
    [
        ({"seeds": 0}, "`training.twins` has `seeds: 0`. Expected 1 or more."),
        ({"budget": 2}, "`training.twins` has `budget: 2.0`. Expected more than 0, at most 1."),
        ({"seed": 3}, "`training.twins.seed` is not a known key. Did you mean 'seeds'?"),
    ],
)
def test_twins_that_make_no_sense_are_refused(tmp_path, twins, words):
    with pytest.raises(ProjectError) as caught:
        project(tmp_path, twins=twins)
    assert str(caught.value).startswith(words)
