"""Pictures with captions: Allrounder beside AutoGluon-MultiModal, also asked without one of them.

The 950 stamps of `examples/stamps`; one task, the category (16). Both sides have the same picture
files (put on white), the same encoders (EfficientNet-lite0, MiniLM) and the split of Allrounder's
records, in which test stamps share no caption with training stamps. AutoGluon lives in an
environment of its own and tunes all weights. Its default preset takes 20 epochs in batches of 128;
here it takes 5 in batches of 32: as many steps. Both sides use the threads of torch; every training
begins without kept features.
Default size: three seeds, one of AutoGluon trained for missing inputs: half an hour of one core;
--full: five seeds, AutoGluon's own 20 epochs of 128, and Allrounder with all weights tuned.
"""

import csv
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml
from common import MINILM, ROOT, arguments, keep, mean_interval, remembered, scratch, trained
from peer import AUTOGLUON
from safetensors.torch import save_file

from allrounder.checking import load_records
from allrounder.encoders.locate import locate
from allrounder.encoders.pictures import picture
from allrounder.evaluation.sharing import over_seeds
from allrounder.plan import make_plan
from allrounder.project import Project

EXAMPLE = ROOT / "examples" / "stamps"
SPLITS = ("train", "validation", "test")
ASKED = {"picture + caption": (), "caption": ("picture",), "picture": ("caption",)}
"""What both sides are asked with, and what is missing then."""
SHORT = {"optim.max_epochs": 5, "env.batch_size": 32}
MISSING = {"data.modality_dropout": 0.2, "model.timm_image.use_learnable_image": True}
"""What AutoGluon has for missing inputs; neither is on by default."""

Rows = list[dict[str, Any]]
Found = dict[str, Any]
"""Of one training: `right` and `asking` (seconds) by what is asked, `training` and `cpu`."""


# ------------------------------------------------------------------ data


def prepared() -> Path:
    """Return a folder with the example, its pictures on white, as Allrounder would see them."""
    for script in ("prepare.py", "models.py"):
        subprocess.run([sys.executable, str(EXAMPLE / script)], check=True)
    folder = ROOT / ".kit" / "multimodal"
    data = folder / "data"
    (data / "pictures").mkdir(parents=True, exist_ok=True)
    shutil.copyfile(EXAMPLE / "encoders.py", folder / "encoders.py")
    shutil.copyfile(EXAMPLE / "data" / "stamps.csv", data / "stamps.csv")
    if not (data / "models").exists():
        (data / "models").symlink_to(EXAMPLE / "data" / "models")
    for path in (EXAMPLE / "data" / "pictures").glob("*.png"):
        if not (data / "pictures" / path.name).exists():
            picture(path.read_bytes()).save(data / "pictures" / path.name)
    return folder


def sections(seed: int, tune: Mapping[str, str], **training: Any) -> dict[str, Any]:
    """Return the example's project file, cut to pictures, captions and the category."""
    found = yaml.safe_load((EXAMPLE / "stamps.yaml").read_text("utf-8"))
    del found["inputs"]["speech"]
    for name, how in tune.items():
        found["inputs"][name]["tune"] = how
    found["tasks"] = {"category": found["tasks"]["category"]}
    found["training"] |= {"seed": seed, "probe": False, **training}
    return found


def rows_by_split(folder: Path) -> dict[str, Rows]:
    """Return the rows of each split, as Allrounder splits them."""
    records = load_records(make_plan(sections(0, {}), folder=folder))
    with open(folder / "data" / "stamps.csv", encoding="utf-8", newline="") as file:
        rows = [_row(row, folder) for row in csv.DictReader(file)]
    places = {s: records.numbers("row")[records.indices(s)] for s in SPLITS}
    return {split: [rows[n] for n in numbers] for split, numbers in places.items()}


def _row(row: Mapping[str, str], folder: Path) -> dict[str, str]:
    path = folder / "data" / row["picture"]
    return {"picture": str(path), "caption": row["caption"], "category": row["category"]}


