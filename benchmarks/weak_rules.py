"""Rules as teachers: word lists of a knowledge base vote on sentences that nobody labelled.

Chinese medical records; a multilabel task, the kinds of terms in a sentence. Of some 6,900
training sentences only a few have labels. The rules are one for each type of the knowledge base,
`text has lexicon Symptom => kinds has Symptom`. The encoder is frozen, so that a training takes
seconds; what differs is what the sentences without labels are used for: nothing; soft labels by the
votes of the rules; labels that the plain model gives them (self-training, once); soft labels by
rules whose terms have types drawn at random. Anchor: +5.2 F1 at 30 labels, shuffled +1.3.

Default size: three seeds, about 20 minutes on one core; --full: ten.
"""

import csv
import json
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from common import arguments, data, keep, mean_interval, remembered, scratch, write_jsonl
from joint_decoding import KINDS, encoder, read

from allrounder.checking import load_records
from allrounder.model import Prepared, scored, store_frozen
from allrounder.plan import make_plan
from allrounder.project import Project

NAME = "weak_rules"
SIZES = (30, 69, 138, 345)
VARIANTS = ("labels alone", "self-training", "votes, types shuffled", "votes")
TYPES = {
    "症状": "Symptom",
    "疾病": "Disease",
    "部位": "BodyPart",
    "治疗": "Cure",
    "检查": "Examine",
}


@cache
def folder() -> Path:
    """Return where the projects lie: what the frozen encoder says is kept in it, once for all."""
    found = scratch()
    write_jsonl(found / "test.jsonl", read("test"))
    return found


@cache
def sentences() -> list[dict[str, Any]]:
    """Return the training sentences, none of which is a validation or test sentence."""
    known = {row["text"] for split in ("dev", "test") for row in read(split)}
    return [row for row in read("train") if row["text"] not in known]


def lexicons(chance: np.random.Generator | None) -> dict[str, list[str]]:
    """Return the terms of each type; with `chance` types are shuffled over terms."""
    with open(data("medical_ner") / "Medical.spo", encoding="utf-8") as file:
        pairs = [(row[0], TYPES[row[2]]) for row in csv.reader(file, delimiter="\t")]
    order = np.arange(len(pairs)) if chance is None else chance.permutation(len(pairs))
    found: dict[str, list[str]] = {kind: [] for kind in KINDS}
    for (term, _), at in zip(pairs, order, strict=True):
        found[pairs[at][1]].append(term)
    return found


