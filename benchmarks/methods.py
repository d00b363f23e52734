"""The plain sum, tuned, against every other weighting with the same budget of tuning.

Three tasks from two sources whose records never carry each other's labels: intent and slots of 400
SNIPS sentences, and the 77 categories of 462 BANKING77 questions. MiniLM with its two upper layers
tuned. Every kind gets four settings: two learning rates times two values of one knob, its own, or
the weight of slots where it has none that a weight would not undo. The setting and the snapshot are
chosen by the mean of the three validation scores, with seed 0; seeds 1 and 2 repeat the chosen one,
and test records are only reported. About 30 minutes on 2 quiet cores; --quick: two kinds, one
epoch, to see that it runs.
"""

import argparse
import csv
import resource
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from common import MINILM, alone, data, keep, mean_interval, scratch, write_jsonl
from joint_intent_slots import read

from allrounder.checking import load_records
from allrounder.evaluation.assess import quick_scores
from allrounder.kinds import build
from allrounder.plan import Plan, make_plan
from allrounder.runs import Run
from allrounder.training.course import train
from allrounder.training.job import Job, fill
from allrounder.training.settings import Training
from allrounder.training.weighting import WEIGHTINGS

TASKS = ("intent", "slots", "category")
SEEDS = (0, 1, 2)
RATES = (5e-4, 1.5e-3)
EPOCHS = 6
SIZES = {"train": (400, 6), "validation": (250, 3), "test": (700, 5)}
"""SNIPS sentences, and questions of each category of BANKING77."""
KNOBS: dict[str, tuple[str, tuple[Any, Any]]] = {
    "uncertainty": ("head_lr", (1e-3, 4e-3)),
    "imtl_l": ("head_lr", (1e-3, 4e-3)),
    "geometric_mean": ("head_lr", (1e-3, 4e-3)),
    "imtl_g": ("head_lr", (1e-3, 4e-3)),
    "nash_mtl": ("head_lr", (1e-3, 4e-3)),
    "dwa": ("temperature", (2.0, 0.5)),
    "famo": ("lr", (0.025, 0.1)),
    "stch": ("mu", (0.1, 0.5)),
    "cagrad": ("c", (0.2, 0.5)),
    "aligned_mtl": ("scale", ("min", "median")),
}
OTHER = ("weight", (1.0, 3.0))
"""The knob of the kinds that are not named: the weight of slots."""


def write(folder: Path) -> None:
    """Write the records of three splits."""
    every = {old: read(data("snips") / old) for old in ("train", "dev", "test")}
    known = {span["label"] for row in every["train"] for span in row["slots"]}
    rng = np.random.default_rng(0)
    questions = {name: _questions(name) for name in ("train", "test")}
    for split, (sentences, each) in SIZES.items():
        rows = every["dev" if split == "validation" else split]
        chosen = [rows[i] for i in sorted(rng.permutation(len(rows))[:sentences])]
        for row in chosen:
            row["slots"] = [span for span in row["slots"] if span["label"] in known]
        source = questions["test" if split == "test" else "train"]
        asked = [source[name].pop() for name in sorted(source) for _ in range(each)]
        write_jsonl(folder / f"{split}.jsonl", [*chosen, *asked])


