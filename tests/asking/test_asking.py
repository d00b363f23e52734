"""`ask` on a small project: from its files to questions in the ledger."""

import json
from pathlib import Path

import pytest
from sentences import sentences, write_sentences

from allrounder import Project, cli, labeling
from allrounder.active import STRATEGIES, encoding
from allrounder.errors import DataError, ProjectError
from allrounder.ledger import Answer, Answers

ACTIVE = {"kind": "margin", "n": 8, "start_n": 10}


@pytest.fixture
def file(tmp_path):
    rows = [row if n % 2 else {"text": row["text"]} for n, row in enumerate(sentences(80))]
    return write_sentences(tmp_path / "desk", train=rows, active=ACTIVE)


def queue(file):
    with Answers(file.parent / "ledger.db", read_only=True) as ledger:
        return ledger.queue()


def test_questions_lie_in_the_ledger_with_what_the_model_would_say(file):
    found = Project.load(file).ask()
    asked = queue(file)
    assert len(found.questions) == len(asked) == 8
    assert [one.task for one in asked] == [one.task for one in found.questions]
    topics = [one for one in asked if one.task == "topic" and one.arm == "chosen"]
    assert topics and {one.strategy for one in topics} == {"margin"}
    for one in topics:
        assert one.suggestion["value"] in ("markets", "sport")
        assert 0 < one.suggestion["probability"] <= 1
    spans = [one for one in asked if one.task == "who" and one.arm == "chosen"]
    assert {one.strategy for one in spans} == {"k_means"}
    assert all(one.probability for one in asked if one.arm == "random")


def test_nothing_that_has_a_label_is_asked(file):
    project = Project.load(file)
    labeled = {row["text"] for row in sentences(80)[1::2]}
    found = project.ask(30)
    pairs = zip(found.questions, found.shown, strict=True)
    assert not [text for one, text in pairs if one.task == "topic" and text in labeled]


def test_what_was_skipped_is_not_asked_again_and_what_was_read_is_preferred(file):
    project = Project.load(file)
    first = project.ask(60)
    with Answers(file.parent / "ledger.db") as ledger:
        asked = ledger.queue()
        ledger.append([
            Answer(id=str(n), who="ann", key=one.key, task=one.task, act="skip")
            for n, one in enumerate(asked)
        ])  # fmt: skip
    again = project.ask(60)
    before = {(one.place, one.task) for one in first.questions}
    assert not before & {(one.place, one.task) for one in again.questions}


def test_answers_are_labels_of_the_next_questions(file):
    project = Project.load(file)
    first = [one for one in project.ask(60).questions if one.task == "topic"]
    with Answers(file.parent / "ledger.db") as ledger:
        topics = [one for one in ledger.queue() if one.task == "topic"]
        ledger.append([
            Answer(id=str(n), who="ann", key=one.key, task="topic", act="label", value="sport")
            for n, one in enumerate(topics)
        ])  # fmt: skip
    before = queue(file)[0].why["labels"]
    again = project.ask(60)
    assert not {one.place for one in first} & {
        one.place for one in again.questions if one.task == "topic"
    }
    assert max(one.why["labels"] for one in queue(file) if one.task == "topic") > before


def test_a_pool_smaller_than_asked_is_asked_whole_and_told(file):
    found = Project.load(file).ask(1000)
    assert len(found.questions) < 1000
    assert any("1,000 questions were asked for, but only" in note for note in found.notes)
    rest = Project.load(file).ask(1000)
    assert len(rest.questions) == len(found.questions)  # nobody has answered yet


def test_a_source_without_records_is_told(tmp_path):
    file = write_sentences(tmp_path / "desk", active=ACTIVE)
    (file.parent / "train.jsonl").write_text("", "utf-8")
    with pytest.raises(DataError, match=r"train\.jsonl"):
        Project.load(file).ask()


def test_a_task_with_one_label_so_far_is_told(tmp_path):
    rows = [{**row, "topic": "sport"} for row in sentences(20)]
    rows += [{"text": row["text"]} for row in sentences(30, seed=5)]
    active = {**ACTIVE, "random_share": 0}
    file = write_sentences(tmp_path / "desk", train=rows, active=active)
    found = Project.load(file).ask()
    assert any("topic has one label so far, 'sport'" in note for note in found.notes)


