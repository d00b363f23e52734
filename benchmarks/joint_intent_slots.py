"""One model for intent and slots against two single-task twins, on SNIPS and ATIS.

MiniLM (22M), fully tuned, with the published splits. Joint model and twins have the same encoder,
epochs, batches, learning rates and seed. Sentence accuracy asks intent and every slot of a
sentence to be right; for the twins it takes the intent of one model and the slots of the other.
Anchor (published): DistilBERT joint, SNIPS 98.0 / 96.1 / 91.0, ATIS 97.76 / 95.50 / 87.68.
Default size: one seed, about 22 minutes on 2 cores; --full: three seeds with intervals.
"""

from pathlib import Path
from typing import Any

import numpy as np
from common import MINILM, arguments, data, keep, mean_interval, scratch, trained, write_jsonl

from allrounder.project import Project

SPLITS = {"train": "train", "dev": "validation", "test": "test"}
EPOCHS = {"snips": 4, "atis": 8}


def read(folder: Path) -> list[dict[str, Any]]:
    """Return sentences with intent and slots as character spans."""
    columns = [(folder / name).read_text("utf-8").splitlines() for name in
               ("seq.in", "seq.out", "label")]  # fmt: skip
    return [
        {"text": " ".join(words.split()), "intent": intent.strip(),
         "slots": spans(words.split(), tags.split())}
        for words, tags, intent in zip(*columns, strict=True)
    ]  # fmt: skip


def spans(words: list[str], tags: list[str]) -> list[dict[str, Any]]:
    """Return BIO tags as character spans of the words joined by single spaces."""
    found: list[dict[str, Any]] = []
    at = 0
    for word, tag in zip(words, tags, strict=True):
        kind, _, label = tag.partition("-")
        if kind == "I" and found and found[-1]["label"] == label and found[-1]["end"] == at - 1:
            found[-1]["end"] = at + len(word)
        elif kind in {"B", "I"}:
            found.append({"start": at, "end": at + len(word), "label": label})
        at += len(word) + 1
    return found


def write(name: str, folder: Path) -> None:
    """Write the three splits as JSON lines."""
    for old, new in SPLITS.items():
        write_jsonl(folder / f"{new}.jsonl", read(data(name) / old))


def sections(name: str, tasks: list[str], seed: int) -> dict[str, Any]:
    """Return the project file for some of the tasks."""
    kinds = {"intent": {"kind": "multiclass"}, "slots": {"kind": "spans"}}
    return {
        "sources": [{"path": f"{split}.jsonl", "split": split} for split in SPLITS.values()],
        "inputs": {"text": {"kind": "text", "model": MINILM, "max_tokens": 64}},
        "tasks": {task: kinds[task] for task in tasks},
        "training": {"epochs": EPOCHS[name], "lr": 2e-4, "patience": 12, "seed": seed,
                     "probe": False, "snapshots": "shared"},
    }  # fmt: skip


def answers(project: Project, folder: Path) -> list[dict[str, Any]]:
    """Return the answers to the test sentences, in order."""
    parts = project.predict_stream(folder / "test.jsonl")
    return [answer for _, part in parts for answer in part]


def right(found: list[dict[str, Any]], truths: list[dict[str, Any]], task: str) -> np.ndarray:
    """Return which sentences have a task all right."""
    if task == "intent":
        return np.array([a["intent"]["label"] == t["intent"]
                         for a, t in zip(found, truths, strict=True)])  # fmt: skip
    key = ("start", "end", "label")
    said = [{tuple(s[k] for k in key) for s in a["slots"]["spans"]} for a in found]
    true = [{tuple(s[k] for k in key) for s in t["slots"]} for t in truths]
    return np.array([s == t for s, t in zip(said, true, strict=True)])


def measure(name: str, seed: int) -> dict[str, dict[str, float]]:
    """Train joint model and twins; return intent accuracy, slot F1 and sentence accuracy."""
    folder = scratch()
    write(name, folder)
    truths = read(data(name) / "test")
    results = {}
    joint, report = trained(sections(name, ["intent", "slots"], seed), folder)
    found = answers(joint, folder)
    results["joint"] = _row(report, report, right(found, truths, "intent"),
                            right(found, truths, "slots"))  # fmt: skip
    one, first = trained(sections(name, ["intent"], seed), folder)
    intents = right(answers(one, folder), truths, "intent")
    two, second = trained(sections(name, ["slots"], seed), folder)
    results["twins"] = _row(first, second, intents, right(answers(two, folder), truths, "slots"))
    return results


def _row(first: Any, second: Any, intents: np.ndarray, slots: np.ndarray) -> dict[str, float]:
    return {
        "intent": 100 * first.tasks["intent"].metrics["accuracy"].after.value,
        "slots": 100 * second.tasks["slots"].metrics["span_f1"].after.value,
        "sentence": 100 * float((intents & slots).mean()),
    }


def main() -> None:
    """Measure both data sets and print the table."""
    seeds = range(3) if arguments(__doc__).full else range(1)
    table = [["data, model", "intent accuracy", "slot F1", "sentence accuracy"]]
    for name in EPOCHS:
        found = [measure(name, seed) for seed in seeds]
        for kind in ("joint", "twins"):
            keys = ("intent", "slots", "sentence")
            cells = [mean_interval([one[kind][key] for one in found]) for key in keys]
            table.append([f"{name}, {'one model' if kind == 'joint' else 'two twins'}", *cells])
    keep("joint_intent_slots", "Intent and slots in one model", table, [
        "Test splits as published; the snapshot is chosen on the validation split.",
        "Anchor, published, not run here: DistilBERT (66M) joint, SNIPS 98.0 / 96.1 / 91.0, "
        "ATIS 97.76 / 95.50 / 87.68.",
        f"{len(seeds)} seed(s); epochs: SNIPS {EPOCHS['snips']}, ATIS {EPOCHS['atis']}, the same "
        "for joint model and twins.",
    ])  # fmt: skip


if __name__ == "__main__":
    main()