def _questions(name: str) -> dict[str, list[dict[str, str]]]:
    """Return the questions of one file of BANKING77 by category, in random order."""
    with open(data("banking77") / f"{name}.csv", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    found: dict[str, list[dict[str, str]]] = {}
    for i in np.random.default_rng(1).permutation(len(rows)):
        found.setdefault(rows[i]["category"], []).append(rows[i])
    return found


def planned(folder: Path, epochs: float) -> Plan:
    """Return the project."""
    return make_plan({
        "sources": [{"path": f"{split}.jsonl", "split": split} for split in SIZES],
        "inputs": {"text": {"kind": "text", "model": MINILM, "max_tokens": 64, "tune": "top:2"}},
        "tasks": {"intent": {"kind": "multiclass"}, "slots": {"kind": "spans"},
                  "category": {"kind": "multiclass"}},
        "training": {"epochs": epochs, "patience": 99, "probe": False,
                     "checkpoint_minutes": float("inf")},
    }, folder=folder)  # fmt: skip


def job_of(folder: Path, epochs: float) -> Job:
    """Return the training that all settings change something of."""
    plan = planned(folder, epochs)
    job = Job(inputs=plan.located(), tasks=plan.tasks, fusion=plan.fusion, settings=plan.training,
              records=load_records(plan), run=Run.create(folder / "runs"),
              cache=folder / "cache")  # fmt: skip
    return job.learned()


def settings(kind: str) -> list[dict[str, Any]]:
    """Return the four settings of a kind."""
    knob, values = KNOBS.get(kind, OTHER)
    return [
        {"kind": kind, "rate": rate, "knob": knob, "value": v} for rate in RATES for v in values
    ]


def changed(job: Job, found: dict[str, Any], seed: int) -> Job:
    """Return the job with one setting."""
    knob, value = found["knob"], found["value"]
    own = {knob: value} if knob not in {"weight", "head_lr"} else {}
    course = {"head_lr": value} if knob == "head_lr" else {}
    plain = {name: getattr(job.settings, name) for name in
             ("epochs", "patience", "probe", "checkpoint_minutes")}  # fmt: skip
    keys = {**plain, **course, "lr": found["rate"], "seed": seed,
            "weighting": {"kind": found["kind"], **own}}  # fmt: skip
    made = build(Training, keys, at="training")
    tasks = dict(job.tasks)
    if knob == "weight":
        tasks["slots"] = replace(tasks["slots"], weight=value)
    run = Run.create(job.run.path.parent)
    return replace(job, settings=made, tasks=tasks, run=run)


def measure(job: Job, found: dict[str, Any], seed: int) -> dict[str, Any]:
    """Train; return the scores of the shipped snapshot, the seconds and the peak memory."""
    one = changed(job, found, seed)
    model = one.model(dropout=one.settings.dropout)
    prepared = one.prepared(model)
    keeper, course = train(one, model, prepared)
    fill(model, keeper.weights(keeper.shared))
    said = {
        split: {name: 100 * scores[one.tasks[name].decides] for name, scores in
                quick_scores(model, prepared, one.records, one.rows(split)).items()}
        for split in ("validation", "test")
    }  # fmt: skip
    keeper.clear()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {**said, "seconds": course.seconds, "peak": peak}


def tuned(job: Job, kind: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Return the best setting of a kind on validation records, and what each seed made of it."""
    tried = [(found, alone(measure, job, found, SEEDS[0])) for found in settings(kind)]
    best, first = max(tried, key=lambda pair: np.mean(list(pair[1]["validation"].values())))
    tell(f"{kind}: {best} {first['validation']}")
    return best, [first, *(alone(measure, job, best, seed) for seed in SEEDS[1:])]


def tell(word: str) -> None:
    """Say how it goes, away from the table."""
    sys.stderr.write(f"{word}\n")


def gains(found: list[dict[str, Any]], plain: list[dict[str, Any]]) -> list[float]:
    """Return Δm of each seed: the mean over tasks of the change of the test score, in percent."""
    return [
        float(np.mean([100 * (a["test"][name] / b["test"][name] - 1) for name in TASKS]))
        for a, b in zip(found, plain, strict=True)
    ]


def row(kind: str, best: dict[str, Any], found: list, plain: list) -> list[str]:
    """Return the row of a kind."""
    return [
        kind,
        *(mean_interval([one["test"][name] for one in found]) for name in TASKS),
        mean_interval(gains(found, plain)),
        f"{best['rate']:g}, {best['knob']} {best['value']}",
        f"{np.mean([one['seconds'] for one in found]):.1f}",
        f"{np.mean([one['peak'] for one in found]):.0f}",
    ]


def verdict(results: dict[str, tuple[dict[str, Any], list]]) -> str:
    """Return which kinds are better than the plain sum by more than their interval."""
    plain, better = results["sum"][1], []
    for kind, (_, found) in results.items():
        change = gains(found, plain)
        half = 4.30 * np.std(change, ddof=1) / len(change) ** 0.5
        if kind != "sum" and np.mean(change) > half:
            better.append(kind)
    if not better:
        return "No kind beats the tuned plain sum by more than its interval: the plain sum wins."
    return f"Better than the tuned plain sum by more than the interval: {', '.join(better)}."


def main() -> None:
    """Tune every kind, repeat the best setting, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="two kinds, one epoch")
    quick = parser.parse_args().quick
    torch.set_num_threads(1)  # forks and thread pools do not go together
    folder, began = scratch(), time.monotonic()
    write(folder)
    job = job_of(folder, 1 if quick else EPOCHS)
    job.prepared(job.model(dropout=0.0))  # tokens and lower layers, kept on disk for all
    kinds = ["sum", "upgrad"] if quick else list(WEIGHTINGS.builtin)
    results = {kind: tuned(job, kind) for kind in kinds}
    table = [["weighting", "intent accuracy", "slot F1", "category accuracy", "Δm %", "chosen",
              "seconds", "MB"]]  # fmt: skip
    table += [row(kind, *results[kind], results["sum"][1]) for kind in kinds]
    if quick:
        sys.stdout.write("\n".join(map(str, table)) + "\n")
        return
    keep("methods", "Weightings against the tuned plain sum", table, [
        verdict(results),
        f"Test scores, mean and 95 % interval over {len(SEEDS)} seeds; Δm against the sum of the "
        "same seed, mean over tasks.",
        f"Each kind: 4 settings with seed 0, chosen on validation records; {EPOCHS} epochs of 862 "
        "records; the shipped snapshot is the one that costs all tasks least on validation.",
        "Seconds: of the training steps alone; MB: peak memory of the process.",
        f"{(time.monotonic() - began) / 60:.0f} minutes in all.",
    ])  # fmt: skip


if __name__ == "__main__":
    main()
