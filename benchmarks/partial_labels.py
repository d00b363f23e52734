"""What labels are worth when rows lack some of them: train on every label, or drop incomplete rows.

SNIPS, 2,000 training sentences, intent and slots in one MiniLM model, fully tuned. A share of each
task's labels is hidden at random. "masked" trains on every label that is left; "dropped" only on
rows that have both, with as many epochs as make the same number of steps. Validation and test keep
all labels. Default size: one seed, about 9 minutes on 2 cores; --full: three seeds with intervals.
"""

from pathlib import Path
from typing import Any

import numpy as np
from common import MINILM, arguments, data, keep, mean_interval, scratch, trained, write_jsonl
from joint_intent_slots import read

SHARES = (0.0, 0.3, 0.6, 0.9)
NUM_TRAIN, EPOCHS = 2000, 4
TASKS = ("intent", "slots")


def hidden(rows: list[dict[str, Any]], share: float, seed: int) -> list[dict[str, Any]]:
    """Return the rows with a share of each task's labels taken away, each task for itself."""
    rng = np.random.default_rng(seed)
    keeps = {task: rng.random(len(rows)) >= share for task in TASKS}
    return [
        {"text": row["text"], **{task: row[task] if keeps[task][i] else None for task in TASKS}}
        for i, row in enumerate(rows)
    ]


def train(folder: Path, rows: list[dict[str, Any]], seed: int, epochs: float) -> dict[str, float]:
    """Train on some rows; return the deciding metric of each task on the test split."""
    write_jsonl(folder / "train.jsonl", rows)
    sections = {
        "sources": [{"path": f"{split}.jsonl", "split": split}
                    for split in ("train", "validation", "test")],
        "inputs": {"text": {"kind": "text", "model": MINILM, "max_tokens": 64}},
        "tasks": {"intent": {"kind": "multiclass", "labels": LABELS["intent"]},
                  "slots": {"kind": "spans", "labels": LABELS["slots"]}},
        "training": {"epochs": epochs, "evaluate_every": epochs / 2, "lr": 2e-4, "patience": 99,
                     "seed": seed, "probe": False},
    }  # fmt: skip
    _, report = trained(sections, folder)
    return {task: 100 * report.tasks[task].deciding.after.value for task in TASKS}


LABELS: dict[str, list[str]] = {}


def prepared(folder: Path, seed: int) -> list[dict[str, Any]]:
    """Write validation and test; return the training sentences, and note the label sets."""
    every = read(data("snips") / "train")
    LABELS["intent"] = sorted({row["intent"] for row in every})
    LABELS["slots"] = sorted({span["label"] for row in every for span in row["slots"]})
    for old, new in {"dev": "validation", "test": "test"}.items():
        rows = read(data("snips") / old)
        known = set(LABELS["slots"])
        write_jsonl(folder / f"{new}.jsonl", [
            {**row, "slots": [span for span in row["slots"] if span["label"] in known]}
            for row in rows
        ])  # fmt: skip
    chosen = np.random.default_rng(seed).choice(len(every), NUM_TRAIN, replace=False)
    return [every[i] for i in sorted(chosen)]


def measure(share: float, seed: int) -> dict[str, Any]:
    """Train both ways with the same labels hidden."""
    folder = scratch()
    rows = hidden(prepared(folder, seed), share, seed)
    some = [row for row in rows if any(row[task] is not None for task in TASKS)]
    whole = [row for row in rows if all(row[task] is not None for task in TASKS)]
    masked = train(folder, some, seed, EPOCHS)
    same = len(some) == len(whole)
    dropped = masked if same else train(folder, whole, seed, EPOCHS * len(some) / len(whole))
    return {"some": len(some), "whole": len(whole), "masked": masked, "dropped": dropped}


def main() -> None:
    """Measure every share and print the table."""
    seeds = range(3) if arguments(__doc__).full else range(1)
    head = ["labels hidden", "rows used, masked", "dropped", "intent accuracy, masked", "dropped",
            "slot F1, masked", "dropped"]  # fmt: skip
    table = [head]
    for share in SHARES:
        found = [measure(share, seed) for seed in seeds]
        cells = [
            mean_interval([one[way][task] for one in found])
            for task in TASKS
            for way in ("masked", "dropped")
        ]
        rows = [f"{np.mean([one[key] for one in found]):,.0f}" for key in ("some", "whole")]
        table.append([f"{share:.0%}", *rows, *cells])
    keep("partial_labels", "Partly labelled rows", table, [
        "Labels of each task are hidden independently; both ways take the same number of steps.",
        "With nothing hidden the two are the same training, run once.",
        f"{len(seeds)} seed(s), {NUM_TRAIN:,} training sentences, {EPOCHS} epochs of the rows used "
        "by masked training; 700 test sentences with all labels.",
    ])  # fmt: skip


if __name__ == "__main__":
    main()
