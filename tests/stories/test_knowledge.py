"""A knowledge base in a project, from the command line and from Python."""

import csv
import itertools
import json

import pytest
import yaml

from allrounder import DataError, Project, RunError
from allrounder.knowledge import Fact, Store

FIRST, LAST = "ac ze go oro lin ben ta".split(), "me ta rex wi ode rau fin os un".split()
NAMES = [(one + other).capitalize() for one, other in itertools.product(FIRST, LAST)]
SECTORS = ("energy", "banking", "health")
FRAMES = ("{} rose today", "shares of {} fell", "why {} won", "{} said so", "who leads {}")
INJECTION = {"kind": "facts", "dropout": 0.0}
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
        writer.writerow(["text", "topic", "firm"])
        writer.writerows((f.format(n), sector(n), n) for n in NAMES for f in FRAMES)
    (folder / "firms.tsv").write_text(facts(), encoding="utf-8")
    project = {
        "sources": [{"path": "news.csv", "split": {"by": "group", "column": "firm"}}],
        "inputs": {"text": {"kind": "hashing", "width": 32, "buckets": 4096}},
        "knowledge": {"facts": "firms.tsv", "injection": INJECTION},
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


def test_facts_hold_on_their_days(news, edited):
    path = news.with_name("firms.tsv")
    rows = [f"{name}\tsector\t{sector(name)}\t\t\n" for name in NAMES]
    rows += ["Nuvo\tsector\tenergy\t\t2025-06-01\n", "Nuvo\tsector\tbanking\t2025-06-01\t\n"]
    path.write_text("subject\tpredicate\tobject\tvalid_from\tvalid_to\n" + "".join(rows), "utf-8")
    project = Project.load(news)
    ask = {"text": "why Nuvo won"}
    assert project.predict(ask, as_of="2025-05-31")["topic"]["label"] == "energy"
    assert project.predict(ask, as_of="2025-06-01")["topic"]["label"] == "banking"
    assert project.predict(ask)["topic"]["label"] == "banking"
    edited({})
    assert project.predict(ask)["topic"]["label"] == "energy"


def test_a_day_that_is_none_is_refused(news, say):
    code, _, err = say("predict", news, "why Nuvo won", "--as-of", "tomorrow", "--quiet")
    assert code == 2
    assert "as of 'tomorrow': expected a day such as 2025-01-31." in err


def test_reasons_say_what_the_answer_would_be_without_a_fact(news, say):
    code, out, err = say("predict", news, "why Nuvo won", "--explain", "--quiet")
    assert code == 0, err
    told = json.loads(out)
    assert told["answers"]["topic"]["label"] == "energy"
    assert [m["text"] for m in told["mentions"]] == ["Nuvo"]
    mention, fact = told["reasons"]
    assert "fact" not in mention
    assert fact["fact"] == "sector: energy" and fact["entity"] == "Nuvo"
    assert fact["effects"]["topic"]["effect"] > 0.2


def test_the_effect_of_a_fact_is_what_retracting_it_does(news, edited):
    project, ask = Project.load(news), {"text": "why Nuvo won"}
    told = project.explain(ask)
    text = facts().replace("Nuvo\tsector\tenergy\n", "Nuvo\tname\tNuvo\n")
    news.with_name("firms.tsv").write_text(text, encoding="utf-8")
    without = Project.load(news).predict(ask)["topic"]
    usual = told["answers"]["topic"]
    lost = usual["probabilities"]["energy"] - without["probabilities"]["energy"]
    assert told["reasons"][1]["effects"]["topic"]["effect"] == pytest.approx(lost, abs=1e-5)


def test_a_stored_explanation_replays_to_the_same_answer_after_the_facts_have_changed(
    news, edited, say, tmp_path
):
    told = Project.load(news).explain({"text": "why Nuvo won"})
    (tmp_path / "told.jsonl").write_text(json.dumps(told) + "\n", encoding="utf-8")
    edited({"Nuvo": "health"})
    code, out, err = say("predict", news, "--replay", tmp_path / "told.jsonl", "--quiet")
    assert code == 0, err
    assert json.loads(out) == told
    assert Project.load(news).predict({"text": "why Nuvo won"})["topic"]["label"] == "health"


def test_facts_that_are_gone_cannot_be_replayed(news, edited):
    edited({"Nuvo": "health"})
    told = Project.load(news).explain({"text": "why Nuvo won"})
    edited({"Nuvo": "banking"})
    with pytest.raises(RunError, match=r"The facts of the explanation \(version 1, .{8}\) are nei"):
        Project.load(news).replay(told)


@pytest.mark.parametrize("told", [{}, {"record": {}}, [], {"record": {}, "versions": {"run": 1}}])
def test_what_is_no_explanation_cannot_be_replayed(news, told):
    with pytest.raises(DataError, match="This is no explanation as"):
        Project.load(news).replay(told)


def test_a_store_answers_from_its_active_version_and_replays_old_ones(tmp_path):
    file = write(tmp_path / "stored", knowledge={"facts": "firms.db", "injection": INJECTION})
    store = Store(file.with_name("firms.db"))
    table = [Fact(*line.split("\t")) for line in facts().splitlines()]
    store.replace(table, source="firms.tsv")
    project = Project.load(file)
    project.train()
    ask = {"text": "who leads Nuvo"}
    told = project.explain(ask)
    assert told["answers"]["topic"]["label"] == "energy"
    for number, what in enumerate(["banking", "health"], start=2):
        changed = [f for f in table if f.subject != "Nuvo"] + [Fact("Nuvo", "sector", what)]
        store.replace(changed, source="firms.tsv")
        assert project.predict(ask)["topic"]["label"] == what
        assert project.explain(ask)["versions"]["facts"]["version"] == number
    middle = project.explain(ask)
    inbox = file.with_name("inbox.jsonl")
    texts = ["who leads Nuvo", f"who leads {NAMES[0]}", "nobody"]
    inbox.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts), "utf-8")
    (flip,) = project.shadow(2, inbox)
    assert flip == {
        "record": {"text": "who leads Nuvo"},
        "now": {"topic": "health"},
        "then": {"topic": "banking"},
        "through": ["+ Nuvo sector “banking”", "- Nuvo sector “health”"],
    }
    assert list(project.shadow(3, inbox)) == []
    with pytest.raises(DataError, match="has no version 9"):
        project.shadow(9, inbox)
    store.activate(1)
    assert project.predict(ask)["topic"]["label"] == "energy"
    assert project.replay(middle) == middle
    store.close()


