"""Whether a model that gains labels forgets the old ones.

Banking77, MiniLM (22M) fully tuned. A first run learns 74 of the 77 intents; a second one starts
from it (`from: runs/1`) and gains the other three. Its records are those of the new intents alone,
or these with a few old ones a label (replay), or all records there are; beside it a model trained
on everything from nothing. Scored on the published test split: old intents and new ones, each by
accuracy over all 77 answers, and the macro F1 of the old intents. Which intents are new is drawn by
seed; snapshots are chosen on validation records that hold old and new intents alike.
Default size: 20 training records an intent, 3 seeds, about 20 minutes on 2 cores; --full: all
records, 5 seeds.
"""

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from common import (
    MINILM,
    arguments,
    data,
    keep,
    mean_interval,
    remembered,
    scratch,
    trained,
    write_jsonl,
)
from sklearn.metrics import f1_score

from allrounder.project import Project

NUM_NEW = 3
VALIDATION = 5
"""Validation records an intent; the shares of replay have no more of the old intents."""
REPLAY = (0, 2, 10)
"""Old records an intent that the second run is shown."""

Rows = list[dict[str, Any]]


def read(name: str) -> Rows:
    """Return the published questions, each text once, with their intents."""
    with open(data("banking77") / name, encoding="utf-8", newline="") as file:
        found = {row["text"].strip(): row["category"] for row in csv.DictReader(file)}
    return [{"text": text, "intent": intent} for text, intent in found.items()]


def divided(rows: Rows, n: int | None, seed: int) -> tuple[Rows, Rows]:
    """Return up to `n` training records an intent, and as many validation records as said above."""
    rng = np.random.default_rng(seed)
    train, validation = [], []
    for intent in sorted({row["intent"] for row in rows}):
        mine = [row for row in rows if row["intent"] == intent]
        mine = [mine[i] for i in rng.permutation(len(mine))]
        validation += mine[:VALIDATION]
        train += mine[VALIDATION:][:n]
    return train, validation


def project(epochs: float, lr: float, seed: int, start: str | None = None) -> dict[str, Any]:
    """Return a project file over the files that lie in its folder."""
    return {
        "from": start,
        "sources": [{"path": f"{split}.jsonl", "split": split}
                    for split in ("train", "validation", "test")],
        "inputs": {"text": {"kind": "text", "model": MINILM, "max_tokens": 64}},
        "tasks": {"intent": {"kind": "multiclass"}},
        "training": {"epochs": epochs, "lr": lr, "seed": seed, "probe": False,
                     "evaluate_every": epochs / 3},
    }  # fmt: skip


def run(folder: Path, train: Rows, validation: Rows, test: Rows, sections: Any) -> Project:
    """Write the records and train."""
    for name, rows in {"train": train, "validation": validation, "test": test}.items():
        write_jsonl(folder / f"{name}.jsonl", rows)
    return trained(sections, folder)[0]


def scores(model: Project, test: Rows, old: Sequence[str]) -> dict[str, float]:
    """Return accuracy on old and on new intents, and the macro F1 of the old ones."""
    said = [answer["intent"]["label"] for answer in model.predict(test)]
    true = [row["intent"] for row in test]
    right = np.array([s == t for s, t in zip(said, true, strict=True)])
    known = np.isin(true, old)
    macro = f1_score(true, said, labels=sorted(old), average="macro", zero_division=0)
    return {
        "old": 100 * float(right[known].mean()),
        "old F1": 100 * float(macro),
        "new": 100 * float(right[~known].mean()) if (~known).any() else float("nan"),
    }


def measure(n: int | None, seed: int) -> dict[str, dict[str, float]]:
    """Train the first run, then every way to add the new intents."""
    folder = scratch()
    train, validation = divided(read("train.csv"), n, seed)
    test = [{"text": row["text"], "intent": row["intent"]} for row in read("test.csv")]
    intents = sorted({row["intent"] for row in train})
    new = set(np.random.default_rng(seed).permutation(intents)[:NUM_NEW].tolist())
    old = [intent for intent in intents if intent not in new]

    def of(rows: Rows, names: Any) -> Rows:
        return [row for row in rows if row["intent"] in names]

    first = run(folder, *(of(rows, old) for rows in (train, validation, test)),
                project(8, 2e-4, seed))  # fmt: skip
    found = {"before: 74 intents": scores(first, of(test, old), old)}
    for replay in REPLAY:
        some, _ = divided(of(train, old), replay, seed) if replay else ([], [])
        again = run(folder, of(train, new) + some, validation, test,
                    project(4, 5e-5, seed, start="runs/1"))  # fmt: skip
        found[f"{NUM_NEW} new intents, {replay} old records an intent"] = scores(again, test, old)
    again = run(folder, train, validation, test, project(2, 5e-5, seed, start="runs/1"))
    found[f"{NUM_NEW} new intents, all old records"] = scores(again, test, old)
    found["77 intents from nothing"] = scores(
        run(folder, train, validation, test, project(8, 2e-4, seed)), test, old
    )
    return found


def main() -> None:
    """Measure every seed and print the table."""
    full = arguments(__doc__).full
    seeds, n = (range(5), None) if full else (range(3), 20)
    found = [
        remembered("forgetting", f"{n}-{seed}", lambda seed=seed: measure(n, seed))
        for seed in seeds
    ]
    keys = ("old", "old F1", "new")
    table = [["model", "old intents, accuracy", "moved by", "old intents, macro F1", "moved by",
              "new intents, accuracy"]]  # fmt: skip
    for name in found[0]:
        cells = {key: [one[name][key] for one in found] for key in keys}
        moved = {key: [one[name][key] - one["before: 74 intents"][key] for one in found]
                 for key in keys}  # fmt: skip
        new = "–" if name.startswith("before") else mean_interval(cells["new"])
        both = [mean_interval(of[key]) for key in ("old", "old F1") for of in (cells, moved)]
        table.append([name, *both, new])
    keep("forgetting", "Three labels more", table, [
        "In hundredths, mean ± half of the 95 % interval over seeds; 3,080 test questions.",
        "After the three intents are added every question has 77 answers to be mistaken for.",
        f"{len(seeds)} seeds; {n or 'all'} training records an intent, {VALIDATION} to choose by.",
    ])  # fmt: skip


if __name__ == "__main__":
    main()
