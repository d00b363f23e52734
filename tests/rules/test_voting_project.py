"""A project whose rules vote, end to end: soft labels learned from, told of, resumed."""

import csv
import json

import numpy as np
import pytest
import yaml

from allrounder import Project, ProjectError
from allrounder.checking import load_records
from allrounder.evaluation import Report
from allrounder.judging import job_of
from allrounder.runs import Run

RULES = """
lexicons: {games: [match, goal, team]}
rules:
  - {id: games, says: text has lexicon games => topic = sport, decodes: false}
  - {id: bank, says: text has bank => topic != sport and tags has money, decodes: false}
  - {id: rare, says: text has zebra => topic = markets, decodes: false}
"""
TEXTS = {
    "sport": ["the team won {}", "a goal in the match {}", "a match of {} hours"],
    "markets": ["the bank fell {}", "shares of a bank rose {}", "trade {}"],
}


def write(folder, *, labelled=2, votes=True, **training):
    """Write a project of which few training records have labels; return its file."""
    folder.mkdir(exist_ok=True)
    for split, size in (("train", 40), ("validation", 8), ("test", 12)):
        with open(folder / f"{split}.csv", "w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["text", "topic", "tags"])
            for at in range(size):
                for topic, texts in TEXTS.items():
                    known = split != "train" or at < labelled
                    tags = '["money"]' if topic == "markets" else '["nature"]' if at % 2 else "[]"
                    writer.writerow([texts[at % 3].format(f"{split} {at}"),
                                     topic if known else "", tags if known else ""])  # fmt: skip
    (folder / "rules.yaml").write_text(RULES)
    project = {
        "sources": [{"path": f"{split}.csv", "split": split}
                    for split in ("train", "validation", "test")],
        "inputs": {"text": {"kind": "hashing", "width": 16, "buckets": 512}},
        "knowledge": {"rules": "rules.yaml", "votes": votes},
        "tasks": {"topic": {"kind": "multiclass"},
                  "tags": {"kind": "multilabel", "labels": ["money", "nature"]}},
        "training": {"epochs": 4, "batch_records": 8, "head_lr": 0.03, "precision": "fp32",
                     **training},
    }  # fmt: skip
    (folder / "votes.yaml").write_text(yaml.safe_dump(project, sort_keys=False))
    return folder / "votes.yaml"


def losses(report):
    return [row["losses"] for row in report.history]


def test_records_without_a_label_learn_from_votes_and_the_report_tells(tmp_path):
    project = Project.load(write(tmp_path / "with"))
    report = project.train()
    games, against, rare, money = report.votes
    assert (games.rule, games.says, games.num_votes, games.num_gold, games.precision) == (
        "games", "sport", 40, 2, 1.0
    )  # fmt: skip
    assert (against.rule, against.says, money.rule, money.says) == (
        "bank", "markets", "bank", "money"
    )  # fmt: skip
    assert (rare.num_votes, rare.precision) == (0, None)
    assert games.reliability > 0.9
    plain = Project.load(write(tmp_path / "without", votes=False)).train()
    assert not plain.votes
    better = report.tasks["topic"].metrics["accuracy"].after.value
    assert better > plain.tasks["topic"].metrics["accuracy"].after.value - 0.05
    assert "Votes of rules on training records" in str(report)
    assert "What rules voted" in (project.run.path / "report.html").read_text()
    kept = Report.from_dict(json.loads((project.run.path / "metrics.json").read_text()))
    assert kept.votes == report.votes
    assert report.rules is None  # they only vote
    assert project.evaluate().votes == report.votes
    (answer,) = Project.load(project.run.path).predict([{"text": "the match"}])
    assert "rules" not in answer


def test_the_same_votes_give_the_same_training(tmp_path):
    one, other = (Project.load(write(tmp_path / name)).train() for name in "ab")
    assert losses(one) == losses(other)


def test_an_interrupted_training_goes_on_to_the_same_end(tmp_path):
    whole = Project.load(write(tmp_path / "whole", checkpoint_minutes=0)).train()
    project, steps = Project.load(write(tmp_path / "cut", checkpoint_minutes=0)), 0

    def kill(stage, *_):
        nonlocal steps
        steps += stage == "train"
        if steps == 7:
            raise KeyboardInterrupt

    project.tell = kill
    with pytest.raises(KeyboardInterrupt):
        project.train()
    project.tell = lambda *_: None
    assert losses(project.train(resume=True)) == losses(whole)


def test_votes_weigh_as_much_as_is_asked(tmp_path):
    full = losses(Project.load(write(tmp_path / "full")).train())
    half = losses(Project.load(write(tmp_path / "half", votes={"weight": 0.5})).train())
    assert half != full
    first = {name: row["topic"] for name, row in (("full", full[0]), ("half", half[0]))}
    assert first["half"] < first["full"]


def test_votes_without_rules_are_refused(tmp_path):
    file = write(tmp_path / "none")
    spec = yaml.safe_load(file.read_text())
    del spec["knowledge"]["rules"]
    file.write_text(yaml.safe_dump(spec))
    with pytest.raises(ProjectError, match="`votes`, but no rules that could vote"):
        Project.load(file)


@pytest.mark.parametrize("verb", ["train", "check"])
def test_a_label_that_no_record_carries_is_refused(tmp_path, verb):
    file = write(tmp_path / "wrong")
    (file.parent / "rules.yaml").write_text(RULES.replace("topic = sport", "topic = sprot"))
    with pytest.raises(ProjectError, match=r"found 'sprot'\. Did you mean 'sport'"):
        getattr(Project.load(file), verb)()


def test_rules_that_only_vote_may_contradict_one_another(tmp_path):
    file = write(tmp_path / "apart")
    (file.parent / "rules.yaml").write_text(
        RULES + "  - {id: other, says: text has match => topic != sport, decodes: false}\n"
    )
    project = Project.load(file)
    project.check()
    assert not project.check_rules().findings
    assert [one.rule for one in project.train().votes if one.task == "topic"] == [
        "games", "bank", "rare", "other"
    ]  # fmt: skip


def test_check_refuses_rules_of_which_none_can_vote(tmp_path):
    file = write(tmp_path / "mute")
    (file.parent / "rules.yaml").write_text("- topic = sport => not tags has money\n")
    with pytest.raises(ProjectError, match=r"`knowledge\.votes`: expected a rule whose condition"):
        Project.load(file).check()


def test_validation_and_test_records_never_learn_from_votes(tmp_path):
    plan = Project.load(write(tmp_path / "splits")).plan
    records = load_records(plan)
    job = job_of(plan, records, Run(tmp_path, {}), lambda *_: None).learned()
    assert set(job.rows("train")) <= set(records.indices("train"))
    assert len(job.rows("train")) > len(records.labeled("train"))
    for split in ("validation", "test"):
        assert np.array_equal(job.rows(split), records.labeled(split))
