"""What a knowledge base is worth to a tagger of Chinese medical records, and whether that is real.

The records and the knowledge base (13,864 terms and their types) are those of K-BERT. Each variant
is the same model with the same training; what differs is what it knows: nothing; types through
a gate (`gazetteer`); facts through attention (`facts`); facts read with the text, as K-BERT reads
them (`visible_matrix`) or behind it (`verbalized`); and three knowledge bases that say nothing
true: types shuffled over terms, terms replaced by random stretches of training texts, terms without
types (only where one stands). Lift is the real one minus the best of no knowledge, shuffled
and random. Unseen recall: of test spans whose text is no span of the training sentences.

Default size: 138 training sentences, three seeds, the upper four layers of multilingual-e5-small
learn; 24 models, about 40 minutes on one core and half of that with --jobs 2. --full: 345 and 1,383
sentences too, five seeds, and each kind of knowledge once on all 6,919, also with all layers
learning: for a GPU, which --jobs models share.
"""

import argparse
import time
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import torch
from common import data, keep, mean_interval, remembered, scratch, write_jsonl
from joint_decoding import KINDS, encoder, read

from allrounder.checking import load_records
from allrounder.evaluation.assess import said
from allrounder.knowledge import NAME as CALLED
from allrounder.knowledge import Fact, Snapshot, formats
from allrounder.knowledge.controls import renamed, shuffled, untyped
from allrounder.model import Prepared, store_frozen
from allrounder.plan import make_plan
from allrounder.project import Project

NAME = "knowledge_ner"
VARIANTS = {
    "nothing": (None, "real"),
    "types of terms (gazetteer)": ("gazetteer", "real"),
    "facts of terms (facts)": ("facts", "real"),
    "K-BERT's matrix (visible_matrix)": ("visible_matrix", "real"),
    "behind the text (verbalized)": ("verbalized", "real"),
    "types shuffled": ("gazetteer", "shuffled"),
    "random terms": ("gazetteer", "random"),
    "only where terms stand": ("gazetteer", "untyped"),
}
EPOCHS = {138: 16, 345: 10, 1383: 6, 6919: 3}
ALL = 6919
ONCE = [name for name, (_, which) in VARIANTS.items() if which == "real"]
"""What is measured once on all sentences, the upper four layers learning."""
WHOLE = [ONCE[0], ONCE[1], ONCE[3]]
"""What is measured there with all layers learning too, as K-BERT was."""


def knowledge(which: str, texts: list[str], seed: int) -> list[Fact]:
    """Return the knowledge base, or one that says nothing true."""
    path = data("medical_ner") / "Medical.spo"
    real = Snapshot.of(formats.read(path, predicates={"类别": "type"}))
    chance = np.random.default_rng(seed)
    made = {
        "real": lambda: real,
        "shuffled": lambda: shuffled(real, chance),
        "random": lambda: renamed(real, texts, chance),
        "untyped": lambda: untyped(real),
    }
    return made[which]().facts()


def drawn(size: int, seed: int) -> list[dict[str, Any]]:
    """Return training sentences, none of which is a validation or test sentence."""
    known = {row["text"] for split in ("dev", "test") for row in read(split)}
    rows = [row for row in read("train") if row["text"] not in known]
    order = np.random.default_rng(seed).permutation(len(rows))
    return [rows[at] for at in order[:size]]


def sections(injection: str | None, size: int, seed: int, tune: str) -> dict[str, Any]:
    """Return the project file."""
    known = {"knowledge": {"facts": "facts.jsonl", "injection": injection}} if injection else {}
    few = tune == "top:4"
    return {
        "sources": [{"path": f"{split}.jsonl", "split": split}
                    for split in ("train", "validation", "test")],
        "inputs": {"text": {"kind": "text", "model": encoder(), "prefix": "query: ",
                            "tune": tune}},
        **known,
        "tasks": {"entities": {"kind": "spans", "labels": list(KINDS), "split_words": True}},
        "training": {"epochs": EPOCHS[size] * (1 if few else 2),
                     "lr": 2.0e-4 if few else 5.0e-5, "head_lr": 3.0e-3,
                     "batch_records": 16, "patience": 6, "seed": seed, "probe": False},
    }  # fmt: skip


def entities(facts: list[Fact]) -> list[dict[str, Any]]:
    """Return facts as entities, one JSON object each."""
    found: dict[str, dict[str, Any]] = {}
    for fact in facts:
        one = found.setdefault(fact.subject, {"id": fact.subject, "types": [], "aliases": []})
        if fact.predicate == CALLED:
            one["aliases"].append(fact.object)
        else:
            one["types"].append(fact.object)
    return list(found.values())


def measure(variant: str, size: int, seed: int, tune: str) -> dict[str, Any]:
    """Train one model; return its scores on test sentences."""
    began = time.perf_counter()
    injection, which = VARIANTS[variant]
    folder, train = made(size, seed), drawn(size, seed)
    facts = knowledge(which, [row["text"] for row in train], seed)
    write_jsonl(folder / "facts.jsonl", entities(facts))
    project = Project(make_plan(sections(injection, size, seed, tune), folder=folder))
    report = project.train()
    f1 = report.tasks["entities"].metrics["span_f1"].after.value
    found = {"f1": 100 * f1, "unseen": 100 * unseen(project, train)}
    return {**found, "seconds": time.perf_counter() - began, "on": device()}


def device() -> str:
    """Return what models learn on."""
    if torch.cuda.is_available():
        return f"one {torch.cuda.get_device_name()}, torch {torch.__version__}"
    return f"a processor, torch {torch.__version__}"


