"""A project with a knowledge base goes on from a run that had one; its twins know as much."""

import json

import pytest
import torch
import yaml

from allrounder import Project
from allrounder.checking import load_records
from allrounder.judging import job_of
from allrounder.model import Answerer
from allrounder.runs import Run

FIRMS = [f"{one}{other}" for one in ("Ac", "Ze", "Go", "Oro") for other in ("me", "ta", "rex")]


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    folder = tmp_path_factory.mktemp("going-on")
    rows = [
        {"text": f"{name} {what}", "topic": ("energy", "health")[at % 2]}
        for at, name in enumerate(FIRMS)
        for what in ("rose today", "fell again", "won", "said so")
    ]
    (folder / "news.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    facts = "".join(f"{name}\ttype\t{('energy', 'health')[at % 2]} firm\n"
                    for at, name in enumerate(FIRMS))  # fmt: skip
    (folder / "firms.tsv").write_text(facts, encoding="utf-8")
    project = {
        "sources": [{"path": "news.jsonl"}],
        "inputs": {"text": {"kind": "hashing", "width": 16, "buckets": 256}},
        "knowledge": {"facts": "firms.tsv", "injection": ["gazetteer", "facts"]},
        "tasks": {"topic": {"kind": "multiclass"}},
        "training": {"epochs": 4, "head_lr": 0.02, "precision": "fp32"},
    }
    path = folder / "news.yaml"
    path.write_text(yaml.safe_dump(project, sort_keys=False), encoding="utf-8")
    Project.load(path).train()
    return path


def job(file, *changes):
    plan = Project.load(file, changes=["from=runs/1", *changes]).plan
    run = Run(file.parent / "new", {})
    return job_of(plan, load_records(plan), run, lambda *_: None).learned()


def answers(model, prepared):
    rows = torch.arange(len(prepared)).numpy()
    return Answerer([(model.eval(), list(model.tasks))], {}).answers(prepared, rows)


def test_at_the_start_the_model_answers_as_the_run_does(file):
    found = job(file)
    model = found.model(dropout=0.0)
    mine = answers(model, found.prepared(model))
    old = Project.load(file.parent / "runs" / "1")
    kept = old.predictor.model
    assert mine == answers(kept, old.predictor.prepared({
        "text": found.records.values("text").combine_chunks()}))  # fmt: skip


def test_types_stay_in_the_order_in_which_the_run_learned_them(file):
    path, text = file.with_name("firms.tsv"), file.with_name("firms.tsv").read_text("utf-8")
    path.write_text(text + "".join(f"{name}\ttype\tall firms\n" for name in FIRMS), "utf-8")
    try:
        found = job(file).knowing.injections["text_gazetteer"].types
    finally:
        path.write_text(text, encoding="utf-8")
    assert found == ["energy firm", "health firm"]


def test_what_is_told_otherwise_begins_closed(file):
    changed = job(file, "knowledge.injection=[{kind: gazetteer, types: [health firm]}]")
    (module,) = changed.model(dropout=0.0).injections.values()
    assert not module.of_tokens.value.weight.any()


def test_a_twin_is_told_of_the_inputs_that_it_reads(file):
    lines = [json.loads(line) for line in file.with_name("news.jsonl").read_text().splitlines()]
    rows = [{**row, "title": row["text"][:8], "tone": "up" if at % 3 else "down"}
            for at, row in enumerate(lines)]  # fmt: skip
    file.with_name("both.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    project = yaml.safe_load(file.read_text(encoding="utf-8"))
    project |= {
        "sources": [{"path": "both.jsonl"}],
        "inputs": {name: project["inputs"]["text"] for name in ("text", "title")},
        "tasks": {"topic": {"kind": "multiclass", "of": "text"},
                  "tone": {"kind": "multiclass", "of": "title"}},
        "training": {**project["training"], "epochs": 2, "twins": True},
    }  # fmt: skip
    path = file.with_name("both.yaml")
    path.write_text(yaml.safe_dump(project, sort_keys=False), encoding="utf-8")
    report = Project.load(path).train()
    assert set(report.sharing.tasks) == {"topic", "tone"}
