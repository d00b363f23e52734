"""A new project starts from a run: what it knew goes on, grows, is frozen or is dropped."""

import json
import shutil
from pathlib import Path

import pytest
import torch
import yaml
from making import TOPICS, newsroom, save_tiny_encoder, write_newsroom

from allrounder import DataError, Project, ProjectError, RunError
from allrounder.checking import load_records
from allrounder.judging import job_of
from allrounder.model.tensors import load_tensors
from allrounder.runs import Run
from allrounder.tasks import Multiclass, Ordinal, Regression, Spans
from allrounder.tasks.heads import grown, grown_thresholds

TEXT = "The bank said shares rose 7"


@pytest.fixture(scope="module")
def desk(tmp_path_factory):
    """A folder with a trained run of the small newsroom over a tiny transformer."""
    folder = tmp_path_factory.mktemp("desk")
    save_tiny_encoder(folder / "tiny")
    inputs = {"text": {"kind": "text", "model": "tiny", "max_tokens": 24}}
    training = {**newsroom()["training"], "epochs": 4, "lr": 0.003, "probe": False}
    Project.load(write_newsroom(folder, size=10, inputs=inputs, training=training)).train()
    return folder


@pytest.fixture
def again(desk, tmp_path):
    """Write a project beside a copy of the run: `again(tasks=..., **sections)` → project file."""

    def written(**sections) -> Path:
        folder = tmp_path / "again"
        if not folder.exists():
            shutil.copytree(desk, folder)
        plain = yaml.safe_load((desk / "news.yaml").read_text("utf-8"))
        plain = {**plain, "from": "runs/1", **sections}
        (folder / "again.yaml").write_text(yaml.safe_dump(plain, sort_keys=False), encoding="utf-8")
        return folder / "again.yaml"

    return written


def job(path: Path):
    """Return the job of a project file with its tasks learned."""
    plan = Project.load(path).plan
    found = job_of(plan, load_records(plan), Run(path.parent / "new", {}), lambda *_: None)
    found = found.learned()
    return found


def write_topics(folder: Path, *names: str) -> None:
    lines = [f"{TOPICS.get(name, ('The goal of Lin',))[0]} {i}, {name}"
             for i in range(30) for name in names]  # fmt: skip
    rows = [f'"{line.rsplit(", ", 1)[0]}",{line.rsplit(", ", 1)[1]}' for line in lines]
    (folder / "topics.csv").write_text("text,topic\n" + "\n".join(rows) + "\n", encoding="utf-8")


def test_at_the_start_the_model_is_the_old_one(again):
    path = again()
    model = job(path).model(dropout=0.0)
    weights, _ = load_tensors(path.parent / "runs" / "1" / "model.safetensors")
    for name, weight in model.named_parameters():
        torch.testing.assert_close(weight.cpu(), weights[name], msg=name)


def test_a_new_task_has_a_fresh_head_and_a_dropped_one_has_none(again):
    tasks = newsroom()["tasks"]
    path = again(tasks={"topic": tasks["topic"], "feeling": tasks["mood"]},
                 sources=[{"path": "news.csv", "map": {"headline": "text", "about": "topic"}},
                          {"path": "rated.jsonl", "map": {"mood": "feeling"}}])  # fmt: skip
    found = job(path)
    assert set(found.model(dropout=0.0).heads) == {"topic", "feeling"}
    assert found.known == {"topic"}


def test_a_task_gains_labels_and_the_old_ones_keep_their_scores(again):
    path = again(sources=[{"path": "topics.csv"}], tasks={"topic": {"kind": "multiclass"}})
    write_topics(path.parent, "weather", "culture")
    found = job(path)
    old = Project.load(path.parent / "runs" / "1")
    assert found.tasks["topic"].labels == ["markets", "politics", "sport", "culture", "weather"]
    model = found.model(dropout=0.0)
    weights, _ = load_tensors(path.parent / "runs" / "1" / "model.safetensors")
    kept = model.heads["topic"].weight[:3].cpu()
    torch.testing.assert_close(kept, weights["heads.topic.weight"])
    assert model.heads["topic"].weight[3:].abs().sum() == 0
    assert old.plan.tasks["topic"].labels == ["markets", "politics", "sport"]


