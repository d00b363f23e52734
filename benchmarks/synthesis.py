"""Made labels beside real ones: Banking77 with 5 and 10 labels for each of 77 intents.

The encoder (MiniLM) is frozen and read from one cache, so that a training takes seconds; 2,000
other training questions have no labels. What differs is what the labels are joined by: nothing;
variations by noise; the plain model's own sure answers (pseudo); records mixed in training (mix);
all of these; and, as the measure, as many real labels again. Kinds that need another model
(replace, endpoint) are not in it. All are judged on the 3,080 test questions.

Default size: five seeds, meant for half an hour on two cores, not run to its end yet; --full: ten.
"""

import csv
import json
import shutil
from collections import defaultdict
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
from common import MINILM, arguments, data, keep, mean_interval, remembered, scratch, write_jsonl

from allrounder.plan import make_plan
from allrounder.project import Project

NAME = "synthesis"
SIZES = (5, 10)
HELD = 3
"""Labels of an intent by which snapshots are chosen."""
UNLABELLED = 2000
VARIANTS: dict[str, list[dict[str, Any]]] = {
    "labels alone": [],
    "noise": [{"kind": "noise", "n": 2}],
    "pseudo": [{"kind": "pseudo", "confidence": 0.8, "per_label": 10}],
    "mix": [{"kind": "mix", "alpha": 0.4}],
    "all": [
        {"kind": "noise", "n": 2},
        {"kind": "pseudo", "confidence": 0.8, "per_label": 10},
        {"kind": "mix", "alpha": 0.4},
    ],
    "twice the labels": [],
}


@cache
def place() -> Path:
    """Return where the projects lie, one after another: what the encoder says is kept there."""
    return scratch()


def questions(split: str) -> list[dict[str, str]]:
    """Return the questions of a split with their intents."""
    with open(data("banking77") / f"{split}.csv", encoding="utf-8", newline="") as file:
        return [{"text": row["text"], "intent": row["category"]} for row in csv.DictReader(file)]


def write(folder: Path, size: int, seed: int) -> None:
    """Write training questions of which each intent has `size` labels; the others have none."""
    rows = questions("train")
    by_intent = defaultdict(list)
    for at in np.random.default_rng(seed).permutation(len(rows)):
        by_intent[rows[at]["intent"]].append(rows[at])
    train, validation, free = [], [], []
    for some in by_intent.values():
        validation += some[:HELD]
        train += some[HELD : HELD + size]
        free += [{"text": row["text"]} for row in some[HELD + 2 * max(SIZES) :]]
    order = np.random.default_rng(seed).permutation(len(free))[:UNLABELLED]
    train += [free[at] for at in order]
    for left in ("runs", "synthesis"):
        shutil.rmtree(folder / left, ignore_errors=True)
    for path in folder.glob("ledger.db*"):
        path.unlink()
    for split, some in (("train", train), ("validation", validation), ("test", questions("test"))):
        write_jsonl(folder / f"{split}.jsonl", some)


def project(folder: Path, kinds: list[dict[str, Any]], seed: int, *, made: bool) -> Project:
    """Return the project, with what was made as a source or without."""
    splits = [{"path": f"{split}.jsonl", "split": split} for split in
              ("train", "validation", "test")]  # fmt: skip
    ledger = {"path": "ledger.db", "format": "ledger", "split": "train"}
    sections = {
        "sources": [*splits, *([ledger] if made else [])],
        "inputs": {"text": {"kind": "text", "model": MINILM, "tune": "frozen", "max_tokens": 64}},
        "tasks": {"intent": {"kind": "multiclass"}},
        "synthesis": [{**one, "seed": seed} for one in kinds],
        "training": {"epochs": 30, "head_lr": 0.01, "batch_records": 64, "patience": 5,
                     "evaluate_every": 2, "probe": False, "seed": seed},
    }  # fmt: skip
    return Project(make_plan(sections, folder=folder))


def accuracy(size: int, variant: str, seed: int) -> dict[str, float]:
    """Train one variant; return its test accuracy and how many labels were made."""
    folder, kinds = place(), VARIANTS[variant]
    write(folder, 2 * size if variant == "twice the labels" else size, seed)
    if any(one["kind"] == "pseudo" for one in kinds):
        project(folder, [], seed, made=False).train()
    making = any(one["kind"] != "mix" for one in kinds)
    made = project(folder, kinds, seed, made=False).synthesize().kept if making else 0
    report = project(folder, kinds, seed, made=making).train()
    return {"accuracy": 100 * report.tasks["intent"].metrics["accuracy"].after.value, "made": made}


def table(seeds: int) -> list[list[str]]:
    """Return accuracy by what the labels are joined by, and the gain over labels alone."""
    rows = [["labels an intent", "joined by", "made", "accuracy", "gain"]]
    for size in SIZES:
        plain: list[float] = []
        for variant in VARIANTS:
            found = [
                remembered(NAME, f"{size} {variant} {seed}", partial(accuracy, size, variant, seed))
                for seed in range(seeds)
            ]
            values = [one["accuracy"] for one in found]
            plain = plain or values
            gains = [one - other for one, other in zip(values, plain, strict=True)]
            mean = f"{np.mean([one['made'] for one in found]):,.0f}"
            gain = "–" if variant == "labels alone" else mean_interval(gains)
            rows.append([str(size), variant, mean, mean_interval(values), gain])
    return rows


def main() -> None:
    """Print the table, and keep it."""
    seeds = 10 if arguments(__doc__ or "").full else 5
    notes = [
        f"{seeds} seeds; ± is the 95 % interval over seeds, of gains of paired ones.",
        f"Noise: {json.dumps(VARIANTS['noise'][0])}; pseudo: {json.dumps(VARIANTS['pseudo'][0])}.",
    ]
    keep(NAME, "Made labels beside real ones (Banking77)", table(seeds), notes)


if __name__ == "__main__":
    main()
