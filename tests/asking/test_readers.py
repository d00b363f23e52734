"""Whose encoders read the pool when nobody may wait until the latest run has read it."""

import json

import pytest
from sentences import sentences, write_rows, write_sentences

from allrounder import Project
from allrounder.active import encoding
from allrounder.asking import ask
from allrounder.labeling.chooser import Chooser
from allrounder.labeling.milestones import Milestones
from allrounder.ledger import Answers

ACTIVE = {"kind": "margin", "n": 8, "start_n": 10}
TRAINING = {"epochs": 1, "probe": False}


@pytest.fixture
def project(tmp_path):
    rows = sentences(60)
    file = write_sentences(tmp_path / "desk", train=rows, active=ACTIVE, training=TRAINING)
    return Project.load(file)


def origin(project, **options) -> str:
    return ask(project.plan, runs=project.runs, tell=lambda *_: None, **options).origin


def test_until_a_new_run_has_read_the_pool_the_one_before_tells(project):
    assert origin(project, waits=False) == "the encoders as they came"
    project.train()
    assert origin(project, waits=False) == "the encoders as they came"
    assert origin(project) == "the encoders of runs/1"
    assert origin(project, waits=False) == "the encoders of runs/1"
    other = Project.load(project.plan.folder / "news.yaml", changes=["training.seed=1"])
    other.train()
    assert origin(project, waits=False) == "the encoders of runs/1"
    assert origin(project) == "the encoders of runs/2"
    assert origin(project, waits=False) == "the encoders of runs/2"


def test_a_few_new_records_are_read_by_the_run_that_read_the_others(project, monkeypatch):
    monkeypatch.setattr(encoding, "BLOCK", 16)
    origin(project)
    project.train()
    path = project.plan.folder / "train.jsonl"
    rows = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    write_rows(path, [*rows, {"text": "one more"}])
    assert origin(project, waits=False) == "the encoders as they came"


def test_a_milestone_trains_a_run_that_has_read_the_pool_when_it_is_done(project):
    project.plan.label.train = 5
    one = Milestones.of(project.plan)
    one.nudge(5)
    one._errands._out.join(120)
    assert one.failure is None
    one.close()
    assert project.run.path.name == "1"
    assert origin(project, waits=False) == "the encoders of runs/1"


def test_a_training_that_cannot_be_says_why(tmp_path):
    rows = [{"text": row["text"]} for row in sentences(30)]
    file = write_sentences(tmp_path / "desk", train=rows, active=ACTIVE, training=TRAINING)
    plan = Project.load(file).plan
    plan.label.train = 5
    one = Milestones.of(plan)
    one.nudge(5)
    one._errands._out.join(120)
    assert "label" in one.failure and "\n" not in one.failure
    one.close()


def test_the_process_beside_the_page_asks_and_looks_for_doubts(project):
    path = project.plan.folder / "train.jsonl"
    rows = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    write_rows(path, [*rows, *({"text": f"one more {n}"} for n in range(20))])
    one = Chooser.of(project.plan)
    one.nudge(done=0, asked=0, labels=0)
    one._errands._out.join(120)
    assert one.failure is None
    with Answers(project.plan.where, read_only=True) as ledger:
        assert len(ledger.queue()) == ACTIVE["n"]
    kept = json.loads((project.plan.cache / "doubts.json").read_text("utf-8"))
    assert kept["labels"] > 50
    one.close()