def test_labels_that_the_file_leaves_out_are_dropped(again):
    topic = {"kind": "multiclass", "labels": ["sport", "weather"]}
    path = again(sources=[{"path": "topics.csv"}], tasks={"topic": topic})
    write_topics(path.parent, "sport", "weather")
    assert job(path).tasks["topic"].labels == ["sport", "weather"]


def test_a_frozen_task_needs_no_labels_and_still_answers(again):
    path = again(
        **{"from": {"run": "runs/1", "freeze": ["topic", "entities"]}},
        sources=[{"path": "rated.jsonl"}],
        tasks={"mood": newsroom()["tasks"]["mood"]},
        training={**newsroom()["training"], "epochs": 4, "lr": 3e-4, "probe": False},
    )
    before = Project.load(path.parent / "runs" / "1").predict({"text": TEXT})
    project = Project.load(path)
    report = project.train()
    assert set(report.tasks) == {"mood"}
    after = project.predict({"text": TEXT})
    assert after.keys() == {"topic", "mood", "entities"}
    assert after["topic"]["label"] == before["topic"]["label"]
    gap = abs(after["topic"]["probability"] - before["topic"]["probability"])
    assert gap < 0.1, "the encoder went on, its teacher held the head"
    shutil.rmtree(path.parent / "runs" / "1")
    assert Project.load(project.run.path).predict({"text": TEXT}) == after, "it stands alone"


def test_a_frozen_head_does_not_learn(again):
    path = again(**{"from": {"run": "runs/1", "freeze": ["topic"]}})
    project = Project.load(path)
    project.train()
    old, new = (load_tensors(path.parent / "runs" / n / "model.safetensors")[0] for n in "12")
    assert torch.equal(old["heads.topic.weight"], new["heads.topic.weight"])
    assert not torch.equal(old["heads.mood.weight"], new["heads.mood.weight"])


def test_a_run_that_starts_from_another_resumes_to_the_same_end(again):
    path = again(**{"from": {"run": "runs/1", "freeze": ["topic"]}})

    def tell(stage, done, *_):
        if stage == "train" and done > 1.5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Project.load(path, changes=["training.checkpoint_minutes=0.00001"], tell=tell).train()
    resumed = Project.load(path)
    resumed.train(resume=True)
    whole = Project.load(path)
    whole.train()
    assert resumed.run.path != whole.run.path
    one, other = (load_tensors(p.run.path / "model.safetensors")[0] for p in (resumed, whole))
    assert all(torch.equal(one[name], other[name]) for name in other)


def test_a_head_goes_on_from_the_snapshot_that_answered(again):
    path = again()
    run = path.parent / "runs" / "1"
    weights, _ = load_tensors(run / "model.safetensors")
    from allrounder.model import add_own

    add_own(run, {"mood": {"heads.mood.weight": weights["heads.mood.weight"] + 1,
                           "heads.mood.bias": weights["heads.mood.bias"]}})  # fmt: skip
    model = job(path).model(dropout=0.0)
    torch.testing.assert_close(model.heads["mood"].weight.cpu(), weights["heads.mood.weight"] + 1)


# ------------------------------------------------------------------ heads


def test_a_linear_head_keeps_the_rows_of_outputs_that_stay():
    weights = {"weight": torch.arange(6.0).view(3, 2), "bias": torch.tensor([3.0, 1.0, 2.0])}
    found = grown(weights, ["a", "b", "c"], ["c", "new", "a"])
    assert found["weight"].tolist() == [[4, 5], [0, 0], [0, 1]]
    assert found["bias"].tolist() == [2, 1, 3], "a new output starts at the lowest bias"


def test_thresholds_below_old_labels_stay_and_new_ones_lie_between():
    weights = {"score.weight": torch.ones(1, 2), "thresholds": torch.tensor([2.0, -2.0])}
    found = grown_thresholds(weights, ["low", "mid", "high"], ["low", "fair", "mid", "high", "top"])
    assert found["thresholds"].tolist() == [3.0, 2.0, -2.0, -3.0]
    found = grown_thresholds(weights, ["low", "mid", "high"], ["low", "mid", "good", "high"])
    assert found["thresholds"].tolist() == [2.0, 0.0, -2.0]


