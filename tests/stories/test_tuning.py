"""`allrounder tune` in real processes that are killed: no finished trial is lost or repeated."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import yaml
from making import write_newsroom

from allrounder import cli

ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
SEARCH = ["--search", "training.head_lr=log(1e-3,1e-1)", "--search", "training.epochs=int(2,6)"]
SLOW = {"epochs": 4, "batch_records": 2, "head_lr": 0.03, "precision": "fp32", "patience": 99}
WANTED = 6
UNTIL = 120


def tune(file: Path, *words: str) -> subprocess.Popen:
    command = [sys.executable, "-m", "allrounder.cli", "tune", str(file), "--json", *words]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    # A shell lets what it runs in the background ignore Ctrl-C, and so would what starts here.
    heard = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        return subprocess.Popen(command, env=ENVIRONMENT, text=True, **pipes)
    finally:
        signal.signal(signal.SIGINT, heard)


def finished(going: subprocess.Popen) -> dict:
    out, err = going.communicate(timeout=UNTIL)
    assert going.returncode == 0, err
    return json.loads(out)


def trials(file: Path) -> list[tuple]:
    """Return number, state, moment of the end and value of every trial, as they are on disk."""
    study = file.parent / "tuning/1/study.db"
    if not study.exists():
        return []
    with closing(sqlite3.connect(study, timeout=30)) as opened:
        try:
            return opened.execute(
                "SELECT number, state, datetime_complete, value FROM trials "
                "LEFT JOIN trial_values USING (trial_id) ORDER BY number"
            ).fetchall()
        except sqlite3.OperationalError:
            return []  # it is being made


def ended(file: Path) -> list[tuple]:
    return [trial for trial in trials(file) if trial[1] in ("COMPLETE", "PRUNED")]


def wait_for(true, going: subprocess.Popen) -> None:
    until = time.monotonic() + UNTIL
    while not true():
        assert time.monotonic() < until
        assert going.poll() is None, going.stderr.read()
        time.sleep(0.02)


def workers(process: subprocess.Popen) -> list[int]:
    return [
        int(path.name)
        for path in Path("/proc").iterdir()
        if path.name.isdigit() and _is_worker(path, process.pid)
    ]


def _is_worker(path: Path, parent: int) -> bool:
    try:
        words = (path / "cmdline").read_bytes().split(b"\0")
        return b"allrounder.tuning.worker" in words and f"PPid:\t{parent}\n" in (
            path / "status"
        ).read_text(encoding="utf-8")
    except OSError:
        return False  # it has just ended


def is_alive(number: int) -> bool:
    try:
        return "State:\tZ" not in Path(f"/proc/{number}/status").read_text(encoding="utf-8")
    except OSError:
        return False


def check_whole(file: Path, found: dict) -> None:
    """See that as many trials ended as were wanted, none of them twice."""
    counted = [t for t in found["trials"] if t["state"] in ("complete", "pruned", "failed")]
    assert len(counted) == WANTED
    assert len({json.dumps(t["values"], sort_keys=True) for t in counted}) == WANTED
    assert sum(t["as_it_stands"] for t in counted) == 1
    assert yaml.safe_load(Path(found["best_file"]).read_text(encoding="utf-8"))
    assert not (file.parent / "tuning/1/trials").exists()


def test_a_killed_search_loses_no_finished_trial_and_repeats_none(tmp_path):
    file = write_newsroom(tmp_path / "desk", size=12, training=SLOW)
    going = tune(file, *SEARCH, "--trials", str(WANTED), "--workers", "2")
    for kept in (0, 2):  # killed in the midst of a trial, again and again
        wait_for(lambda kept=kept: len(ended(file)) >= kept, going)
        wait_for(lambda: any(state == "RUNNING" for _, state, *_ in trials(file)), going)
        crew = workers(going)
        assert len(crew) == 2
        going.send_signal(signal.SIGKILL)
        assert going.wait() == -signal.SIGKILL
        going.communicate()
        before = ended(file)
        assert len(before) >= kept
        going = tune(file, "--resume", "--workers", "2")
        wait_for(lambda before=before: len(ended(file)) > len(before), going)
        assert ended(file)[: len(before)] == before, "what had ended is as it was"
        assert not any(map(is_alive, crew)), "no worker outlives its search"
    found = finished(going)
    check_whole(file, found)
    assert sum(t["state"] == "killed" for t in found["trials"]) >= 2


def test_a_killed_worker_costs_nothing_but_time(tmp_path):
    file = write_newsroom(tmp_path / "desk", size=12, training=SLOW)
    going = tune(file, *SEARCH, "--trials", str(WANTED), "--workers", "2")
    wait_for(lambda: len(ended(file)) >= 1, going)
    wait_for(lambda: any(state == "RUNNING" for _, state, *_ in trials(file)), going)
    os.kill(workers(going)[0], signal.SIGKILL)
    check_whole(file, finished(going))


def test_ctrl_c_says_how_to_go_on(tmp_path):
    file = write_newsroom(tmp_path / "desk", size=12, training=SLOW)
    going = tune(file, *SEARCH, "--trials", "99")
    wait_for(lambda: len(ended(file)) >= 1, going)
    crew = workers(going)
    going.send_signal(signal.SIGINT)
    _, err = going.communicate(timeout=UNTIL)
    assert going.returncode == 130
    assert err.strip() == "Stopped. It goes on with: allrounder tune --resume"
    assert not any(map(is_alive, crew))


def test_bad_input_is_one_sentence_and_exit_code_two(newsroom, capsys):
    file = newsroom(size=6)
    assert cli.main(["tune", str(file), "--search", "training.lrr=log(1e-5,1e-3)"]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("allrounder: `training.lrr` is not a known key. Did you mean 'lr'?")
    assert len(err.strip().splitlines()) == 1


def test_the_help_of_tune_waits_for_no_library():
    code = (
        "import sys\nfrom allrounder import cli\n"
        "try: cli.main(['tune', '--help'])\nexcept SystemExit: pass\n"
        "print([n for n in ('torch', 'optuna', 'sqlalchemy', 'matplotlib') if n in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.splitlines()[-1] == "[]"
