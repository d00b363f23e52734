"""What R-Drop, averaged weights and a soup of snapshots are worth where records are few: SNIPS.

Intent and slots of 500 training sentences in one model, MiniLM with its top 2 layers tuned; 200
validation sentences choose, the 700 published test sentences judge. Everything but the one key is
the same. Default size: two seeds, about 7 minutes on 1 core; --full: five seeds.
"""

from pathlib import Path
from typing import Any

import numpy as np
from common import MINILM, arguments, data, keep, mean_interval, scratch, trained, write_jsonl
from joint_intent_slots import SPLITS, read

SIZES = {"train": 500, "validation": 200}
CASES: dict[str, dict[str, Any]] = {
    "plain": {},
    "r_drop 1": {"r_drop": 1.0},
    "dropout .1 in the encoder": {"inside": 0.1},
    "the same, r_drop 1": {"inside": 0.1, "r_drop": 1.0},
    "ema .99": {"ema": 0.99},
    "soup": {"snapshots": "soup"},
    "ema .99, soup": {"ema": 0.99, "snapshots": "soup"},
}


def write(folder: Path, seed: int) -> None:
    """Write a random part of the published training and validation splits, and all of test."""
    rng = np.random.default_rng(seed)
    for old, new in SPLITS.items():
        rows = read(data("snips") / old)
        chosen = rng.choice(len(rows), SIZES.get(new, len(rows)), replace=False)
        write_jsonl(folder / f"{new}.jsonl", [rows[i] for i in sorted(chosen)])


def sections(seed: int, *, inside: float = 0.0, **keys: Any) -> dict[str, Any]:
    """Return the project file; `inside` is the dropout of the encoder."""
    text = {"kind": "text", "model": MINILM, "max_tokens": 64, "tune": "top:2", "dropout": inside}
    return {
        "sources": [{"path": f"{split}.jsonl", "split": split} for split in SPLITS.values()],
        "inputs": {"text": text},
        "tasks": {"intent": {"kind": "multiclass"}, "slots": {"kind": "spans"}},
        "training": {"epochs": 12, "lr": 2e-4, "patience": 12, "seed": seed, "probe": False,
                     **keys},
    }  # fmt: skip


def measure(folder: Path, seed: int, keys: dict[str, Any]) -> tuple[float, float, float]:
    """Return intent accuracy and slot F1 in percent, and the seconds of training."""
    _, report = trained(sections(seed, **keys), folder)
    intent = report.tasks["intent"].metrics["accuracy"].after.value
    slots = report.tasks["slots"].metrics["span_f1"].after.value
    return 100 * intent, 100 * slots, report.speed["train_seconds"]


def main() -> None:
    """Measure every case on every seed and print the table."""
    seeds = range(5) if arguments(__doc__).full else range(2)
    found: dict[str, list[tuple[float, float, float]]] = {name: [] for name in CASES}
    for seed in seeds:
        folder = scratch()
        write(folder, seed)
        for name, keys in CASES.items():
            found[name].append(measure(folder, seed, keys))
    table = [["", "intent accuracy", "slot F1", "slot F1 by seed", "seconds"]]
    for name, rows in found.items():
        intents, slots, seconds = zip(*rows, strict=True)
        each = " ".join(f"{value:.1f}" for value in slots)
        table.append([name, mean_interval(intents), mean_interval(slots), each,
                      f"{np.mean(seconds):.0f}"])  # fmt: skip
    keep("regularisers", "Regularisers on 500 sentences of SNIPS", table, [
        f"{len(seeds)} seeds, each with its own 500 training and 200 validation sentences; the "
        "interval is over seeds.",
        "12 epochs, MiniLM `tune: top:2`, lr 2e-4, dropout .1 on the way into heads.",
    ])  # fmt: skip


if __name__ == "__main__":
    main()
