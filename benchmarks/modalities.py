"""Tasks of different modalities in one model, and what sharing it does to each of them.

Three sources that have no record in common: rated sentences of tweets and Amazon reviews (text
only; `rating`, a regression), emoji (picture only; `emoji`, nine categories), and the stamps of
`examples/stamps` (picture and caption; `category`, sixteen). Sentences of one document, emoji that
differ only in who is shown or which way they face, and stamps of one caption stay in one split.
Pictures go through EfficientNet-lite0, frozen, texts through MiniLM. First, on validation records,
which tasks read the joint vector of all inputs and which read one input; then a shared model beside
single-task twins of the same seeds and budget, with the text encoder frozen (fusion is all there is
to share) and with its last two layers tuned.
Default size: 500 training sentences a domain, 3 seeds, 5 to 10 minutes on
2 cores; --full: all sentences, 5 seeds, and the text encoder tuned whole besides.
"""

import csv
import json
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from common import MINILM, ROOT, arguments, keep, mean_interval, remembered, trained
from pydantic import TypeAdapter
from readers import kit
from sharing import domain, rows_of, write

from allrounder.evaluation.sharing import Sharing

EXAMPLE = ROOT / "examples" / "stamps"
EMOJI = (
    "emoji-datasource-google@16.0.0",
    "emoji-datasource-google-16.0.0.tgz",
    "fb5fd131b362aab7a55542d2a147a79708cce0a8b1c1bbacd470172708b5c438",
)
SWATCHES = "Component"
"""A category of five squares of skin colour: left out."""
WHO = {"1F466", "1F467", "1F468", "1F469", "1F46A", "1F9D1", "1F9D2", "2640", "2642", "27A1",
       "200D", "FE0F"}  # fmt: skip
"""Code points that say who is shown or which way they face, or that only join others."""
SENTENCES = 500
"""Training sentences of each domain at the default size."""
TASKS = {"rating": {"kind": "regression", "range": [-4, 4]}, "emoji": {"kind": "multiclass"},
         "category": {"kind": "multiclass"}}  # fmt: skip
FORMS = {
    "each from its own input": {"rating": "text", "emoji": "picture"},
    "emoji from the fusion": {"rating": "text"},
    "rating and emoji from the fusion": {},
}
"""Which tasks read one input; those that are not named read all of them."""
SETTINGS = {
    "text frozen": {"tune": "frozen", "epochs": 30, "patience": 8},
    "text top:2": {"tune": "top:2", "epochs": 10, "patience": 4},
    "text full": {"tune": "full", "epochs": 6, "patience": 3},
}


def prepared(full: bool) -> tuple[Path, list[dict[str, Any]]]:
    """Return a folder with the three sources, and how a project file names them."""
    for script in ("prepare.py", "models.py"):
        subprocess.run([sys.executable, str(EXAMPLE / script)], check=True)
    folder = ROOT / ".kit" / "modalities"
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(EXAMPLE / "encoders.py", folder / "encoders.py")
    if not (folder / "stamps").exists():
        (folder / "stamps").symlink_to(EXAMPLE / "data")
    return folder, [*sentences(folder, full), emoji(folder), stamps()]


def sentences(folder: Path, full: bool) -> list[dict[str, Any]]:
    """Write the rated sentences, split by document; return their sources."""
    parts: dict[str, list[dict[str, Any]]] = {}
    for name in ("tweet", "product"):
        for split, rows in domain(name, None if full else SENTENCES).items():
            found = [{"text": row["text"], "rating": row["rating"]} for row in rows]
            parts.setdefault(split, []).extend(found)
    return write(folder, "rated", parts)


