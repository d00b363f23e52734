"""A run starts a project with other inputs: what both have goes on, and nothing is forgotten."""

import shutil
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pyarrow as pa
import pytest
import torch
import yaml
from making import newsroom, write_newsroom

from allrounder import Project
from allrounder.checking import load_records
from allrounder.encoders import Hashing
from allrounder.fusion import Concat
from allrounder.judging import job_of
from allrounder.model import Answerer, Prepared, load_passes
from allrounder.model.tensors import load_tensors
from allrounder.runs import Run
from allrounder.tasks.heads import regrouped
from allrounder.training.starting import Old

FUSIONS = {
    "concat": {"kind": "concat"},
    "gated": {"kind": "gated", "width": 12},
    "low_rank": {"kind": "low_rank", "width": 12, "rank": 2},
    "attention": {"kind": "attention", "width": 16, "heads": 2},
}
KINDS = pytest.mark.parametrize("kind", FUSIONS)


def encoder(width: int) -> dict:
    return {"kind": "hashing", "width": width, "buckets": 128}


INPUTS = {"text": encoder(16), "note": encoder(8), "more": encoder(6)}


def news(*inputs: str) -> list[dict]:
    """Return the sources that fill these inputs."""
    names = [name for name in ("note", "more") if name in inputs]
    number = {"number": names[0]} if names else {}
    found = [{"path": "news.csv", "map": {"headline": "text", "about": "topic", **number}}]
    both = {"note", "more"} <= {*inputs}
    return [*found, *([{"path": "rated.jsonl", "map": {"text": "more"}}] if both else [])]


def sections(*inputs: str, fusion: str = "concat", **others) -> dict:
    tasks = newsroom()["tasks"]
    tasks["entities"]["of"] = "text"
    del tasks["mood"]
    return {
        "sources": [*news(*inputs), newsroom()["sources"][1]],
        "inputs": {name: INPUTS[name] for name in inputs},
        "tasks": tasks,
        "fusion": FUSIONS[fusion],
        "training": {**newsroom()["training"], "probe": False},
        **others,
    }


@pytest.fixture(scope="module")
def desks(tmp_path_factory):
    """By fusion a folder with a trained run over text and note; `alone` is one over text."""
    made = {}
    for kind in [*FUSIONS, "alone"]:
        folder = tmp_path_factory.mktemp(kind)
        inputs = ["text"] if kind == "alone" else ["text", "note"]
        fusion = "concat" if kind == "alone" else kind
        Project.load(write_newsroom(folder, size=10, **sections(*inputs, fusion=fusion))).train()
        made[kind] = folder
    return made


@pytest.fixture
def begun(desks, tmp_path):
    """Return the job that starts from a run: `begun(desk, *inputs, **sections)`."""

    def made(desk, *inputs, **options):
        folder = tmp_path / "again"
        shutil.copytree(desks[desk], folder, dirs_exist_ok=True)
        plain = {**sections(*inputs, **options), "from": "runs/1"}
        (folder / "again.yaml").write_text(yaml.safe_dump(plain, sort_keys=False), encoding="utf-8")
        plan = Project.load(folder / "again.yaml").plan
        run = Run(folder / "new", {})
        return job_of(plan, load_records(plan), run, lambda *_: None).learned()

    return made


RECORDS = [
    {"text": "Shares of Acme rose 4", "note": "4", "more": "9"},
    {"text": "The team of Dr Lin won", "note": "17", "more": "3"},
    {"text": "The minister lost the vote", "note": "2", "more": "11"},
]


def answers(model, some) -> list:
    """Return what a model says of the records, shown only `some` of their fields."""
    columns = {
        name: pa.chunked_array([pa.array([row[name] if name in some else None for row in RECORDS])
                                .cast(pa.string())]) for name in model.inputs
    }  # fmt: skip
    prepared = Prepared.of(model.eval(), columns)
    rows = np.flatnonzero(prepared.asked(np.arange(3), ["topic"])["topic"])
    found = Answerer([(model, ["topic", "entities"])], {}).answers(prepared, rows)
    return [one["topic"]["probabilities"] for one in found]


def old_model(desks, desk):
    run = desks[desk] / "runs" / "1"
    plan = Project.load(run).plan
    return load_passes(run, plan.inputs, plan.tasks, plan.fusion)[0][0]


def assert_alike(one: list, other: list) -> None:
    assert len(one) == len(other) == 3
    for mine, its in zip(one, other, strict=True):
        assert mine == pytest.approx(its, abs=2e-5)


@KINDS
def test_with_the_same_inputs_the_model_is_the_old_one(desks, begun, kind):
    job = begun(kind, "text", "note", fusion=kind)
    weights, _ = load_tensors(desks[kind] / "runs" / "1" / "model.safetensors")
    named = dict(job.model(dropout=0.0).named_parameters())
    assert named.keys() == weights.keys()
    for name, weight in named.items():
        torch.testing.assert_close(weight.cpu(), weights[name], msg=name)


