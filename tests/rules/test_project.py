"""A project with rules, end to end: trained, asked, judged, checked on the command line."""

import csv
import json

import pytest
import yaml

from allrounder import Project, ProjectError, RunError, cli
from allrounder.rules import Meaning, Rules, Terms, World

RULES = """
version: 7
lexicons: {firms: firms.txt}
rules:
  - topic = sport => mood > 0
  - {id: firm, says: exists span:ORG => topic = markets, version: 2}
  - id: place
    says: exists span:LOC => topic != sport
    tests:
      - {given: {entities: [{text: Ruritania, label: LOC}], topic: sport}, holds: false}
      - {given: {entities: [], topic: sport}, holds: true}
  - {says: text has lexicon firms => exists span:ORG, soft: 0.5}
  - {says: topic = politics, valid_to: 2020-12-31}
"""


@pytest.fixture
def project_file(newsroom):
    file = newsroom(size=8, knowledge={"rules": "rules.yaml"})
    (file.parent / "rules.yaml").write_text(RULES)
    (file.parent / "firms.txt").write_text("Acme\n")
    return file


@pytest.fixture
def project(project_file):
    project = Project.load(project_file)
    project.train()
    return project


TEXTS = ["Acme fell in Ruritania", "The team won a great match", "The minister said", "北京"]


def test_answers_follow_the_rules_and_the_report_tells(project):
    rules = Rules.read(project.run.path / "rules.yaml")
    assert (rules.version, rules["firm"].version) == ("7", "2")
    assert rules.lexicons == {"firms": ["Acme"]}
    meaning = Meaning(rules, Terms.of(project._trained().tasks, project.plan.fields))
    changed = 0
    for text, answer in zip(TEXTS, project.predict([{"text": t} for t in TEXTS]), strict=True):
        said = World({"topic": answer["topic"]["label"], "mood": answer["mood"]["value"],
                      "entities": answer["entities"]["spans"]}, {"text": text})  # fmt: skip
        assert all(meaning.truth(rule.tree, said) for rule in rules.rules[:3])
        changed += "rules" in answer
    assert changed
    report = project.evaluate()
    assert [one.id for one in report.rules.rules] == ["rule_1", "firm", "place", "rule_4"]
    assert report.rules.after == 0.0
    assert report.rules.relaxed == 0
    assert report.rules.tasks["topic"].metric == "accuracy"
    assert report.tasks["topic"].deciding.after.value == pytest.approx(
        report.rules.tasks["topic"].after, abs=1e-5
    )
    assert "break a hard rule without decoding, 0.0% with" in str(report)
    kept = json.loads((project.run.path / "metrics.json").read_text())
    assert kept["rules"]["rules"][1]["version"] == "2"
    assert "What rules did" in (project.run.path / "report.html").read_text()


def test_a_table_of_answers_has_columns_for_rules(project, tmp_path):
    source, target = tmp_path / "in.csv", tmp_path / "out.csv"
    source.write_text("text\n" + "\n".join(TEXTS) + "\n", encoding="utf-8")
    assert project.predict_file(source, target) == len(TEXTS)
    rows = list(csv.DictReader(target.read_text(encoding="utf-8").splitlines()))
    assert {"topic_instead_of", "mood_instead_of", "rules", "rules_without"} <= {*rows[0]}
    answers = project.predict([{"text": text} for text in TEXTS])
    for row, answer in zip(rows, answers, strict=True):
        told = answer.get("rules", {}).get("violated")
        assert row["rules"] == ("" if told is None else json.dumps(told))


def test_a_run_answers_by_the_rules_that_it_was_trained_with(project, project_file):
    (project_file.parent / "rules.yaml").write_text("- topic = politics\n")
    again = Project.load(project.run.path)
    assert (
        again.predict({"text": TEXTS[0]})["topic"]["label"]
        == (project.predict({"text": TEXTS[0]})["topic"]["label"])
    )


def told(capsys, *words):
    code = cli.main(list(words))
    return code, capsys.readouterr()


def test_rules_are_tested_and_checked_on_the_command_line(project_file, capsys):
    code, said = told(capsys, "rules", "test", str(project_file), "--quiet")
    assert (code, said.out) == (
        0, "2 of 2 tests pass.\nRules without a test: rule_1, firm, rule_4, rule_5.\n"
    )  # fmt: skip
    code, said = told(capsys, "rules", "check", str(project_file), "--quiet", "--json")
    assert code == 0
    assert [one["kind"] for one in json.loads(said.out)["findings"]] == []


def test_a_test_that_fails_has_exit_code_2(project_file, capsys):
    rules = yaml.safe_load(RULES)
    rules["rules"][2]["tests"][0]["holds"] = True
    (project_file.parent / "rules.yaml").write_text(yaml.safe_dump(rules))
    code, said = told(capsys, "rules", "test", str(project_file), "--quiet")
    assert code == 2
    assert said.out.startswith("place, test 1: expected that it holds, found that it is broken: ")


def test_rules_that_contradict_one_another_neither_train_nor_pass_the_check(project_file, capsys):
    (project_file.parent / "rules.yaml").write_text("- topic = sport\n- topic = politics\n")
    code, said = told(capsys, "rules", "check", str(project_file), "--quiet")
    assert code == 2
    assert said.out.startswith("conflict: no answer follows rule_1 and rule_2.")
    with pytest.raises(ProjectError, match="The rules contradict one another"):
        Project.load(project_file).train()
    assert not list((project_file.parent / "runs").glob("*/run.json"))