def test_check_says_what_is_known_and_how_often_texts_mention_it(news, say):
    code, out, err = say("check", news, "--quiet")
    assert code == 0, err
    assert "knowledge, version 1: 65 facts about 65 entities" in out
    assert "mention something: 100.0% of text" in out
    code, out, _ = say("check", news, "--quiet", "--json")
    assert json.loads(out)["knowledge"]["predicates"] == {"sector": 65}


def test_check_says_where_texts_hardly_mention_anything(tmp_path, say):
    file = write(tmp_path / "strange")
    file.with_name("firms.tsv").write_text("Quux\tsector\tenergy\n", encoding="utf-8")
    code, out, err = say("check", file, "--quiet")
    assert code == 0, err
    assert "Only 0.0% of the texts of text mention anything that the knowledge base knows" in out


def test_files_of_facts_have_no_versions_to_compare(news, say):
    code, _, err = say("predict", news, "--data", news.with_name("news.csv"), "--shadow", 2)
    assert code == 2
    assert "--shadow compares versions of a store, and `knowledge.facts` is none." in err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["why Nuvo won", "--shadow", "2"], "--shadow looks at the records of a file: name it"),
        (["--explain"], "--explain is for texts on the command line: give one, or use Python."),
        (["--replay", "nowhere.jsonl"], "--replay nowhere.jsonl cannot be read:"),
    ],
)
def test_options_that_do_not_go_together_are_refused(news, say, words, said):
    code, _, err = say("predict", news, "--quiet", *words)
    assert code == 2
    assert said in err


def test_rules_that_name_no_predicate_of_the_knowledge_base_are_refused_by_check(tmp_path, say):
    file = write(
        tmp_path / "ruled",
        knowledge={"facts": "firms.tsv", "injection": INJECTION, "rules": "rules.yaml"},
        tasks={"topic": {"kind": "multiclass"}, "who": {"kind": "spans", "labels": ["ORG"]}},
    )
    rows = [
        json.dumps({"text": f"{n} won", "who": [{"start": 0, "end": len(n), "label": "ORG"}]})
        for n in NAMES
    ]
    (file.parent / "tagged.jsonl").write_text("\n".join(rows), encoding="utf-8")
    project = yaml.safe_load(file.read_text(encoding="utf-8"))
    project["sources"].append({"path": "tagged.jsonl"})
    file.write_text(yaml.safe_dump(project), encoding="utf-8")
    says = 'exists span:ORG f with kb(f, sectr, "energy") => topic = energy'
    (file.parent / "rules.yaml").write_text(f"rules:\n- '{says}'\n", encoding="utf-8")
    code, _, err = say("check", file, "--quiet")
    assert code == 2
    assert "found 'sectr'. Did you mean 'sector'?" in err


def test_with_linking_candidates_lend_by_how_likely_they_are_and_explanations_say_so(tmp_path):
    known = {"facts": "firms.tsv", "injection": INJECTION, "linking": {"nil": -1.0}}
    file = write(tmp_path / "linked", knowledge=known)
    twins = "Nuvo2\talias\tNuvo\nNuvo2\tsector\tbanking\n"
    file.with_name("firms.tsv").write_text(facts() + twins, encoding="utf-8")
    project = Project.load(file)
    project.train()
    ask = {"text": "why Nuvo won"}
    told = Project.load(file).explain(ask)
    (mention,) = told["mentions"]
    likely = [one["probability"] for one in mention["candidates"]]
    assert [one["id"] for one in mention["candidates"]] == ["Nuvo", "Nuvo2"]
    assert sum(likely) + mention["nil"] == pytest.approx(1, abs=1e-5)
    assert 0 < mention["nil"] < 1
    assert told["answers"]["topic"] == Project.load(file).predict(ask)["topic"]
    assert Project.load(file).replay(told) == told


def test_a_file_that_is_broken_for_a_while_is_refused_until_it_is_mended(news, edited):
    project, path = Project.load(news), news.with_name("firms.tsv")
    ask = {"text": "why Nuvo won"}
    assert project.predict(ask)["topic"]["label"] == "energy"
    path.write_text("Nuvo\tsector\n", encoding="utf-8")
    for _ in range(2):  # not only once
        with pytest.raises(DataError, match=r"firms.tsv, line 1"):
            project.predict(ask)
    edited({"Nuvo": "banking"})
    assert project.predict(ask)["topic"]["label"] == "banking"


def test_predicates_to_be_told_must_be_there(tmp_path, say):
    told = {**INJECTION, "predicates": ["sectr"]}
    file = write(tmp_path / "told", knowledge={"facts": "firms.tsv", "injection": told})
    for verb in ("check", "train"):
        code, _, err = say(verb, file, "--quiet")
        assert code == 2
        assert "`knowledge.injection.predicates` names 'sectr'" in err
        assert "Did you mean 'sector'?" in err
