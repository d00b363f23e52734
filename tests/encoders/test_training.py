"""Inputs of every kind in one project: trained from a file, kept in a run, read back."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml
from models import tone

from allrounder import Project
from allrounder.encoders import ENCODERS

sys.path.insert(0, str(Path(__file__).parent))
from custom import MeanColour, colour


@pytest.fixture
def project(tmp_path):
    """A project of 100 records: the label is in the picture, the sound, the number, the place."""
    rng = np.random.default_rng(0)
    rows = []
    for at in range(100):
        odd = at % 2
        (tmp_path / f"{at}.png").write_bytes(colour(200 * odd, at, 0))
        (tmp_path / f"{at}.wav").write_bytes(tone(1 + 6 * odd, 0.2 + at / 1000))
        rows.append(
            {
                "row": at,
                "photo": f"{at}.png",
                "call": f"{at}.wav",
                "price": odd + rng.normal(0, 0.1),
                "weight": None if at % 5 else 1.0,
                "place": f"p{odd}{at % 3}",
                "it": ["no", "yes"][odd],
            }
        )
    lines = "".join(json.dumps(row) + "\n" for row in rows)
    (tmp_path / "rows.jsonl").write_text(lines, encoding="utf-8")

    def write(precision="fp32", **inputs):
        sections = {
            "sources": [{"path": "rows.jsonl", "id": "row", "split": SPLIT}],
            "inputs": inputs,
            "tasks": {"it": {"kind": "multiclass"}},
            "training": {**TRAINING, "precision": precision},
        }
        (tmp_path / "it.yaml").write_text(yaml.safe_dump(sections), encoding="utf-8")
        return Project.load(tmp_path / "it.yaml")

    return write


TRAINING = {"epochs": 12, "patience": 12, "batch_records": 8, "head_lr": 0.03}
SPLIT = {"by": "ratio", "test": 0.3, "validation": 0.2}
INPUTS = {
    "photo": {"kind": "pixels", "width": 16},
    "call": {"kind": "spectrum", "width": 16, "num_mels": 20},
    "price": {"kind": "number", "width": 8, "fields": ["price", "weight"]},
    "place": {"kind": "category", "width": 8},
}


@pytest.mark.parametrize("name", sorted(INPUTS))
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_each_light_input_learns_what_its_column_says(project, name, precision, tmp_path):
    report = project(precision, **{name: INPUTS[name]}).train()
    assert report.tasks["it"].deciding.after.value > 0.9
    kept = yaml.safe_load((tmp_path / "runs/1/project.yaml").read_text(encoding="utf-8"))
    for key in ENCODERS.find(INPUTS[name]["kind"], at="it").learned:
        assert kept["inputs"][name][key]


def test_all_inputs_learn_together_and_a_run_is_read_back(project, tmp_path):
    project(**INPUTS).train()
    again = Project.load(tmp_path / "runs/1")
    assert again.evaluate().tasks["it"].deciding.after.value > 0.9


def test_an_encoder_of_ones_own_is_named_by_its_place(project, tmp_path):
    kind = f"{MeanColour.__module__}:MeanColour"
    report = project(photo={"kind": kind}).train()
    assert report.tasks["it"].deciding.after.value > 0.8
    assert Project.load(tmp_path / "runs/1").evaluate().tasks["it"].deciding.after.value > 0.8


@pytest.mark.parametrize(
    ("tune", "precision"), [("frozen", "fp32"), ("top:1", "fp32"), ("full", "bf16")]
)
@pytest.mark.parametrize(
    ("name", "kind", "model"), [("photo", "image", "vit"), ("call", "audio", "wav2vec2")]
)
def test_pretrained_inputs_train_and_are_read_back(
    project, models, tmp_path, name, kind, model, tune, precision
):
    spec = {"kind": kind, "model": models(model), "tune": tune}
    if tune != "frozen":
        spec["augment"] = True
    trained = project(precision, **{name: spec}).train().tasks["it"].deciding.after
    again = Project.load(tmp_path / "runs/1").evaluate().tasks["it"].deciding.after
    if precision == "fp32":  # a run that is read back answers in fp32
        assert again.value == pytest.approx(trained.value)


def test_the_report_counts_sounds_that_were_cut(project, models):
    call = {"kind": "audio", "model": models("whisper"), "tune": "frozen"}
    report = project(call={**call, "max_seconds": 0.25, "window": 0.5}).train()
    (note,) = [note for note in report.notes if "call" in note]
    assert note == (
        "39 of 100 sounds of call are longer than 13 tokens: only their beginning was read."
    )


HEAVY = ("torch", "transformers")


def test_a_check_of_pictures_and_sounds_never_waits_for_heavy_libraries(project, models, tmp_path):
    light = {f"{name}2": {"fields": [name], **spec} for name, spec in INPUTS.items()}
    photo = {"kind": "image", "model": models("vit")}
    project(photo=photo, call={"kind": "audio", "model": models("whisper")}, **light)
    code = (
        "import sys\nfrom allrounder import cli\n"
        "assert cli.main(['check', sys.argv[1]]) == 0\n"
        f"assert not [name for name in {HEAVY!r} if name in sys.modules]"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "it.yaml")], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