def questions(rows: Rows) -> dict[str, Rows]:
    """Return rows without labels, by what they are asked with."""
    return {
        asked: [{n: None if n in gone else row[n] for n in ("picture", "caption")} for row in rows]
        for asked, gone in ASKED.items()
    }


# ------------------------------------------------------------------ both sides


def ours(folder: Path, rows: Mapping[str, Rows], seed: int, tune: Mapping[str, str],
         **training: Any) -> Found:  # fmt: skip
    """Train Allrounder and ask it; reading, judging and the report are part of its training."""
    shutil.rmtree(folder / ".allrounder" / "features", ignore_errors=True)
    began, busy = time.perf_counter(), time.process_time()
    project, _ = trained(sections(seed, tune, **training), folder)
    spent = {"training": time.perf_counter() - began, "cpu": time.process_time() - busy}
    said, asking = {}, {}
    _ = project.predictor  # loaded before the clock starts, as AutoGluon is
    for asked, records in questions(rows["test"]).items():
        began = time.perf_counter()
        said[asked] = _labels(project, records)
        asking[asked] = time.perf_counter() - began
    return {"right": right(said, rows["test"]), "asking": asking, **spent}


def _labels(project: Project, records: Rows) -> list[str]:
    return [answer["category"]["label"] for answer in project.predict(records)]


def theirs(folder: Path, rows: Mapping[str, Rows], seed: int, settings: Mapping[str, Any]) -> Found:
    """Train AutoGluon and ask it."""
    here = scratch()
    job = {
        **weights(folder, here),
        **{split: rows[split] for split in ("train", "validation")},
        "asked": questions(rows["test"]),
        "seed": seed,
        "settings": dict(settings),
    }
    found = AUTOGLUON.answered(job, here)[-1]
    spent = {name: found[name] for name in ("asking", "training", "cpu")}
    return {"right": right(found["answers"], rows["test"]), **spent}


