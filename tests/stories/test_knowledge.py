"""A knowledge base in a project, from the command line and from Python."""

import csv
import itertools
import json

import pytest
import yaml

from allrounder import Project

FIRST, LAST = "ac ze go oro lin ben ta".split(), "me ta rex wi ode rau fin os un".split()
NAMES = [(one + other).capitalize() for one, other in itertools.product(FIRST, LAST)]
SECTORS = ("energy", "banking", "health")
FRAMES = ("{} rose today", "shares of {} fell", "why {} won", "{} said so", "who leads {}")
HIDDEN = {"Nuvo": "energy", "Pelt": "health"}
"""Firms that no record mentions."""


def sector(name):
    return SECTORS[sum(map(ord, name)) % 3]


def facts(changes=()):
    known = {name: sector(name) for name in NAMES} | HIDDEN | dict(changes)
    return "".join(f"{name}\tsector\t{what}\n" for name, what in known.items())


def write(folder, **sections):
    """Write texts on firms whose sector only the knowledge base tells, and a project."""
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / "news.csv", "w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["text", "topic"])
        writer.writerows((f.format(n), sector(n)) for n in NAMES for f in FRAMES)
    (folder / "firms.tsv").write_text(facts(), encoding="utf-8")
    project = {
        "sources": [{"path": "news.csv"}],
        "inputs": {"text": {"kind": "hashing", "width": 32, "buckets": 4096}},
        "knowledge": {"facts": "firms.tsv", "injection": "facts"},
        "tasks": {"topic": {"kind": "multiclass"}},
        "training": {"epochs": 25, "head_lr": 0.02, "precision": "fp32", "patience": 25},
        **sections,
    }
    file = folder / "news.yaml"
    file.write_text(yaml.safe_dump(project, sort_keys=False), encoding="utf-8")
    return file


@pytest.fixture(scope="module")
def news(tmp_path_factory):
    """The project file of a trained run."""
    file = write(tmp_path_factory.mktemp("news"))
    Project.load(file).train()
    return file


@pytest.fixture
def edited(news):
    """Edit the facts: ``edited({"Nuvo": "banking"})``; they are as before afterwards."""
    path = news.with_name("firms.tsv")
    yield lambda changes: path.write_text(facts(changes), encoding="utf-8")
    path.write_text(facts(), encoding="utf-8")


def topic(news, text):
    return Project.load(news).predict({"text": text})["topic"]["label"]


def test_firms_that_no_record_mentions_are_known_by_their_facts(news):
    for name, expected in HIDDEN.items():
        assert topic(news, f"shares of {name} fell") == expected


def test_an_edited_fact_changes_the_answer_without_training(news, edited):
    assert topic(news, "why Nuvo won") == "energy"
    edited({"Nuvo": "banking"})
    assert topic(news, "why Nuvo won") == "banking"


def test_a_run_answers_from_its_own_facts_where_the_file_is_gone(news, edited):
    path = news.with_name("firms.tsv")
    kept = path.read_text(encoding="utf-8")
    path.unlink()
    try:
        assert topic(news, "who leads Pelt") == "health"
    finally:
        path.write_text(kept, encoding="utf-8")


def test_the_run_keeps_its_facts_and_the_project_file_says_all(news):
    run = Project.load(news).run
    said = run.project()["knowledge"]
    assert said["facts"]["path"] == "firms.tsv"
    assert said["injection"][0]["kind"] == "facts"
    assert (run.path / "knowledge" / "facts" / "about.json").exists()


def test_evaluating_again_gives_the_same_scores(news, say):
    code, out, err = say("evaluate", news, "--json", "--quiet")
    assert code == 0, err
    again = json.loads(out)["tasks"]["topic"]["metrics"]["accuracy"]["after"]["value"]
    kept = Project.load(news).run.json("metrics.json")
    assert again == kept["tasks"]["topic"]["metrics"]["accuracy"]["after"]["value"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (None, "`knowledge.facts.path`: there is no file 'firms.tsv' in"),
        ("", "firms.tsv: expected facts, found none. Fill the file, or name another."),
        ("Acme\tsector\n", "firms.tsv, line 1"),
    ],
)
def test_facts_that_cannot_be_read_stop_the_training_in_one_sentence(tmp_path, say, text, words):
    file = write(tmp_path / "bad")
    path = file.with_name("firms.tsv")
    path.unlink() if text is None else path.write_text(text, encoding="utf-8")
    code, _, err = say("train", file, "--quiet")
    assert code == 2
    assert words in err and len(err.strip().splitlines()) == 1
    assert not list((file.parent / "runs").glob("*/model.safetensors"))
