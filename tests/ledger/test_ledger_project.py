"""A project whose labels are answers of people: `check`, `train` and `evaluate` see them."""

import sys
from subprocess import run

import pytest
import yaml
from asking import undo

from allrounder import Project, ProjectError, RunError
from allrounder.checking import load_records
from allrounder.errors import DataError
from allrounder.ledger import Answer, Answers
from allrounder.plan import make_plan

SECTIONS = {
    "sources": ["news.csv"],
    "inputs": {"text": "hashing"},
    "tasks": {
        "topic": {"kind": "multiclass", "labels": ["sport", "trade"]},
        "who": {"kind": "spans", "of": "text", "labels": ["PER"]},
    },
    "training": {"epochs": 2},
}
TEXTS = [
    f"Anna {word} number {n} 😀 ." for n in range(60) for word in ("runs", "sells")
]  # label by its verb


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "news.csv").write_text("text\n" + "".join(f"{t}\n" for t in TEXTS))
    return tmp_path


def plan_of(folder, **sections):
    return make_plan({**SECTIONS, **sections}, folder=folder)


def said(records, rows):
    """What somebody says of records: their topic by the verb, and who."""
    for row in rows:
        (text,) = records.take("text", [row])
        key = format(records.numbers("key")[row], "016x")
        topic = "sport" if "runs" in text else "trade"
        more = {"who": "ada", "key": key, "act": "label"}
        yield Answer(id=f"{row}-topic", task="topic", value=topic, **more)
        span = {"start": 0, "end": 4, "label": "PER"}
        yield Answer(id=f"{row}-who", task="who", value=[span], **more)


def test_answers_are_labels_in_the_right_rows_and_the_fingerprint_follows_them(folder, where):
    plan = plan_of(folder, ledger=str(where))
    bare = load_records(plan, trains=False)
    assert bare.indices(task="topic").tolist() == []
    prints = [bare.fingerprint]
    with Answers(where) as ledger:
        for one in said(bare, [3, 100]):
            ledger.append([one])
            prints.append(load_records(plan, trains=False).fingerprint)
        assert len(set(prints)) == 5
        records = load_records(plan, trains=False)
        assert records.indices(task="topic").tolist() == [3, 100]
        assert records.take("topic", [3, 100]) == ["trade", "sport"]
        assert records.take("who", [100]) == [[{"start": 0, "end": 4, "label": "PER"}]]
        assert "Labels that people gave: topic 2, who 2." in records.notes
        ledger.append([undo("back", "100-who", key=next(iter(said(bare, [100]))).key)])
        ledger.append([Answer(id="skip", who="ada", key="0" * 16, task="topic", act="skip")])
    assert load_records(plan, trains=False).fingerprint == prints[-1]
    assert len(list((folder / ".allrounder" / "records").glob("*.arrow"))) == 1


def test_from_no_label_to_a_trained_and_judged_model(folder):
    (folder / "news.yaml").write_text(yaml.safe_dump(SECTIONS))
    project = Project.load(folder / "news.yaml")
    with pytest.raises(DataError, match=r"`tasks.topic` has no label in any source"):
        project.check()
    bare = load_records(project.plan, trains=False)
    with Answers(folder / "ledger.db") as ledger:
        ledger.append(list(said(bare, range(len(bare)))))
    told = "Labels that people gave: topic 120, who 120."
    found = project.check()
    assert told in found.advice
    assert found.data.labels["topic"] == {"sport": 60, "trade": 60}
    report = project.train()
    assert told in report.notes
    assert "ledger: ledger.db" in (project.run.path / "project.yaml").read_text()
    judged = project.evaluate()
    assert judged.tasks["topic"].num_records > 0


def test_one_answer_of_another_label_leaves_all_others_and_is_told(folder):
    plan = plan_of(folder)
    bare = load_records(plan, trains=False)
    with Answers(folder / "ledger.db") as ledger:
        ledger.append([one for one in said(bare, range(40)) if one.task == "topic"])
        ledger.append([Answer(id="x", who="b", key="f" * 16, task="topic", act="label", value="y")])
        settled = next(iter(said(bare, [7])))
        ledger.append([Answer(**{**vars(settled), "id": "y", "act": "settle", "value": "weather"})])
    records = load_records(plan, trains=False)
    assert len(records.indices(task="topic")) == 39
    assert records.told == [
        "Labels that people gave: topic 39.",
        "1 answer of people was left out: no source holds the record any more.",
        "1 answer of people was left out: topic does not take the label, such as 'weather'.",
    ]


def test_a_ledger_that_is_damaged_or_newer_is_told(folder):
    import sqlite3

    plan, path = plan_of(folder), folder / "ledger.db"
    bare = load_records(plan, trains=False)
    with Answers(path) as ledger:
        ledger.append(list(said(bare, [1])))
    link = sqlite3.connect(path)
    link.execute("PRAGMA user_version = 99")
    link.close()
    records = load_records(plan, trains=False)
    assert "was written by a newer Allrounder (ledger format 99)" in records.notes[-1]
    assert records.indices(task="topic").tolist() == [1]
    path.write_text("no database " * 500)
    with pytest.raises(RunError, match="is no ledger"):
        load_records(plan, trains=False)


@pytest.mark.parametrize(
    ("ledger", "words"),
    [
        (7, "`ledger` must be a path or postgresql://user@host/database. Got 7."),
        ("mysql://h/d", "`ledger` must be a path or begin with postgresql://."),
        ("postgresql://ada:secret@h/d", "Put it into the environment variable ALLROUNDER_LEDGER"),
    ],
)
def test_a_ledger_that_cannot_be_is_refused(folder, ledger, words):
    with pytest.raises(ProjectError) as caught:
        plan_of(folder, ledger=ledger)
    assert words in str(caught.value)
    assert "secret" not in str(caught.value)


def test_where_the_ledger_is(folder):
    assert plan_of(folder).where.file == folder / "ledger.db"
    assert plan_of(folder, ledger="people/all.db").made == folder / "people" / "all.db"
    plan = plan_of(folder, ledger="postgresql://ada@host/news")
    assert (plan.where.url, plan.made) == ("postgresql://ada@host/news", folder / "ledger.db")
    assert plan.to_dict()["ledger"] == "postgresql://ada@host/news"


@pytest.mark.parametrize("made", [False, True])
def test_without_answers_nothing_of_it_is_imported(folder, made):
    (folder / "news.yaml").write_text(yaml.safe_dump(SECTIONS))
    if made:
        with Answers(folder / "ledger.db"):
            pass
    code = (
        "import sys\n"
        "from pathlib import Path\n"
        "from allrounder.checking import load_records\n"
        "from allrounder.plan import read_plan\n"
        f"load_records(read_plan(Path({str(folder / 'news.yaml')!r})), trains=False)\n"
        "print('sqlalchemy' in sys.modules)"
    )
    done = run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
