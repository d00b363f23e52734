"""Killed at any moment, training goes on to the same end."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from making import newsroom, save_tiny_encoder, write_newsroom

from allrounder import Project, RunError

TRAINING = {
    "epochs": 4, "batch_records": 8, "lr": 0.01, "head_lr": 0.05, "precision": "fp32",
    "dropout": 0.1, "evaluate_every": 0.5, "snapshots": "own", "sampling": {"kind": "smoothed"},
    "patience": 2, "patience_steps": 0, "probe": False, "checkpoint_minutes": 1e-4,
}  # fmt: skip
TEXT = {"kind": "text", "model": "tiny", "dropout": 0.1, "max_tokens": 24, "tune": "top:2"}
MOMENTS = [1, 3, 4, "step 3", 20, 30, [5, "step 5", 9]]
"""Before a file is put in place, after a step, or again and again: see crashing.py."""
BEFORE_THE_RUN = [1, 3]
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}


def project(folder: Path, sections: dict | None = None, **training) -> Path:
    """Write a project in which everything that chance decides is switched on."""
    save_tiny_encoder(folder / "tiny")
    inputs = {"text": TEXT, **(sections or {}).get("inputs", {})}
    plain = {**(sections or {}), "inputs": inputs, "training": {**TRAINING, **training}}
    return write_newsroom(folder, size=8, **plain)


@pytest.fixture(scope="module")
def killed(tmp_path_factory):
    """Return what trains a project, undisturbed and killed, and tells what became of it."""
    log = tmp_path_factory.mktemp("log") / "stderr"
    program = [sys.executable, Path(__file__).with_name("crashing.py")]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": log.open("w")}
    with subprocess.Popen(program, text=True, env=ENVIRONMENT, **pipes) as running:

        def tell(folder: Path, moments: list, sections: dict | None = None, **training) -> dict:
            file = project(folder / "desk", sections, **training)
            print(json.dumps([str(file), str(folder / "lives"), moments]), file=running.stdin)
            running.stdin.flush()
            answer = running.stdout.readline()
            assert answer, log.read_text()
            return json.loads(answer)

        yield tell
        running.stdin.close()
    pipes["stderr"].close()


@pytest.fixture(scope="module")
def lives(killed, tmp_path_factory):
    """What became of the runs that were killed at each of MOMENTS."""
    return killed(tmp_path_factory.mktemp("killed"), MOMENTS)


@pytest.mark.parametrize("moment", [m for m in MOMENTS if m not in BEFORE_THE_RUN], ids=str)
def test_a_killed_training_goes_on_to_the_same_scores_and_weights(lives, moment):
    whole, cut = lives["null"], lives[json.dumps(moment)]
    *deaths, last = cut["lives"]
    assert set(deaths) == {"killed"}
    assert last.startswith("done")
    for what in ("tasks", "snapshots", "history", "calibration", "weights", "run"):
        assert cut[what] == whole[what], what


@pytest.mark.parametrize("kind", ["dwa", "famo", "uncertainty", "pcgrad"])
def test_what_a_weighting_remembers_outlives_a_kill(killed, tmp_path, kind):
    if kind == "pcgrad":
        pytest.importorskip("torchjd")
    found = killed(tmp_path, ["step 15"], weighting=kind, evaluate_every=2)
    whole, cut = found["null"], found['"step 15"']
    assert cut["lives"][0] == "killed"
    assert int(cut["lives"][1].split()[2]) < int(whole["lives"][0].split()[2])
    for what in ("tasks", "history", "weights"):
        assert cut[what] == whole[what], what


@pytest.mark.parametrize(
    "keys",
    [{"ema": 0.9}, {"r_drop": 1.0}, {"ema": 0.9, "r_drop": 1.0, "snapshots": "soup"}],
    ids=lambda keys: "+".join(keys),
)
def test_what_regularises_goes_on_as_if_nothing_had_happened(killed, tmp_path, keys):
    found = killed(tmp_path, ["step 15"], evaluate_every=1, patience=9, **keys)
    whole, cut = found["null"], found['"step 15"']
    assert cut["lives"][0] == "killed"
    assert int(cut["lives"][1].split()[2]) < int(whole["lives"][0].split()[2])
    for what in ("tasks", "snapshots", "history", "weights"):
        assert cut[what] == whole[what], what


def test_words_that_are_told_beside_the_tasks_are_the_same_after_a_kill(killed, tmp_path):
    words = {"kind": "masked", "weight": 0.5, "batch_records": 12}
    found = killed(tmp_path, ["step 15"], evaluate_every=1, patience=9, pretraining=words)
    whole, cut = found["null"], found['"step 15"']
    assert cut["lives"][0] == "killed"
    assert int(cut["lives"][1].split()[2]) < int(whole["lives"][0].split()[2])
    assert "tellers.safetensors" in str(whole["weights"])
    for what in ("tasks", "snapshots", "history", "weights"):
        assert cut[what] == whole[what], what


@pytest.mark.parametrize("kind", ["concat", "attention"])
def test_inputs_that_are_hidden_by_chance_are_the_same_after_a_kill(killed, tmp_path, kind):
    tasks = newsroom()["tasks"]
    tasks["entities"]["of"] = tasks["mood"]["of"] = "text"
    news = {"path": "news.csv", "map": {"headline": "text", "about": "topic", "number": "note"}}
    sections = {
        "sources": [news, *newsroom()["sources"][1:]],
        "inputs": {"note": {"kind": "hashing", "width": 8, "buckets": 64}},
        "tasks": tasks,
        "fusion": {"kind": kind, "modality_dropout": 0.4},
    }
    found = killed(tmp_path, ["step 15"], sections, evaluate_every=2)
    whole, cut = found["null"], found['"step 15"']
    assert cut["lives"][0] == "killed"
    assert int(cut["lives"][1].split()[2]) < int(whole["lives"][0].split()[2])
    for what in ("tasks", "snapshots", "history", "calibration", "weights"):
        assert cut[what] == whole[what], what


@pytest.mark.parametrize("moment", BEFORE_THE_RUN)
def test_killed_before_a_run_began_there_is_nothing_to_resume(lives, moment):
    died, refused = lives[json.dumps(moment)]["lives"]
    assert died == "killed"
    assert refused.startswith("refused There is no interrupted run under ")
    assert refused.endswith("Try: allrounder train")


def test_the_training_that_was_killed_had_begun_to_learn(lives):
    """Or else the comparisons above would prove little."""
    whole = lives["null"]
    assert len(whole["history"]) > 10
    assert len(whole["weights"]) > 1, "some task has a snapshot of its own"
    done, count, steps = lives[json.dumps("step 3")]["lives"][-1].split()
    assert done == "done"
    assert 0 < int(steps) < int(whole["lives"][0].split()[2]), "it went on, not began anew"
    assert int(count) > 0


def command(*words: str) -> list[str]:
    return [sys.executable, "-m", "allrounder.cli", *words]


def test_the_command_killed_at_a_random_moment_resumes(tmp_path):
    whole, cut = (write_newsroom(tmp_path / name, training=LONG) for name in ("whole", "cut"))
    done, going = (
        subprocess.Popen(command("train", str(file)), env=ENVIRONMENT, stdout=subprocess.DEVNULL)
        for file in (whole, cut)
    )
    checkpoint = cut.parent / "runs/1/checkpoint.safetensors"
    until = time.monotonic() + 60
    while not checkpoint.exists() and time.monotonic() < until and going.poll() is None:
        time.sleep(0.002)
    time.sleep(int.from_bytes(os.urandom(1)) / 1000)
    going.send_signal(signal.SIGKILL)
    assert going.wait() == -signal.SIGKILL
    again = subprocess.run(
        command("train", str(cut), "--resume", "--json"),
        env=ENVIRONMENT, capture_output=True, text=True,
    )  # fmt: skip
    assert again.returncode == 0, again.stderr
    assert done.wait() == 0
    runs = [file.parent / "runs/1" for file in (whole, cut)]
    scores = [json.loads((run / "metrics.json").read_text())["tasks"] for run in runs]
    assert scores[0] == scores[1] == json.loads(again.stdout)["tasks"]
    weights = [(run / "model.safetensors").read_bytes() for run in runs]
    assert weights[0] == weights[1]
    assert not (runs[1] / "checkpoint.safetensors").exists()


LONG = {"epochs": 10, "batch_records": 4, "head_lr": 0.01, "precision": "fp32", "dropout": 0.2,
        "patience": 99, "checkpoint_minutes": 0.0005}  # fmt: skip


# ------------------------------------------------------------------ what cannot be resumed


class Stop(Exception):
    """Raised in place of a kill, where the process has to live on."""


def interrupted(newsroom) -> Path:
    def tell(stage, *_):
        if stage == "calibrate":
            raise Stop

    file = newsroom(size=6)
    with pytest.raises(Stop):
        Project.load(file, tell=tell).train()
    return file


def test_records_that_changed_are_refused(newsroom):
    file = interrupted(newsroom)
    with open(file.parent / "news.csv", "a", encoding="utf-8") as news:
        news.write("A new goal,sport,1\n")
    with pytest.raises(RunError) as caught:
        Project.load(file).train(resume=True)
    assert str(caught.value) == (
        f"{file.parent / 'runs/1'} cannot go on: the records have changed since it was "
        "interrupted. Start anew: allrounder train"
    )


def test_a_project_file_that_changed_makes_no_difference_to_the_run_that_began(newsroom):
    file = interrupted(newsroom)
    file.write_text(file.read_text().replace("epochs: 2", "epochs: 9"))
    report = Project.load(file).train(resume=True)
    assert report.project["training"]["epochs"] == 2


def test_a_finished_run_is_not_resumed(newsroom):
    file = newsroom(size=6)
    Project.load(file).train()
    with pytest.raises(RunError, match=r"There is no interrupted run under .*runs\. Try: allrou"):
        Project.load(file).train(resume=True)
    with pytest.raises(RunError, match="is complete: there is nothing to resume"):
        Project.load(file.parent / "runs/1").train(resume=True)


def test_without_any_run_there_is_nothing_to_resume(newsroom):
    file = newsroom(size=6)
    with pytest.raises(RunError, match="There is no interrupted run"):
        Project.load(file).train(resume=True)
    assert not (file.parent / "runs").exists()


def test_an_interrupted_run_does_not_answer(newsroom):
    file = interrupted(newsroom)
    with pytest.raises(RunError, match="There is no complete run under"):
        Project.load(file).predict({"text": "Acme"})
