"""`allrounder synthesize` beside `train`: pseudo-labels that expire, and a kill at any time."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest
from sentences import sentences, write_sentences

from allrounder import Project, cli
from allrounder.ledger.made import Ledger

ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
MADE = {"path": "ledger.db", "format": "ledger", "split": "train"}
SPLITS = [{"path": f"{split}.jsonl", "split": split} for split in ("train", "validation", "test")]
PSEUDO = {"kind": "pseudo", "confidence": 0.5, "tasks": ["topic"]}


def live(folder):
    with Ledger(folder / "ledger.db", read_only=True) as ledger:
        return list(ledger.live())


@pytest.fixture
def desk(tmp_path):
    rows = sentences(90)
    train = [row if n % 3 == 0 else {"text": row["text"]} for n, row in enumerate(rows)]
    return write_sentences(tmp_path / "desk", train=train, synthesis=PSEUDO)


def say(capsys, *words):
    code = cli.main([str(word) for word in words])
    return code, *capsys.readouterr()


def with_ledger(file):
    text = file.read_text(encoding="utf-8")
    file.write_text(text.replace("sources:\n", f"sources:\n- {json.dumps(MADE)}\n"), "utf-8")


def test_pseudo_labels_count_until_another_run_is_complete(desk, capsys):
    code, _, err = say(capsys, "synthesize", desk, "--quiet")
    assert code == 2
    assert "there is none yet. Try: allrounder train" in err
    assert say(capsys, "train", desk, "--quiet")[0] == 0
    code, out, _ = say(capsys, "synthesize", desk, "--quiet")
    assert code == 0
    assert "answers of runs/1: they count until another run is complete." in out
    assert "add the source {path: ledger.db, format: ledger, split: train}" in out
    entries = live(desk.parent)
    run = Project.load(desk).run
    assert {one.model for one in entries} == {run.fingerprint()}
    with_ledger(desk)
    code, out, _ = say(capsys, "train", desk, "--json", "--quiet")
    assert code == 0
    coverage = json.loads(out)["data"]["coverage"]["ledger.db"]
    assert coverage["topic"]["train"] == len(entries)
    assert live(desk.parent) == []
    with Ledger(desk.parent / "ledger.db", read_only=True) as ledger:
        assert {why for _, _, why in ledger.changes()} == {"run 2 is complete"}
    assert say(capsys, "evaluate", desk, "--quiet")[0] == 0
    code, out, _ = say(capsys, "check", desk, "--json", "--quiet")
    assert json.loads(out)["splits"]["train"] == 90
    assert say(capsys, "synthesize", desk, "--quiet")[0] == 0
    assert {one.model for one in live(desk.parent)} == {Project.load(desk).run.fingerprint()}


def test_labels_of_a_run_that_was_replaced_while_nobody_looked_expire_before_the_next(desk, capsys):
    say(capsys, "train", desk, "--quiet")
    say(capsys, "synthesize", desk, "--quiet")
    entry = live(desk.parent)[0]
    with Ledger(desk.parent / "ledger.db") as ledger:
        ledger.add([type(entry)(**{**vars(entry), "id": "old", "model": "another"})])
    with_ledger(desk)
    code, out, _ = say(capsys, "train", desk, "--json", "--quiet")
    assert code == 0
    assert "old" not in {one.id for one in live(desk.parent)}
    assert json.loads(out)["data"]["coverage"]["ledger.db"]["topic"]["train"] > 0


def synthesize(file, *words):
    command = [sys.executable, "-m", "allrounder.cli", "synthesize", str(file), "--json", *words]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen(command, env=ENVIRONMENT, text=True, **pipes)


def finished(going):
    out, err = going.communicate(timeout=120)
    assert going.returncode == 0, err
    return json.loads(out)


def test_killed_at_any_time_it_loses_nothing_and_doubles_nothing(tmp_path):
    rows, noise = sentences(1500), {"kind": "noise", "n": 4}
    files = [
        write_sentences(tmp_path / name, train=rows, synthesis=noise) for name in ("whole", "parts")
    ]
    whole = finished(synthesize(files[0]))
    going, ledger = synthesize(files[1]), files[1].parent / "ledger.db"
    for least in (1, 500):
        until = time.monotonic() + 120
        while going.poll() is None and (not ledger.exists() or _count(ledger) < least):
            assert time.monotonic() < until
            time.sleep(0.01)
        if going.poll() is None:
            going.send_signal(signal.SIGKILL)
            going.communicate()
            going = synthesize(files[1], "--resume")
    parts = finished(going)
    assert parts["kinds"] == whole["kinds"]
    one, other = ([entry.id for entry in live(file.parent)] for file in files)
    assert one == other
    assert len(set(one)) == len(one) == whole["kinds"][0]["kept"]


def _count(path):
    try:
        with Ledger(path, read_only=True) as ledger:
            return ledger.mark[1]
    except Exception:
        return 0


def test_what_was_made_trains_and_a_moved_split_shelters_what_judges(tmp_path, capsys):
    file = write_sentences(
        tmp_path, train=sentences(60), synthesis="noise", sources=[*SPLITS, MADE]
    )
    code, _, err = say(capsys, "train", file, "--quiet")
    assert code == 2
    assert "`allrounder synthesize` makes a ledger" in err
    code, out, _ = say(capsys, "synthesize", file, "--quiet")
    assert code == 0
    assert f"Train with them: allrounder train {file}" in out
    code, out, _ = say(capsys, "train", file, "--json", "--quiet")
    report = json.loads(out)
    assert report["data"]["records"]["ledger.db"]["train"] == len(live(tmp_path))
    sources = json.dumps([{"path": "train.jsonl"}, *SPLITS[1:], MADE])
    code, out, _ = say(capsys, "check", file, "--json", "--set", f"sources={sources}")
    assert code == 0
    assert json.loads(out)["splits"]["train"] < 60 + len(live(tmp_path))


def test_bad_input_is_one_sentence_and_exit_code_two(tmp_path, capsys):
    file = write_sentences(tmp_path)
    for change, words in (
        ("synthesis=nois", "there is no synthesis kind 'nois'. Did you mean 'noise'?"),
        ("synthesis={kind: noise, n: 0}", "`synthesis` has `n: 0`. Expected 1 or more."),
        ("synthesis={kind: noise, tasks: [topc]}", "Did you mean 'topic'?"),
        ("synthesis={kind: noise, operations: [shout]}", "`synthesis.operations.0`"),
    ):
        code, _, err = say(capsys, "synthesize", file, "--set", change, "--quiet")
        assert code == 2
        assert words in err
        assert len(err.strip().splitlines()) == 1
    code, _, err = say(capsys, "synthesize", file, "--resume")
    assert code == 2
    assert "There is no interrupted synthesis" in err
    (tmp_path / "ledger.db").write_text("no database at all " * 99)
    code, _, err = say(capsys, "synthesize", file, "--quiet")
    assert code == 2
    assert "ledger.db is no ledger. Name another file, or move this one away." in err
