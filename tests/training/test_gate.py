"""A change is worth having where validation records say so, and only there."""

from dataclasses import replace

import pytest
import yaml
from making import write_newsroom

from allrounder import Project, ProjectError, gating
from allrounder.checking import load_records
from allrounder.evaluation.gate import Gain, GateReport, TaskGate
from allrounder.evaluation.score import Score
from allrounder.judging import job_of
from allrounder.plan import make_plan
from allrounder.runs import Run
from allrounder.training.gate import gated
from allrounder.training.settings import Gate

TWO = {
    "sources": [
        {"path": "news.csv", "map": {"headline": "text", "about": "topic"}},
        {"path": "rated.jsonl"},
    ],
    "tasks": {"topic": {"kind": "multiclass"}, "mood": {"kind": "regression"}},
}


def job(folder, **sections):
    file = write_newsroom(folder, size=20, **sections)
    plan = Project.load(file).plan
    said = []
    tell = lambda stage, *_: said.append(stage)  # noqa: E731
    return plan, job_of(plan, load_records(plan), Run(folder / "gate", {}), tell), said


def test_a_change_that_changes_nothing_is_within_noise(tmp_path):
    plan, same, _ = job(tmp_path / "same", **TWO)
    found = gated(same, {"same": same}, gate=Gate(seeds=2), project=plan.to_dict())
    for task in found.tasks.values():
        assert task.gains["same"].values == task.without
        assert task.gains["same"].gain == Score(value=0, low=0, high=0)
        assert task.gains["same"].verdict == "within noise"
    assert not found.helped and not found.hurt
    assert not (tmp_path / "same/gate/twins").exists()


@pytest.mark.parametrize("seeds", [1, 3])
def test_a_change_that_forbids_learning_hurts(tmp_path, seeds):
    plan, usual, _ = job(tmp_path / "usual", **TWO)
    settings = replace(usual.settings, head_lr=1e-9)
    found = gated(
        usual, {"idle": replace(usual, settings=settings)}, gate=Gate(seeds=seeds),
        project=plan.to_dict(),
    )  # fmt: skip
    assert "topic" in found.hurt["idle"]
    assert found.tasks["topic"].gains["idle"].gain.value < 0
    assert len(found.tasks["topic"].without) == seeds
    assert "topic loses with idle" in str(found)


def test_interrupted_no_training_is_done_twice(tmp_path):
    plan, usual, said = job(tmp_path / "usual", **TWO)
    other = replace(usual, settings=replace(usual.settings, head_lr=0.01))

    def stop(stage, *_):
        said.append(stage)
        if stage.startswith("other-1"):
            raise KeyboardInterrupt

    asked = {"gate": Gate(seeds=2), "project": plan.to_dict()}
    with pytest.raises(KeyboardInterrupt):
        gated(replace(usual, tell=stop), {"other": replace(other, tell=stop)}, **asked)
    said.clear()
    gated(usual, {"other": other}, **asked)
    assert {stage.split()[0] for stage in said} == {"other-1"}


def score(value: float, half: float) -> Score:
    return Score(value=value, low=value - half, high=value + half)


def report(**gains: Score) -> GateReport:
    return GateReport(
        tasks={
            name: TaskGate(
                metric="accuracy",
                without=[0.5],
                gains={"pretrained": Gain(values=[0.6], gain=gain, validation=gain)},
            )
            for name, gain in gains.items()
        },
        seeds=3,
        budget=1.0,
        seconds={"without": 1.0, "pretrained": 1.0},
    )


UP, FLAT, DOWN = score(0.1, 0.05), score(0.1, 0.2), score(-0.1, 0.05)


@pytest.fixture
def plan(tmp_path, tiny):
    text = {"kind": "text", "model": tiny, "max_tokens": 32}
    return Project.load(write_newsroom(tmp_path / "desk", inputs={"text": text})).plan


def adopted(plan, **gains: Score):
    return gating._adopted(plan, "text", "pretraining/1/encoder", report(**gains))


def test_where_no_task_loses_all_take_it(plan):
    better, found = adopted(plan, topic=UP, mood=FLAT, entities=FLAT)
    assert better.sections["inputs"]["text"]["model"] == "pretraining/1/encoder"
    assert found.adopted == {"pretrained": ["topic", "mood", "entities"]}
    assert plan.sections["inputs"]["text"]["model"] != "pretraining/1/encoder"


def test_where_none_gains_no_task_takes_it(plan):
    for gains in ({"topic": FLAT, "mood": FLAT}, {"topic": DOWN, "mood": FLAT}):
        better, found = adopted(plan, **gains)
        assert better is None
        assert found.adopted == {}
        assert found.sentences[-1] == "No task gains beyond noise: keep the model as it is."


def test_where_some_lose_those_that_gain_are_set_apart_and_it_trains(plan, tiny):
    better, found = adopted(plan, topic=UP, mood=DOWN, entities=FLAT)
    assert found.adopted == {"pretrained": ["topic"]}
    assert better.inputs["text_pretrained"].fields == ["text"]
    assert {n: task.of for n, task in better.tasks.items()} == {
        "topic": "text_pretrained", "mood": "text", "entities": "text",
    }  # fmt: skip
    sections = {**better.sections}
    sections["inputs"]["text_pretrained"]["model"] = tiny
    (plan.folder / "apart.yaml").write_text(yaml.safe_dump(sections), encoding="utf-8")
    project = Project.load(plan.folder / "apart.yaml")
    assert set(project.train().tasks) == {"topic", "mood", "entities"}


def test_words_told_beside_the_tasks_stay_with_the_input_that_was_there(plan):
    sections = {**plan.sections, "training": {"pretraining": "masked"}}
    better, _ = adopted(make_plan(sections, folder=plan.folder), topic=UP, mood=DOWN)
    assert list(better.inputs) == ["text", "text_pretrained"]
    assert better.training.pretraining.input == "text"


def test_counts_begin_with_one(plan):
    with pytest.raises(ProjectError, match=r"has `seeds: 0`\. Expected 1 or more\."):
        Project(plan).pretrain(judge=True, seeds=0)


def test_what_cannot_be_judged_is_refused_before_anything_is_learned(plan):
    mine = plan.folder / "mine.yaml"
    mine.write_text("sources: []\n", encoding="utf-8")
    with pytest.raises(ProjectError, match="Allrounder did not write it"):
        Project(plan).pretrain(judge=True, out="mine.yaml")
    file = plan.folder / "news.yaml"
    changes = ["pretraining.kind=masked", "pretraining.scratch=true"]
    with pytest.raises(ProjectError, match="begins from nothing"):
        Project.load(file, changes=changes).pretrain(judge=True)
    assert not (plan.folder / "pretraining").exists()
