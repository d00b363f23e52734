"""The rules loss: what training towards the rules changes, with sentences without labels too.

The data of `joint_decoding.py`: Chinese medical records by character, a tagger and a classifier of
the kinds of spans in one model, 345 training sentences, five rules "kinds has K <=> exists span:K".
The encoder stays frozen, so that a training costs seconds: tagger and classifier are far weaker
than where it learns. Trained without the loss, with it on the labelled sentences alone, and with it
on them and 1,000 sentences without labels; judged before decoding, as decoding hides
contradictions, and after it. Without the loss, sentences without labels change nothing. How hard it
pulls (`most`) is chosen on validation sentences.

Default size: three seeds, under half an hour on two cores; --full: ten seeds.
"""

import time
from pathlib import Path
from typing import Any

import numpy as np
from common import ROOT, arguments, keep, mean_interval, remembered, write_jsonl
from joint_decoding import KINDS, RULES, SENTENCES, encoder, read

from allrounder.plan import make_plan
from allrounder.project import Project

NAME = "rules_loss"
UNLABELLED = 1000
TEST = 400
CANDIDATES = (0.1, 0.3)
CASES: dict[str, Any] = {
    "without": None,
    "with": {"unlabelled": 0},
    "with, 1,000 without labels": {"unlabelled": 1},
}
PULLED = list(CASES)[-1]
MEASURED = (
    ("kinds of the sentence, micro F1", "kinds"),
    ("spans, strict F1", "entities"),
    ("sentences that contradict themselves, %", "broken"),
    ("kinds after decoding, micro F1", "kinds decoded"),
    ("spans after decoding, strict F1", "entities decoded"),
)


def write(folder: Path, seed: int) -> None:
    """Write training sentences drawn at random, a thousand more without their labels.

    All draws share a folder, so that no sentence is encoded twice.
    """
    test = {row["text"]: row for row in read("test")}
    dev = {row["text"]: row for row in read("dev") if row["text"] not in test}
    rows = [row for row in read("train") if row["text"] not in {*test, *dev}]
    order = np.random.default_rng(seed).permutation(len(rows))
    rest = order[SENTENCES : SENTENCES + UNLABELLED]
    write_jsonl(folder / f"train-{seed}.jsonl", [rows[at] for at in order[:SENTENCES]])
    write_jsonl(folder / f"unlabelled-{seed}.jsonl", [{"text": rows[at]["text"]} for at in rest])
    write_jsonl(folder / f"validation-{seed}.jsonl", list(dev.values())[:172])
    write_jsonl(folder / f"test-{seed}.jsonl", list(test.values())[:TEST])
    lines = "".join(f"- {rule}\n" for rule in RULES)
    (folder / "rules.yaml").write_text(lines, encoding="utf-8")


def sections(seed: int, loss: dict[str, Any] | None) -> dict[str, Any]:
    """Return the project file."""
    files = {"train": "train", "unlabelled": "train", "validation": "validation", "test": "test"}
    return {
        "sources": [{"path": f"{name}-{seed}.jsonl", "split": split}
                    for name, split in files.items()],
        "inputs": {"text": {"kind": "text", "model": encoder(), "prefix": "query: ",
                            "tune": "frozen"}},
        "knowledge": {"rules": "rules.yaml", "rules_loss": loss},
        "tasks": {
            "entities": {"kind": "spans", "labels": list(KINDS), "split_words": True},
            "kinds": {"kind": "multilabel", "labels": list(KINDS)},
        },
        "training": {"epochs": 24, "head_lr": 1.0e-2, "batch_records": 32, "evaluate_every": 3,
                     "patience": 6, "seed": seed, "probe": False},
    }  # fmt: skip


def measure(seed: int, loss: dict[str, Any] | None) -> dict[str, Any]:
    """Train one model; return what it says of test sentences, and of validation ones."""
    folder = ROOT / ".kit" / "rules_loss"
    folder.mkdir(parents=True, exist_ok=True)
    write(folder, seed)
    project = Project(make_plan(sections(seed, loss), folder=folder))
    began = time.process_time()
    report = project.train()
    notes = [note for note in report.notes if note.startswith("Rules loss")]
    found: dict[str, Any] = {"seconds": time.process_time() - began, "notes": notes}
    for split in ("validation", "test"):
        rules = (project.evaluate(split=split) if split == "validation" else report).rules
        found[split] = {"broken": 100 * rules.before}
        for name, task in rules.tasks.items():
            found[split] |= {name: 100 * task.before, f"{name} decoded": 100 * task.after}
    return found


def case(job: tuple[str, int, dict[str, Any] | None]) -> dict[str, Any]:
    """Return what one training gives, from disk where it is known already."""
    name, seed, loss = job
    return remembered(NAME, name, lambda: measure(seed, loss))


def chosen() -> tuple[float, list[list[str]]]:
    """Return the `most` that is best on validation sentences of seed 0, and the table of all."""
    found = [case(job_of(PULLED, 0, most)) for most in CANDIDATES]
    table = [["on 172 validation sentences, seed 0", "kinds", "spans", "contradictions, %"]]
    for label, one in [
        ("without", case(job_of("without", 0, 0.0))),
        *((f"most: {most}", one) for most, one in zip(CANDIDATES, found, strict=True)),
    ]:
        table.append(
            [label, *(f"{one['validation'][key]:.2f}" for key in ("kinds", "entities", "broken"))]
        )
    sums = [one["validation"]["kinds"] + one["validation"]["entities"] for one in found]
    return CANDIDATES[int(np.argmax(sums))], table


def job_of(name: str, seed: int, most: float) -> tuple[str, int, dict[str, Any] | None]:
    """Return a training: its name, its seed, its loss."""
    loss = CASES[name]
    return f"{name}-{seed}-{most if loss else 0}", seed, loss and {**loss, "most": most}


def main() -> None:
    """Measure, and keep two tables."""
    seeds = range(10 if arguments(__doc__).full else 3)
    most, choice = chosen()
    found = {name: [case(job_of(name, seed, most)) for seed in seeds] for name in CASES}
    table = [[f"on {TEST} test sentences", *CASES]]
    for label, key in MEASURED:
        table.append([label, *(mean_interval([one["test"][key] for one in found[name]])
                               for name in CASES)])  # fmt: skip
    table.append(["CPU seconds of a training", *(mean_interval([one["seconds"] for one in some])
                                                 for some in found.values())])  # fmt: skip
    gains = [["change against without", *list(CASES)[1:]]]
    for label, key in MEASURED:
        gains.append([label, *(mean_interval([
            one["test"][key] - base["test"][key]
            for one, base in zip(found[name], found["without"], strict=True)
        ]) for name in list(CASES)[1:])])  # fmt: skip
    ends = found[PULLED][0]["notes"]
    keep(NAME, "Training towards the rules", [choice, table, gains], [
        f"{SENTENCES} training sentences, {len(seeds)} seeds (another draw of sentences and "
        "another start each); multilingual-e5-small, frozen; five rules `kinds has K <=> exists "
        "span:K`; snapshots and temperatures by 172 validation sentences.",
        f"`most: {most}` was chosen by the sum of both F1 on validation sentences of seed 0; all "
        "other keys are the defaults.",
        f"Seed 0 with sentences without labels: {' '.join(ends)}",
    ])  # fmt: skip


if __name__ == "__main__":
    main()
