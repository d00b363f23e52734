"""`allrounder pretrain` from the project file, killed at random and gone on with."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml
from making import write_newsroom

from allrounder import Project, cli
from allrounder.errors import ProjectError

ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
UNTIL = 120
SLOW = {
    "kind": "masked", "epochs": 6, "batch_records": 2, "precision": "fp32", "lr": 1e-3,
    "patience": 999, "evaluate_every": 2, "checkpoint_minutes": 0.003,
}  # fmt: skip


@pytest.fixture
def desk(tmp_path, tiny):
    def write(name="desk", **sections) -> Path:
        text = {"kind": "text", "model": tiny, "max_tokens": 32}
        plain = {"inputs": {"text": text}, "pretraining": SLOW}
        return write_newsroom(tmp_path / name, size=40, **{**plain, **sections})

    return write


def pretrain(file: Path, *words: str) -> subprocess.Popen:
    command = [sys.executable, "-m", "allrounder.cli", "pretrain", str(file), "--json", *words]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen(command, env=ENVIRONMENT, text=True, **pipes)


def finished(going: subprocess.Popen) -> dict:
    out, err = going.communicate(timeout=UNTIL)
    assert going.returncode == 0, err
    return json.loads(out)


def test_killed_it_goes_on_to_the_same_result(desk):
    whole = finished(pretrain(desk("whole")))
    file = desk("parts")
    going = pretrain(file)
    for _ in range(2):
        checkpoint = file.parent / "pretraining/1/checkpoint.safetensors"
        before = checkpoint.stat().st_mtime_ns if checkpoint.exists() else 0
        until = time.monotonic() + UNTIL
        while not checkpoint.exists() or checkpoint.stat().st_mtime_ns == before:
            assert time.monotonic() < until
            assert going.poll() is None, going.communicate()
            time.sleep(0.01)
        going.send_signal(signal.SIGKILL)
        going.communicate()
        going = pretrain(file, "--resume")
    parts = finished(going)
    assert parts["curve"] == whole["curve"]
    assert [path.name for path in (file.parent / "pretraining").iterdir()] == ["1"]


def test_the_command_line_says_how_to_train_with_it(desk, capsys):
    file = desk()
    changes = ["--set", "pretraining.epochs=4", "--set", "pretraining.evaluate_every=1"]
    assert cli.main(["pretrain", str(file), *changes]) == 0
    out, _ = capsys.readouterr()
    assert "Held-out perplexity:" in out
    assert "The model had no head for this: a new one learned from nothing." in out
    model = "pretraining/1/encoder"
    assert f"allrounder train {file} --set inputs.text.model={model}" in out
    assert cli.main(["train", str(file), "--set", f"inputs.text.model={model}", "--quiet"]) == 0
    answers = Project.load(file).predict({"text": "Shares of Acme fell."})
    assert set(answers) == {"topic", "mood", "entities"}


def test_it_learns_from_records_without_labels_and_from_python(desk):
    file = desk(pretraining={**SLOW, "epochs": 2, "evaluate_every": 1})
    sections = yaml.safe_load(file.read_text(encoding="utf-8"))
    more = [{"text": f"the vote of bank {n} said good"} for n in range(100)]
    (file.parent / "more.jsonl").write_text("".join(json.dumps(one) + "\n" for one in more))
    few = Project.load(file).pretrain().counts.learned
    sections["sources"].append({"path": "more.jsonl", "split": "train"})
    file.write_text(yaml.safe_dump(sections), encoding="utf-8")
    report = Project.load(file).pretrain()
    assert few + 85 <= report.counts.learned <= few + 100
    assert report.folder.name == "2"


def test_bad_input_is_one_sentence_and_exit_code_two(desk, capsys, newsroom):
    file = desk()
    for change, words in (
        ("pretraining.kind=maskd", "there is no pretraining kind 'maskd'. Did you mean 'masked'?"),
        ("pretraining.input=txt", "which is no input of kind `text`. Did you mean 'text'?"),
        ("pretraining.epochs=-1", "`pretraining` has `epochs: -1.0`. Expected more than 0."),
    ):
        assert cli.main(["pretrain", str(file), "--set", change, "--quiet"]) == 2
        _, err = capsys.readouterr()
        assert words in err
        assert len(err.strip().splitlines()) == 1
    assert cli.main(["pretrain", str(file), "--resume"]) == 2
    assert "There is no interrupted pretraining" in capsys.readouterr().err
    assert not (file.parent / "pretraining").exists()
    with pytest.raises(ProjectError, match="the project has 0"):
        Project.load(newsroom()).pretrain()