@KINDS
def test_a_new_input_changes_no_answer_where_it_is_missing(desks, begun, kind):
    job = begun(kind, "text", "note", "more", fusion=kind)
    assert job.known == {"topic", "entities"}
    model, old = job.model(dropout=0.0), old_model(desks, kind)
    for some in ({"text", "note"}, {"text"}, {"note"}):
        assert_alike(answers(model, some), answers(old, some))
    more = answers(model, {"text", "note", "more"})
    if kind == "concat":
        assert_alike(more, answers(old, {"text", "note"}))


def test_a_second_input_starts_without_a_say(desks, begun):
    job = begun("alone", "text", "note")
    model, old = job.model(dropout=0.0), old_model(desks, "alone")
    assert_alike(answers(model, {"text", "note"}), answers(old, {"text"}))


def test_an_input_that_is_gone_is_one_that_every_record_lacks(desks, begun):
    job = begun("concat", "text")
    model, old = job.model(dropout=0.0), old_model(desks, "concat")
    assert model.fusion is None
    assert_alike(answers(model, {"text"}), answers(old, {"text"}))


def test_one_input_may_take_the_place_of_another(desks, begun):
    job = begun("concat", "text", "more")
    model, old = job.model(dropout=0.0), old_model(desks, "concat")
    assert_alike(answers(model, {"text", "more"}), answers(old, {"text"}))


@pytest.mark.parametrize("kind", ["gated", "low_rank", "attention"])
def test_a_head_over_another_joint_vector_starts_anew_and_the_rest_goes_on(desks, begun, kind):
    job = begun(kind, "text", fusion=kind)
    assert job.known == {"entities"}
    weights, _ = load_tensors(desks[kind] / "runs" / "1" / "model.safetensors")
    for name, weight in job.model(dropout=0.0).named_parameters():
        if not name.startswith("heads.topic"):
            torch.testing.assert_close(weight.cpu(), weights[name], msg=name)


def test_another_fusion_starts_anew(desks, begun):
    job = begun("concat", "text", "note", fusion="gated")
    assert job.known == {"entities"}


def test_a_fresh_head_has_no_labels_of_the_old_one(desks, begun):
    tasks = newsroom()["tasks"]
    tasks = {"topic": {"kind": "multiclass", "labels": ["sport", "markets", "politics", "more"]}}
    job = begun("concat", "text", "note", fusion="gated", tasks=tasks, sources=news("text", "note"))
    assert job.tasks["topic"].labels == ["sport", "markets", "politics", "more"]


def test_encoders_are_found_whatever_input_lends_them_its_name(desks, begun):
    """In the run text and note are apart; here text shares its encoder with an input before it."""
    inputs = {"more": encoder(16), "text": encoder(16)}
    tasks = {"topic": {"kind": "multiclass"}}
    job = begun("concat", "text", inputs=inputs, tasks=tasks, sources=news("text", "more"))
    model = job.model(dropout=0.0)
    assert model.owners == {"more": "more", "text": "more"}
    weights, _ = load_tensors(desks["concat"] / "runs" / "1" / "model.safetensors")
    mine = model.encoders["more"].table.weight.cpu()
    torch.testing.assert_close(mine, weights["encoders.text.table.weight"])


def test_a_frozen_task_goes_on_answering_over_more_inputs(desks, begun, tmp_path):
    begun("alone", "text", "note")  # copies the run
    plain = sections("text", "note", **{"from": {"run": "runs/1", "freeze": ["topic"]}})
    (tmp_path / "again" / "frozen.yaml").write_text(yaml.safe_dump(plain), encoding="utf-8")
    project = Project.load(tmp_path / "again" / "frozen.yaml")
    report = project.train()
    assert "topic" in report.tasks and report.tasks["topic"].robustness is not None
    old, new = (
        load_tensors(tmp_path / "again" / "runs" / n / "model.safetensors")[0] for n in "12"
    )
    assert torch.equal(new["heads.topic.weight"][:, 8:], old["heads.topic.weight"])
    assert not new["heads.topic.weight"][:, :8].any(), "a frozen head never listens to new inputs"


@dataclass(kw_only=True)
class Measured(Hashing):
    """An input that learns something of its training records."""

    learned: ClassVar[tuple[str, ...]] = ("mean",)

    mean: float | None = None


def test_an_input_that_goes_on_keeps_what_the_run_learned_of_it():
    known = {"size": Measured(mean=4.0)}
    old = Old(run=None, inputs=known, tasks={}, specs={}, fusion=Concat())
    assert old.lent("size", Measured()).mean == 4.0
    assert old.lent("size", Measured(mean=5.0)).mean == 5.0
    assert old.lent("other", Measured()).mean is None


def test_the_columns_of_a_head_follow_their_inputs():
    head = {"weight": torch.tensor([[1.0, 2.0, 3.0]]), "bias": torch.tensor([10.0])}
    found = regrouped(head, {"a": 1, "b": 2}, {"b": 2, "c": 1}, {"a": torch.tensor([5.0])})
    assert found["weight"].tolist() == [[2.0, 3.0, 0.0]]
    assert found["bias"].tolist() == [15.0]


def test_a_head_of_several_layers_cannot_be_regrouped():
    head = {"0.weight": torch.ones(2, 3), "0.bias": torch.ones(2), "2.weight": torch.ones(1, 2)}
    with pytest.raises(ValueError, match="its head is not one linear layer"):
        regrouped(head, {"a": 3}, {"a": 3, "b": 1}, {})