def weights(folder: Path, here: Path) -> dict[str, Any]:
    """Return where both encoders lie, and what the picture's one says of two pictures of noise."""
    encoder = make_plan(sections(0, {}), folder=folder).located()["picture"]
    pixels = torch.randn(2, 3, 224, 224, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        patches = encoder.module().eval().network.extract_features(pixels)
    numbers = {"pixels": pixels, "vectors": patches.mean((2, 3)).contiguous()}
    save_file(numbers, here / "check.safetensors")
    steps = encoder.preprocessing
    return {
        "lite0": str(encoder.folder / "model.safetensors"),
        "check": str(here / "check.safetensors"),
        "mean": list(steps.mean),
        "std": list(steps.std),
        "minilm": str(locate(MINILM, folder, at="model")),
    }


def right(said: Mapping[str, Sequence[str]], rows: Rows) -> dict[str, float]:
    """Return the accuracy of each list of answers, times 100."""
    truths = np.array([row["category"] for row in rows])
    return {asked: 100 * float(np.mean(truths == answers)) for asked, answers in said.items()}


# ------------------------------------------------------------------ the table

ALL = {"picture": "full", "caption": "full"}
FROZEN = "Allrounder, encoders frozen"
TRAINED = "AutoGluon, trained for missing"


def ways(full: bool) -> dict[str, Any]:
    """Return each line of the table: a function of folder, rows and seed."""
    cut = {} if full else SHORT
    found = {
        FROZEN: lambda *case: ours(*case, {}),
        "Allrounder, captions tuned": lambda *case: ours(*case, {"caption": "full"}, epochs=5),
        "AutoGluon": lambda *case: theirs(*case, cut),
        TRAINED: lambda *case: theirs(*case, {**cut, **MISSING}),
    }
    every = {"Allrounder, all tuned": lambda *case: ours(*case, ALL, epochs=20)}
    return found | (every if full else {})


def measured(full: bool) -> dict[str, list[Found]]:
    """Measure every way with every seed, one after another, so that both share the weather."""
    AUTOGLUON.python()
    folder = prepared()
    rows = rows_by_split(folder)
    found: dict[str, list[Found]] = {}
    for seed in range(5 if full else 3):
        for name, way in ways(full).items():
            if name == TRAINED and seed and not full:
                continue  # half of the time, for a line that is not the default of either side
            one = remembered("multimodal", f"{full} {name} {seed}",
                             lambda: way(folder, rows, seed))  # noqa: B023  # fmt: skip
            found.setdefault(name, []).append(one)
    return found


def scores(found: Mapping[str, list[Found]]) -> list[list[str]]:
    """Return the table of accuracies."""
    head = ["accuracy, asked with", *ASKED]
    lines = [[n, *(mean_interval([f["right"][a] for f in one]) for a in ASKED)]
             for n, one in found.items()]  # fmt: skip
    return [head, *lines]


def gaps(found: Mapping[str, list[Found]]) -> list[list[str]]:
    """Return the table of what AutoGluon gives beyond Allrounder with frozen encoders."""
    lines = [[f"{FROZEN} − another", *ASKED]]
    for name, one in found.items():
        if name != FROZEN:
            lines.append([f"− {name}", *(_gap(found[FROZEN], one, asked) for asked in ASKED)])
    return lines


def _gap(ones: Sequence[Found], others: Sequence[Found], asked: str) -> str:
    pairs = zip(ones, others, strict=False)
    gaps = [a["right"][asked] - b["right"][asked] for a, b in pairs]
    if len(gaps) == 1:
        return f"{gaps[0]:+.1f}"
    gap = over_seeds(gaps)
    return f"{gap.value:+.1f} [{gap.low:+.1f}, {gap.high:+.1f}]"


def seconds(found: Mapping[str, list[Found]]) -> list[list[str]]:
    """Return the table of times; answers are milliseconds a stamp."""
    head = ["seconds", "training", "of which CPU", *(f"ms a stamp, {a}" for a in ASKED)]
    return [head, *([name, *_times(one)] for name, one in found.items())]


def _times(one: Sequence[Found]) -> list[str]:
    spent = [f"{np.mean([f[key] for f in one]):.0f}" for key in ("training", "cpu")]
    asking = [np.mean([f["asking"][asked] for f in one]) for asked in ASKED]
    return [*spent, *(f"{1000 * t / NUM_TEST:.0f}" for t in asking)]


NUM_TEST = 285


def main() -> None:
    """Measure both sides and print the tables."""
    full = arguments(__doc__).full
    found = measured(full)
    keep("multimodal", "Pictures and captions, beside AutoGluon-MultiModal",
         [scores(found), gaps(found), seconds(found)], notes(full))  # fmt: skip


def notes(full: bool) -> list[str]:
    """Return what a reader has to know of the tables."""
    budget = "its own 20 epochs in batches of 128" if full else "5 epochs in batches of 32"
    return [
        f"{'5 seeds' if full else '3 seeds, 1 where trained for missing'}; mean ± half of the 95 % "
        f"interval over seeds, differences with 95 % intervals (Student's t). The interval over "
        f"the {NUM_TEST} test stamps is about ± 5.",
        f"{AUTOGLUON.packages[-1]}: both encoders from the same weights (EfficientNet-lite0 "
        f"under timm's names, its vectors equal to 1e-4; MiniLM from its folder), {budget}, all "
        "weights tuned, else its default preset: fusion by an MLP, mixup off, greedy soup. Its "
        "defaults were not tuned, nor were ours beyond what the example says.",
        "Missing inputs: AutoGluon sees a picture of zeros, or an empty text. `trained for "
        "missing` is its modality dropout of 0.2 and its learned picture, both off by default. "
        "Allrounder's modality dropout is on, as the example has it.",
        "Training holds everything from files to a model: reading and encoding pictures once, and "
        "for Allrounder the report. Asking begins with a loaded model and reads picture files.",
        "Not measured: AutoGluon's larger presets, whose models lie on a hub; a GPU"
        + ("." if full else "; its own 20 epochs (`--full`)."),
    ]


if __name__ == "__main__":
    main()