def case(variant: str, size: int, seed: int, tune: str = "top:4") -> dict[str, Any]:
    """Measure one model, or recall what an interrupted benchmark has measured."""
    name = variant.split(" (")[0].replace(" ", "-").replace("'", "")
    name += f"-{size}-{seed}" + ("" if tune == "top:4" else f"-{tune}")
    return remembered(NAME, name, lambda: measure(variant, size, seed, tune))


@cache
def made(size: int, seed: int) -> Path:
    """Return a folder with the sentences; what frozen layers say of them is kept in it."""
    folder = scratch()
    write_jsonl(folder / "train.jsonl", drawn(size, seed))
    write_jsonl(folder / "validation.jsonl", read("dev")[: max(69, min(300, size // 2))])
    write_jsonl(folder / "test.jsonl", read("test"))
    return folder


def unseen(project: Project, train: list[dict[str, Any]]) -> float:
    """Return the recall of test spans whose text is no span of the training sentences."""
    seen = {text for row in train for text in texts(row)}
    records = load_records(project.plan)
    prepared = Prepared.of(
        project.predictor.model,
        {"text": records.values("text")},
        {"entities": records.labels("entities")},
    )
    store_frozen(prepared, np.arange(len(records)), cache=project.plan.cache / "features",
                 progress=lambda done, total: None)  # fmt: skip
    rows = records.labeled("test")
    passes = [(project.predictor.model, ["entities"])]
    answers = said(passes, prepared, rows)["entities"]
    found = total = 0
    for row, spans in zip(answers.rows, answers.decoded, strict=True):
        text, truths = records.take("text", [row])[0], records.take("entities", [row])[0]
        right = {(one["start"], one["end"], one["label"]) for one in spans}
        new = [one for one in truths if text[one["start"] : one["end"]] not in seen]
        total += len(new)
        found += sum((one["start"], one["end"], one["label"]) in right for one in new)
    return found / max(1, total)


def texts(row: Mapping[str, Any]) -> list[str]:
    """Return the texts of the spans of a sentence."""
    return [row["text"][span["start"] : span["end"]] for span in row["entities"]]


def table(size: int, seeds: int) -> tuple[list[list[str]], list[float]]:
    """Return a table of all variants at one size, and the lift of each seed."""
    rows = [[f"{size:,} sentences", "F1", "over nothing", "unseen recall"]]
    scores = {name: [case(name, size, seed) for seed in range(seeds)] for name in VARIANTS}
    plain = [one["f1"] for one in scores["nothing"]]
    for variant, found in scores.items():
        f1 = [one["f1"] for one in found]
        gain = [a - b for a, b in zip(f1, plain, strict=True)]
        shown = "" if variant == "nothing" else mean_interval(gain)
        rows.append(
            [variant, mean_interval(f1), shown, mean_interval([o["unseen"] for o in found])]
        )
    best = zip(*([one["f1"] for one in scores[v]] for v in
                 ("nothing", "types shuffled", "random terms")), strict=True)  # fmt: skip
    real = [one["f1"] for one in scores["types of terms (gazetteer)"]]
    return rows, [a - max(b) for a, b in zip(real, best, strict=True)]


def once() -> list[list[str]]:
    """Return a table of what was measured once, on all sentences."""
    rows = [[f"{ALL:,} sentences, once", "F1", "unseen recall", "F1, all layers learn"]]
    for variant in ONCE:
        one = case(variant, ALL, 0)
        whole = f"{case(variant, ALL, 0, 'full')['f1']:.2f}" if variant in WHOLE else ""
        rows.append([variant, f"{one['f1']:.2f}", f"{one['unseen']:.2f}", whole])
    return rows


def main() -> None:
    """Measure, and keep one table for each size."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--full", action="store_true", help="more sentences and five seeds")
    parser.add_argument("--jobs", type=int, default=1, help="how many models learn at once")
    given = parser.parse_args()
    sizes, seeds = ((1383, 345, 138), 5) if given.full else ((138,), 3)
    cases = [(v, n, seed, "top:4") for seed in range(seeds) for n in sizes for v in VARIANTS]
    if given.full:
        cases += [(v, ALL, 0, "full") for v in WHOLE] + [(v, ALL, 0, "top:4") for v in ONCE]
    encoder()  # made by one process
    with ProcessPoolExecutor(given.jobs, mp_context=get_context("spawn")) as pool:
        found = list(pool.map(case, *zip(*cases, strict=True)))
    tables, lifts = [], []
    for size in sorted(sizes):
        rows, lift = table(size, seeds)
        tables.append(rows)
        lifts.append(f"{size:,}: {mean_interval(lift)}")
    if given.full:
        tables.append(once())
    keep(NAME, "Medical terms, with and without a knowledge base", tables, [
        "multilingual-e5-small reading Chinese by character, its upper four layers learn; "
        f"{len(read('test'))} different test sentences (none of them in training); validation "
        f"chooses the snapshot. Means over {seeds} seeds with 95 % intervals; every seed draws "
        "other sentences.",
        f"Lift of types (real minus the best of nothing, shuffled and random): {'; '.join(lifts)}.",
        "Published, on all 6,919 sentences with a Chinese BERT of 12 layers of 768, all of them "
        "learning: K-BERT 94.4, BERT 93.6.",
        f"Learned on {'; '.join(sorted({one['on'] for one in found}))}, {given.jobs} at once; "
        f"{sum(one['seconds'] for one in found) / len(found):.0f} s a model in the mean.",
        *([] if given.full else ["Not measured here: more than 138 sentences (--full)."]),
    ])  # fmt: skip


if __name__ == "__main__":
    main()