def emoji(folder: Path) -> dict[str, Any]:
    """Write the emoji and a table of them; return their source."""
    package = kit.npm(*EMOJI)
    (folder / "emoji").mkdir(exist_ok=True)
    groups: dict[bytes, str] = {}  # some flags are one picture under several names
    with open(folder / "emoji.csv", "w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["picture", "emoji", "alike"])
        for one in json.loads((package / "emoji.json").read_text(encoding="utf-8")):
            if one["category"] != SWATCHES:
                seen = (package / "img" / "google" / "64" / one["image"]).read_bytes()
                (folder / "emoji" / one["image"]).write_bytes(seen)
                group = groups.setdefault(seen, alike(one["unified"]))
                writer.writerow([f"emoji/{one['image']}", one["category"], group])
    split = {"by": "group", "column": "alike", "test": 0.3, "validation": 0.15}
    return {"path": "emoji.csv", "split": split}


def alike(codes: str) -> str:
    """Return what is left of an emoji's code points when nobody asks who is shown."""
    return "-".join(code for code in codes.split("-") if code not in WHO) or "somebody"


def stamps() -> dict[str, Any]:
    """Return the source of the stamps, whose captions are texts like any other."""
    split = {"by": "group", "column": "caption", "test": 0.3, "validation": 0.15}
    return {"path": "stamps/stamps.csv", "map": {"stamp": "id", "caption": "text"}, "split": split}


def run(place: tuple[Path, list[Any]], setting: str, of: Mapping[str, str], **more: Any) -> Any:
    """Train one model for the three tasks; return the report."""
    folder, sources = place
    training = dict(SETTINGS[setting])
    text = {"kind": "text", "model": MINILM, "max_tokens": 64, "tune": training.pop("tune")}
    picture = {"kind": "encoders:Lite0", "model": "stamps/models/lite0", "tune": "frozen"}
    tasks = {name: task | ({"of": of[name]} if name in of else {}) for name, task in TASKS.items()}
    sections = {
        "sources": sources,
        "inputs": {"text": text, "picture": picture},
        "fusion": {"kind": "gated", "width": 128},
        "tasks": tasks,
        "training": {"lr": 2e-4, "head_lr": 1e-3, "probe": False, **training, **more},
    }
    return trained(sections, folder)[1]


def valid(place: tuple[Path, list[Any]], seeds: Sequence[int]) -> dict[str, list[list[float]]]:
    """Return by form the scores of each task on validation records, a row a seed."""
    return {
        form: [
            [found["shipped"] for found in run(place, "text frozen", of, seed=s).snapshots.values()]
            for s in seeds
        ]
        for form, of in FORMS.items()
    }


def form_rows(scores: Mapping[str, list[list[float]]]) -> list[list[str]]:
    """Return a line for each form, in hundredths."""
    head = ["validation records, text frozen", "rating, R²", "emoji, accuracy",
            "category, accuracy", "mean"]  # fmt: skip
    lines = [head]
    for form, found in scores.items():
        columns = 100 * np.array(found).T
        lines.append([form, *map(mean_interval, [*columns, columns.mean(0)])])
    return lines


def judged(place: tuple[Path, list[Any]], setting: str, form: str, seeds: int) -> dict[str, Any]:
    """Train shared model and twins; return what sharing did, as plain data."""
    return asdict(run(place, setting, FORMS[form], twins={"seeds": seeds}).sharing)


def cost_rows(name: str, sharing: Sharing) -> list[list[str]]:
    """Return what one model costs beside its twins."""
    return [
        [f"{name}: {who}", f"{c.seconds:,.0f} s", f"{c.parameters / 1e6:,.1f} M",
         f"{c.milliseconds:.2f} ms"]
        for who, c in sharing.costs.items()
    ]  # fmt: skip


def main() -> None:
    """Choose on validation records who reads what, measure what sharing does, print the tables."""
    full = arguments(__doc__).full
    seeds, size = (5, "full") if full else (3, "default")
    place = prepared(full)
    scores = remembered("modalities", f"forms {size}", lambda: valid(place, range(seeds)))
    form = max(scores, key=lambda form: np.mean(scores[form]))
    gains = [["setting: task", "metric", "twin", "joint", "joint − twin", "answers from",
              "shipped − twin"]]  # fmt: skip
    costs = [["setting: what", "training", "parameters", "a record"]]
    for name in SETTINGS if full else ("text frozen", "text top:2"):
        found = remembered(
            "modalities", f"{name} {size}", lambda n=name: judged(place, n, form, seeds)
        )
        sharing = TypeAdapter(Sharing).validate_python(found)
        gains += rows_of(name, sharing)
        costs += cost_rows(name, sharing)
    tables = [form_rows(scores), gains, costs]
    keep("modalities", "Tasks of different modalities in one model", tables, [
        f"{seeds} seeds; scores in hundredths, mean ± half of the 95 % interval over seeds, "
        "differences with 95 % intervals over seeds (Student's t); Δm in percent.",
        f"Chosen on validation records: {form}. All other numbers are of test records.",
        "Not measured here: the text encoder tuned whole, and all sentences (`--full`).",
    ])  # fmt: skip


if __name__ == "__main__":
    main()