def test_minutes_are_filled_and_not_more(file):
    found = Project.load(file).ask(minutes=1)
    assert 0 < found.seconds <= 60


def test_encoders_run_over_new_records_only(file, monkeypatch):
    monkeypatch.setattr(encoding, "BLOCK", 32)
    project = Project.load(file)
    project.ask()
    kept = {path.name for path in (file.parent / ".allrounder" / "pool").iterdir()}
    train = file.parent / "train.jsonl"
    more = [json.dumps({"text": f"one more {n}"}) + "\n" for n in range(3)]
    train.write_text(train.read_text("utf-8") + "".join(more), "utf-8")
    Project.load(file).ask()
    now = {path.name for path in (file.parent / ".allrounder" / "pool").iterdir()}
    assert len(kept & now) >= 2


@pytest.mark.parametrize(
    ("active", "sentence"),
    [
        ({"kind": "margn"}, "there is no active kind 'margn'. Did you mean 'margin'?"),
        ({"random_share": 2}, "has `random_share: 2.0`. Expected 0 to 1."),
        ({"n": 0}, "has `n: 0`. Expected more than 0."),
        ({"diversity": 0}, "has `diversity: 0`. Expected 1 or more."),
        ({"tasks": ["topik"]}, "'topik' is not there. Did you mean 'topic'?"),
        ({"start": "bald"}, "bald asks what a model says, and at the start there is none."),
    ],
)
def test_a_wrong_section_is_told_in_a_sentence(tmp_path, active, sentence):
    file = write_sentences(tmp_path / "desk", active=active)
    with pytest.raises(ProjectError) as found:
        Project.load(file).ask()
    assert sentence in str(found.value)


def test_the_command_line_prints_a_table_or_json(file, capsys):
    assert cli.main(["ask", str(file), "-n", "4", "--quiet"]) == 0
    out = capsys.readouterr().out
    assert "4 questions, about" in out and "Answer them: allrounder label" in out
    assert cli.main(["ask", str(file), "-n", "4", "--quiet", "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)["questions"]) == 4
    assert cli.main(["ask", str(file), "-n", "0", "--quiet"]) == 2
    assert "`n` must be 1 or more. Got 0." in capsys.readouterr().err
    assert cli.main(["ask", str(file), "--strategy", "x", "--strategy", "y", "--quiet"]) == 2
    assert "ask by one" in capsys.readouterr().err


def test_a_replay_compares_strategies_with_chance(tmp_path, capsys):
    rows = sentences(200)
    rest = {"path": write_rest(tmp_path / "desk", sentences(60, seed=9)), "split": "validation"}
    file = write_sentences(tmp_path / "desk", train=rows, active={**ACTIVE, "tasks": ["topic"]})
    text = file.read_text("utf-8").replace("sources:\n", f"sources:\n- {json.dumps(rest)}\n")
    file.write_text(text, "utf-8")
    found = Project.load(file).simulate(["entropy"], rounds=4, n=15, seeds=2)
    assert list(found.curves) == ["random", "entropy"]
    assert found.curves["entropy"].asked == [15, 30, 45, 60]
    assert found.curves["entropy"].scores["topic"].shape == (2, 4)
    assert not (file.parent / "ledger.db").exists()
    command = ["ask", str(file), "--simulate", "--rounds", "2", "--seeds", "1", "--quiet"]
    assert cli.main(command) == 0
    assert "against random" in capsys.readouterr().out


def write_rest(folder, rows):
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "more.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return path.name


def test_a_replay_without_validation_labels_is_refused(file, capsys):
    text = file.read_text("utf-8").replace("split: validation", "split: train")
    file.write_text(text, "utf-8")
    assert cli.main(["ask", str(file), "--simulate", "--quiet"]) == 2
    assert "There is nothing to replay" in capsys.readouterr().err


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_page_says_in_words_why_each_strategy_asks(language):
    words = Path(labeling.__file__).parent / "static" / "words" / f"{language}.json"
    told = json.loads(words.read_text("utf-8"))
    assert all(f"why.{name}" in told for name in STRATEGIES.builtin)
