"""What asking has come to: a strategy that loses is switched off, and says so."""

import json

import numpy as np
import pytest
from sentences import sentences, write_sentences

from allrounder import Project
from allrounder.asking import open_inquiry
from allrounder.asking.review import Review
from allrounder.checking import load_records
from allrounder.ledger import Answer, Answers, Question
from allrounder.plan import read_plan

ACTIVE = {"kind": "margin", "n": 12, "start_n": 10, "tasks": ["topic"], "random_share": 0.2}


@pytest.fixture
def file(tmp_path):
    """A project of 200 training records without labels and 200 that judge."""
    folder = tmp_path / "desk"
    folder.mkdir()
    more = folder / "more.jsonl"
    more.write_text("".join(json.dumps(row) + "\n" for row in sentences(200, seed=9)), "utf-8")
    rows = [{"text": row["text"]} for row in sentences(200)]
    file = write_sentences(folder, train=rows, active=ACTIVE)
    rest = json.dumps({"path": more.name, "split": "validation"})
    file.write_text(file.read_text("utf-8").replace("sources:\n", f"sources:\n- {rest}\n"), "utf-8")
    return file


def answered(file, *, chosen_only: str | None = None, n: int = 60):
    """Answer n chosen and n drawn questions rightly; with a label, only such were chosen."""
    plan = read_plan(file)
    records = load_records(plan, trains=False)
    truth = {row["text"]: row["topic"] for row in sentences(200)}
    rows = records.indices("train")
    texts = records.take("text", rows)
    keys = [format(int(key), "016x") for key in records.numbers("key")[rows]]
    pairs = list(zip(keys, [truth[text] for text in texts], strict=True))
    chosen = [pair for pair in pairs if chosen_only in (None, pair[1])][:n]
    drawn = [pair for pair in pairs if pair not in chosen][-n:]
    with Answers(plan.where) as ledger:
        ledger.ask(
            [Question(key=key, task="topic", arm=arm, strategy="margin")
             for arm, some in (("chosen", chosen), ("random", drawn)) for key, _ in some]
        )  # fmt: skip
        ledger.append(
            [Answer(id=key, who="ann", key=key, task="topic", act="label", value=value)
             for key, value in [*chosen, *drawn]]
        )  # fmt: skip


def test_a_strategy_that_loses_is_switched_off_and_says_so(file):
    answered(file, chosen_only="sport", n=80)
    found = Project.load(file).ask()
    assert found.review.lost == {"topic"}
    assert "Choosing loses, so topic is asked at random now." in str(found)
    chosen = [one for one in found.questions if one.arm == "chosen"]
    assert {one.strategy for one in chosen} == {"random"}


def test_the_gain_stands_with_its_interval_and_makes_a_curve(file):
    answered(file)
    project = Project.load(file)
    found = project.ask().review
    assert not found.lost
    gain = found.tasks["topic"].gain
    assert 50 < gain.n <= 60 and gain.low <= gain.gain <= gain.high
    assert [point["answers"] for point in found.curve["topic"]] == [found.answers]
    assert project.ask().review == found  # nothing new to look at
    kept = json.loads((file.parent / ".allrounder" / "review.json").read_text("utf-8"))
    assert Review.from_dict(kept) == found


def test_without_answers_there_is_nothing_to_look_at(file):
    assert Project.load(file).ask().review is None


def test_a_review_that_cannot_be_read_is_made_anew(file):
    answered(file)
    path = file.parent / ".allrounder" / "review.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text('{"answers": 7', "utf-8")
    assert Project.load(file).ask().review.answers > 100


def test_what_judges_is_what_nobody_learns_from(file):
    answered(file)
    plan = read_plan(file)
    inquiry = open_inquiry(
        plan, runs=file.parent / "runs", strategy=plan.active, tell=lambda *_: None
    )
    assert np.isin(inquiry.planner.trained("topic"), np.flatnonzero(inquiry.pool.splits == 0)).all()