def write(size: int, seed: int, guessed: list[list[str]] | None = None) -> None:
    """Write training sentences of which `size` have labels; the rest may have guessed ones."""
    rows = sentences()
    order = np.random.default_rng(seed).permutation(len(rows))
    labelled = set(order[:size].tolist())
    train = []
    for at, row in enumerate(rows):
        label = row["kinds"] if at in labelled else guessed[at] if guessed else None
        train.append({"text": row["text"], "kinds": label})
    write_jsonl(folder() / "train.jsonl", train)
    write_jsonl(folder() / "validation.jsonl", read("dev")[: max(30, size // 2)])


def project(votes: bool, many: bool, seed: int) -> Project:
    """Return the project; with many records fewer epochs are as many steps."""
    rules = {"knowledge": {"rules": "rules.json", "votes": True}} if votes else {}
    sections = {
        "sources": [{"path": f"{split}.jsonl", "split": split}
                    for split in ("train", "validation", "test")],
        "inputs": {"text": {"kind": "text", "model": encoder(), "prefix": "query: ",
                            "tune": "frozen"}},
        **rules,
        "tasks": {"kinds": {"kind": "multilabel", "labels": list(KINDS)}},
        "training": {"epochs": 12 if many else 120, "evaluate_every": 1 if many else 6,
                     "head_lr": 1.0e-2, "batch_records": 64 if many else 16, "patience": 5,
                     "seed": seed, "probe": False},
    }  # fmt: skip
    return Project(make_plan(sections, folder=folder()))


def measure(variant: str, size: int, seed: int) -> dict[str, Any]:
    """Train one model; return its micro F1 on test sentences, and what became of the rules."""
    votes = variant.startswith("votes")
    if votes:
        chance = np.random.default_rng([seed, 1]) if "shuffled" in variant else None
        write_rules(lexicons(chance))
    write(size, seed)
    if variant == "self-training":
        teacher = project(votes=False, many=False, seed=seed)
        teacher.train()
        write(size, seed, said(teacher))
    many = votes or variant == "self-training"
    report = project(votes, many, seed).train()
    f1 = 100 * report.tasks["kinds"].metrics["micro_f1"].after.value
    return {"f1": f1, "rules": {one.rule: one.reliability for one in report.votes}}


def write_rules(words: dict[str, list[str]]) -> None:
    """Write one rule for each kind: its words vote for it."""
    rules = [
        {"id": kind, "says": f"text has lexicon {kind} => kinds has {kind}", "decodes": False}
        for kind in KINDS
    ]
    content = {"lexicons": words, "rules": rules}
    (folder() / "rules.json").write_text(json.dumps(content, ensure_ascii=False), "utf-8")


def said(teacher: Project) -> list[list[str]]:
    """Return the kinds that a trained model gives to every training sentence."""
    model, records = teacher.predictor.model, load_records(teacher.plan)
    ready = Prepared.of(model, {"text": records.values("text")})
    rows = records.indices("train")
    store_frozen(ready, rows, cache=teacher.plan.cache / "features", progress=lambda *_: None)
    found: dict[str, list[str]] = {}
    for part in scored(model, ready, rows, tasks=["kinds"]):
        texts = records.take("text", part.rows)
        found |= dict(zip(texts, model.tasks["kinds"].decode(part.scores), strict=True))
    return [found[row["text"]] for row in sentences()]


def believed(found: dict[str, list[dict[str, Any]]]) -> str:
    """Return how far rules are believed at the fewest labels, real and shuffled."""
    shown = []
    for variant in ("votes", "votes, types shuffled"):
        some = [one["rules"] for one in found[variant]]
        means = (f"{kind} {np.mean([one[kind] for one in some]):.2f}" for kind in KINDS)
        shown.append(f"{variant}: {', '.join(means)}")
    return "; ".join(shown)


def main() -> None:
    """Measure every variant at every number of labels, and keep one table."""
    seeds = 10 if arguments(__doc__).full else 3
    table = [["micro F1", *(f"{size} labels" for size in SIZES)]]
    gains = [["over labels alone", *(f"{size} labels" for size in SIZES)]]
    found = {
        (variant, size): [
            remembered(NAME, f"{variant.replace(', ', '-').replace(' ', '-')}-{size}-{seed}",
                       lambda v=variant, n=size, s=seed: measure(v, n, s))
            for seed in range(seeds)
        ]
        for size in SIZES for variant in VARIANTS
    }  # fmt: skip
    for variant in VARIANTS:
        f1 = {size: [one["f1"] for one in found[variant, size]] for size in SIZES}
        plain = {size: [one["f1"] for one in found[VARIANTS[0], size]] for size in SIZES}
        table.append([variant, *(mean_interval(f1[size]) for size in SIZES)])
        if variant != VARIANTS[0]:
            apart = {n: np.subtract(f1[n], plain[n]).tolist() for n in SIZES}
            gains.append([variant, *(mean_interval(apart[size]) for size in SIZES)])
    least = {variant: found[variant, SIZES[0]] for variant in VARIANTS}
    keep(NAME, "Rules as teachers where labels are few", [table, gains], [
        f"{len(sentences()):,} training sentences of which so many have labels, "
        f"{len(read('test'))} test sentences, five labels; multilingual-e5-small, frozen; "
        f"{seeds} seeds, another draw of labels each; max(30, labels / 2) validation sentences "
        "choose the snapshot.",
        "Five rules, one for each type of the knowledge base (13,864 terms), each voting for its "
        "label where one of its terms stands in the sentence.",
        f"How far rules are believed at {SIZES[0]} labels: {believed(least)}.",
        "Not measured: Snorkel's label model, which refuses fewer than three rules on one "
        "question; here each label has one.",
    ])  # fmt: skip


if __name__ == "__main__":
    main()
