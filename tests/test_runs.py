"""Run folders: whole or absent, opened anywhere, refused where they cannot be read."""

import errno
import json
import os
import shutil
from pathlib import Path

import pytest

from allrounder import Project, RunError
from allrounder.runs import FORMAT, Run, latest, write_json, write_text


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A small project with one complete run; not to be changed."""
    from making import write_newsroom

    file = write_newsroom(tmp_path_factory.mktemp("trained"), size=8)
    Project.load(file).train()
    return file


@pytest.fixture
def copied(trained, tmp_path):
    """A copy of it that may be changed."""
    shutil.copytree(trained.parent, tmp_path / "desk")
    return tmp_path / "desk" / trained.name


TEXTS = [{"text": "Acme rose in 北京 😀."}, {"text": "a great match"}]


# ------------------------------------------------------------------ numbering and states


def begun(folder, state="training"):
    run = Run.create(folder)
    run.about["state"] = state
    run.start({"tasks": {}}, "records")
    return run


def test_runs_are_numbered_from_one(tmp_path):
    assert [begun(tmp_path / "runs").path.name for _ in range(3)] == ["1", "2", "3"]


def test_a_number_is_never_given_twice(tmp_path):
    (tmp_path / "9").mkdir()
    (tmp_path / "notes").mkdir()
    assert begun(tmp_path).path.name == "10"


def test_the_latest_run_is_the_one_with_the_greatest_number(tmp_path):
    for state in ("complete", "training", "complete", "training"):
        begun(tmp_path, state)
    for _ in range(8):
        begun(tmp_path, "training")
    assert latest(tmp_path).path.name == "3"
    assert latest(tmp_path, complete=False).path.name == "12"
    assert latest(tmp_path, complete=None).path.name == "12"


def test_a_folder_without_run_json_is_no_run(tmp_path):
    begun(tmp_path, "complete")
    Run.create(tmp_path)
    assert latest(tmp_path, complete=None).path.name == "1"


@pytest.mark.parametrize(
    ("complete", "word"), [(True, "complete "), (False, "interrupted "), (None, "")]
)
def test_where_there_is_no_run_that_is_said(tmp_path, complete, word):
    with pytest.raises(RunError) as caught:
        latest(tmp_path, complete=complete)
    assert str(caught.value) == f"There is no {word}run under {tmp_path}. Try: allrounder train"


# ------------------------------------------------------------------ opening


def test_a_run_of_a_newer_version_is_refused(copied):
    about = copied.parent / "runs/1/run.json"
    found = json.loads(about.read_text())
    about.write_text(json.dumps({**found, "format": FORMAT + 1, "allrounder": "9.9"}))
    for path in (copied.parent / "runs/1", copied):
        with pytest.raises(RunError) as caught:
            Project.load(path).predict(TEXTS)
        assert str(caught.value) == (
            f"{about.parent} was written by a newer Allrounder (9.9, run format {FORMAT + 1}); "
            f"this one reads formats up to {FORMAT}. Update it: pip install --upgrade allrounder"
        )


def test_a_folder_that_is_no_run_is_refused(tmp_path):
    with pytest.raises(RunError) as caught:
        Project.load(tmp_path)
    assert str(caught.value) == f"{tmp_path} is no run folder: it holds no run.json."


def test_a_torn_run_json_is_refused(tmp_path):
    (tmp_path / "run.json").write_text("{")
    with pytest.raises(RunError, match=r"run\.json is not JSON: "):
        Project.load(tmp_path)


@pytest.mark.parametrize("name", ["model.safetensors", "calibration.json", "project.yaml"])
def test_a_run_that_lacks_a_file_is_refused_by_name(copied, name):
    (copied.parent / "runs/1" / name).unlink()
    with pytest.raises(RunError, match=name.replace(".", r"\.")):
        Project.load(copied.parent / "runs/1").predict(TEXTS)


def test_torn_weights_are_refused_by_name(copied):
    (copied.parent / "runs/1/model.safetensors").write_bytes(b"torn")
    with pytest.raises(RunError, match=r"model\.safetensors cannot be read"):
        Project.load(copied).predict(TEXTS)


def test_a_run_folder_moved_elsewhere_gives_the_same_answers(trained, tmp_path):
    shutil.copytree(trained.parent / "runs/1", tmp_path / "elsewhere/mine")
    here = Project.load(trained).predict(TEXTS)
    assert Project.load(tmp_path / "elsewhere/mine").predict(TEXTS) == here


def test_a_run_does_not_need_the_folder_of_its_encoder(tmp_path):
    from making import save_tiny_encoder, write_newsroom

    text = {"kind": "text", "model": "tiny", "max_tokens": 24}
    save_tiny_encoder(tmp_path / "desk/tiny")
    file = write_newsroom(tmp_path / "desk", size=6, inputs={"text": text})
    project = Project.load(file)
    project.train()
    here = project.predict(TEXTS)
    shutil.move(tmp_path / "desk/runs/1", tmp_path / "moved")
    shutil.rmtree(tmp_path / "desk")
    assert Project.load(tmp_path / "moved").predict(TEXTS) == here


def test_a_run_folder_holds_what_is_promised_and_nothing_to_be_resumed(trained):
    run = trained.parent / "runs/1"
    names = {path.name for path in run.iterdir()}
    assert names >= {
        "run.json", "project.yaml", "model.safetensors", "calibration.json",
        "metrics.json", "report.html", "card.md",
    }  # fmt: skip
    assert not names & {"checkpoint.safetensors", "steps", "probe"}
    assert not [path for path in run.rglob("*") if path.suffix in {".pt", ".bin", ".pkl"}]
    assert not [path for path in run.rglob("*") if path.name.startswith(".")]
    about = json.loads((run / "run.json").read_text())
    assert about["format"] == FORMAT
    assert about["state"] == "complete"
    assert about["versions"]["torch"]


def test_the_run_holds_the_project_file_with_labels_and_defaults(trained):
    plan = Project.load(trained.parent / "runs/1").plan
    assert plan.tasks["topic"].labels == ["markets", "politics", "sport"]
    assert plan.tasks["mood"].center is not None
    assert plan.training.optimizer.kind_name() == "adamw"


# ------------------------------------------------------------------ a full disk


def full(*args, **options):
    raise OSError(errno.ENOSPC, "No space left on device")


def test_a_file_is_written_whole_or_not_at_all(tmp_path, monkeypatch):
    write_text(tmp_path / "a.json", "old")
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(RunError) as caught:
        write_json(tmp_path / "a.json", {"new": 1})
    assert (
        str(caught.value) == f"{tmp_path / 'a.json'} could not be written: No space left on device."
    )
    assert (tmp_path / "a.json").read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["a.json"]


def full_for(name):
    """Return a `Path.replace` that fails where a file of that name would be put in place."""
    replace = Path.replace
    return lambda path, target: full() if target.name == name else replace(path, target)


def tree(folder):
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.mark.parametrize("moment", ["fsync", "save_file", "report", "records", "tokens"])
def test_a_full_disk_leaves_the_old_run_whole(copied, monkeypatch, capsys, moment):
    from allrounder import cli

    before = tree(copied.parent / "runs/1")
    if moment == "fsync":
        monkeypatch.setattr(os, "fsync", full)
    elif moment == "save_file":
        monkeypatch.setattr("allrounder.model.tensors.save_file", full)
    elif moment == "report":
        monkeypatch.setattr("allrounder.runs.Path.replace", full_for("metrics.json"))
    else:
        shutil.rmtree(copied.parent / ".allrounder" / moment)
        monkeypatch.setattr("pyarrow.OSFile", full)
    assert cli.main(["train", str(copied)]) == 2
    told = capsys.readouterr().err.strip().splitlines()
    assert len(told) == 1
    assert told[0].startswith("allrounder: ")
    assert "No space left on device" in told[0]
    monkeypatch.undo()
    assert tree(copied.parent / "runs/1") == before
    assert Project.load(copied).run.path.name == "1"
    assert Project.load(copied).predict(TEXTS)


def test_a_full_disk_during_prediction_leaves_the_old_file_whole(
    copied, tmp_path, monkeypatch, capsys
):
    from allrounder import cli

    out = tmp_path / "out.jsonl"
    out.write_text("old")
    monkeypatch.setattr(os, "fsync", full)
    data = str(copied.parent / "rated.jsonl")
    assert cli.main(["predict", str(copied), "--data", data, "--out", str(out)]) == 2
    assert capsys.readouterr().err == (
        f"allrounder: {out} could not be written: No space left on device.\n"
    )
    assert out.read_text() == "old"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["desk", "out.jsonl"]