def test_the_outputs_of_a_tagger_are_its_tags():
    assert Spans(labels=["A", "B"]).outputs() == ["O", "B-A", "B-B", "I-A", "I-B"]
    assert Regression().outputs() == ["value"]


def test_a_number_goes_on_in_the_units_it_had():
    task = Regression(center=5.0, scale=2.0).continued(
        Regression(center=1.0, scale=3.0), every=True
    )
    assert (task.center, task.scale) == (1.0, 3.0)


def test_ordered_labels_keep_the_order_declared():
    old, new = Ordinal(labels=["low", "high"]), Ordinal(labels=["none", "low", "high"])
    assert new.continued(old, every=False).labels == ["none", "low", "high"]
    found = Ordinal(labels=["high", "low"]).continued(old, every=True)
    assert found.labels == ["low", "high"]


# ------------------------------------------------------------------ bad input, word for word


@pytest.mark.parametrize(
    ("sections", "words"),
    [
        ({"from": "runs/7"}, "`from.run`: there is no run folder 'runs/7' in "),
        ({"from": {"run": "runs/1", "freez": []}},
         "`from.freez` is not a known key. Did you mean 'freeze'? Known: freeze, run."),
        ({"from": {"run": "runs/1", "freeze": ["topik"]}},
         "`from.freeze` names 'topik', which is no task of runs/1. Did you mean 'topic'? Its "
         "tasks: topic, mood, entities."),
        ({"inputs": {"more": {"kind": "hashing"}},
          "sources": [{"path": "news.csv", "map": {"headline": "more", "about": "topic"}}],
          "tasks": {"topic": {"kind": "multiclass"}}},
         "`from`: run 1 reads text, this project more: with no input in common nothing could be "
         "taken over. Leave `from` out."),
        ({"from": {"run": "runs/1", "freeze": ["topic"]},
          "inputs": {"text": {"kind": "text", "model": "tiny"}, "more": {"kind": "hashing"}},
          "tasks": {"topic": {"kind": "multiclass"}}, "sources": [{"path": "news.csv"}],
          "fusion": "gated"},
         "`from.freeze` keeps 'topic' as it is, but its head cannot go on: run 1 joined text by "
         "concat, this project joins text, more by gated. Use the same `fusion`, or do not freeze "
         "it."),
        ({"inputs": {"text": {"kind": "hashing"}}},
         "`inputs.text`: run 1 read it with text (model 'tiny'), this project with hashing "),
        ({"tasks": {"topic": {"kind": "ordinal"}}},
         "`tasks.topic` is ordinal here and multiclass in run 1. Rename it to start it anew."),
    ],
)  # fmt: skip
def test_a_start_that_does_not_fit_is_refused_in_words(again, sections, words):
    with pytest.raises(ProjectError) as caught:
        Project.load(again(**sections)).check()
    assert str(caught.value).startswith(words)


def test_a_new_label_that_clashes_with_an_old_one_is_refused(again):
    path = again(sources=[{"path": "topics.csv"}], tasks={"topic": {"kind": "multiclass"}})
    write_topics(path.parent, "Markets", "weather")
    with pytest.raises(DataError) as caught:
        Project.load(path).train()
    assert str(caught.value).startswith(
        "The new label 'Markets' clashes with 'markets' of the run that training starts from"
    )
    assert not (path.parent / "runs" / "2").exists(), "nothing is left behind"


def test_a_run_that_is_not_complete_is_no_start(again):
    path = again()
    about = path.parent / "runs" / "1" / "run.json"
    about.write_text(json.dumps({**json.loads(about.read_text()), "state": "training"}))
    with pytest.raises(RunError, match="is not complete: go on with it first"):
        Project.load(path).train()


def test_kinds_that_have_no_labels_go_on_as_they_are():
    task = Multiclass(labels=["b", "a"])
    assert task.continued(Multiclass(labels=["a", "b"]), every=True).labels == ["a", "b"]