def test_an_answer_as_of_a_day_follows_the_rules_of_that_day(project, capsys, tmp_path):
    records = [{"text": text} for text in TEXTS]
    then = project.predict(records, as_of="2020-12-31")
    now = project.predict(records)
    assert {one["topic"]["label"] for one in then} == {"politics"}
    assert {one["topic"]["label"] for one in now} != {"politics"}
    place = next(at for at, one in enumerate(now) if one["topic"]["label"] != "politics")
    assert "rule_5" in then[place]["rules"]["violated"]
    words = ["predict", str(project.run.path), TEXTS[place], "--quiet"]
    code, said = told(capsys, *words, "--as-of", "2020-12-31")
    assert (code, json.loads(said.out)["topic"]["label"]) == (0, "politics")
    source, target = tmp_path / "in.csv", tmp_path / "out.csv"
    source.write_text("text\n" + TEXTS[place] + "\n", encoding="utf-8")
    project.predict_file(source, target, as_of="2020-12-31")
    (row,) = csv.DictReader(target.read_text(encoding="utf-8").splitlines())
    assert (row["topic"], "rule_5" in row["rules"]) == ("politics", True)


def test_an_explanation_says_what_rules_did_and_replays_to_the_same(project, capsys, tmp_path):
    run = str(project.run.path)
    told_then = [project.explain({"text": text}, as_of="2020-12-31") for text in TEXTS]
    for text, one in zip(TEXTS, told_then, strict=True):
        assert one["answers"] == project.predict({"text": text}, as_of="2020-12-31")
        assert [rule["rule"] for rule in one["rules"]][-1] == "rule_5"
    assert any(rule["effects"] for one in told_then for rule in one["rules"])
    rules = Rules.read(project.run.path / "rules.yaml")
    versions = told_then[0]["versions"]
    assert versions["rules"] == {"version": "7", "fingerprint": rules.fingerprint}
    assert (versions["as_of"], len(versions["model"])) == ("2020-12-31", 64)
    (tmp_path / "told.jsonl").write_text("".join(json.dumps(one) + "\n" for one in told_then))
    code, said = told(capsys, "predict", run, "--replay", str(tmp_path / "told.jsonl"), "--quiet")
    assert code == 0
    assert [json.loads(line) for line in said.out.splitlines()] == told_then


def test_what_has_changed_since_cannot_be_replayed(project):
    then = project.explain({"text": TEXTS[0]})
    weights = {**then, "versions": {**then["versions"], "model": "0" * 64}}
    with pytest.raises(RunError, match="no longer has the weights that the explanation is of"):
        project.replay(weights)
    rules = {**then, "versions": {**then["versions"], "rules": {"version": "7", "fingerprint": ""}}}
    with pytest.raises(RunError, match="are no longer those of"):
        project.replay(rules)
    old = {**then, "versions": {n: v for n, v in then["versions"].items()
                                if n not in {"model", "rules"}}}  # fmt: skip
    assert project.replay(old) == then


def test_check_tells_of_conflicts_that_begin_on_a_day_to_come(project_file, capsys):
    rules = "- topic = sport\n- {says: topic = politics, valid_from: 9000-01-01}\n"
    (project_file.parent / "rules.yaml").write_text(rules)
    code, said = told(capsys, "rules", "check", str(project_file), "--quiet")
    assert code == 2
    assert said.out.startswith("conflict: no answer follows rule_1 and rule_2 from 9000-01-01 on.")
    with pytest.raises(ProjectError, match="The rules of 9000-01-01 contradict one another"):
        Project.load(project_file).train()


@pytest.mark.parametrize(
    ("says", "sentence"),
    [
        ("topic = sprot => mood > 0", "Rule 'rule_1', column 1: expected a label of `topic`, found "
         "'sprot'. Did you mean 'sport'? Labels: markets, politics, sport."),
        ("topc = sport", "Rule 'rule_1', column 1: expected a task or an input, found 'topc'. Did "
         "you mean 'topic'? Known: topic, mood, entities, text."),
    ],
)  # fmt: skip
def test_check_refuses_a_rule_that_names_what_is_not_there(project_file, says, sentence, capsys):
    (project_file.parent / "rules.yaml").write_text(f"- {says}\n")
    code, said = told(capsys, "check", str(project_file), "--quiet")
    assert (code, said.err) == (2, f"allrounder: {sentence}\n")


def test_a_project_without_rules_has_none_to_check(newsroom, capsys):
    code, said = told(capsys, "rules", "check", str(newsroom(size=2)), "--quiet")
    assert code == 2
    assert said.err == ("allrounder: The project has no rules. Name their file: knowledge.rules.\n")


def test_a_task_cannot_be_called_rules(newsroom):
    file = newsroom(size=2, knowledge={"rules": "rules.yaml"},
                    tasks={"rules": {"kind": "multiclass"}})  # fmt: skip
    with pytest.raises(ProjectError) as error:
        Project.load(file)
    assert str(error.value) == (
        "`tasks.rules`: in answers `rules` stands for what rules did. Rename the task."
    )
