"""Rules as teachers: word lists of a knowledge base vote on sentences that nobody labelled.

Chinese medical records; a multilabel task, the kinds of terms in a sentence. Of 3,945 different
training sentences only a few have labels. The rules are one for each type of the knowledge base,
`text has lexicon Symptom => kinds has Symptom`. The encoder is frozen, so that a training takes
seconds; what differs is what the sentences without labels are used for: nothing; soft labels by the
votes of the rules; labels that the plain model gives them (self-training, once); soft labels by
rules whose terms have types drawn at random; soft labels by Snorkel's label model. That one refuses
fewer than three rules on a question, so each list of terms is dealt out to three; where none of its
terms stands such a rule abstains, or says no. All learn for the same number of steps. Anchor: +5.2
F1 at 30 labels, shuffled +1.3.

Default size: three seeds, about half an hour on one core; --full: ten.
"""

import csv
import json
import shutil
from collections.abc import Sequence
from contextlib import nullcontext
from functools import cache
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
from common import arguments, data, keep, mean_interval, remembered, scratch, write_jsonl
from joint_decoding import KINDS, encoder, read
from peer import SNORKEL

from allrounder.checking import load_records
from allrounder.model import Prepared, scored, store_frozen
from allrounder.plan import make_plan
from allrounder.project import Project
from allrounder.rules.votes import SoftLabels, Votes

NAME = "weak_rules"
SIZES = (30, 69, 138, 345)
VARIANTS = (
    "labels alone",
    "self-training",
    "votes, types shuffled",
    "Snorkel, silence abstains",
    "Snorkel, silence says no",
    "votes",
)
BATCH, STEPS, LOOKS = 64, 2418, 12
"""Every model learns for as many steps as 39 epochs of all sentences have, and is looked at twelve
times: labels alone at 30 and 345 gain a point of F1 over 744 steps, on validation sentences."""
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


def project(votes: bool, records: int, seed: int) -> Project:
    """Return the project; with more records fewer epochs are as many steps."""
    rules = {"knowledge": {"rules": "rules.json", "votes": True}} if votes else {}
    epochs = STEPS / -(-records // BATCH)
    sections = {
        "sources": [{"path": f"{split}.jsonl", "split": split}
                    for split in ("train", "validation", "test")],
        "inputs": {"text": {"kind": "text", "model": encoder(), "prefix": "query: ",
                            "tune": "frozen"}},
        **rules,
        "tasks": {"kinds": {"kind": "multilabel", "labels": list(KINDS)}},
        "training": {"epochs": epochs, "evaluate_every": epochs / LOOKS,
                     "head_lr": 1.0e-2, "batch_records": BATCH, "patience": LOOKS, "seed": seed,
                     "probe": False},
    }  # fmt: skip
    return Project(make_plan(sections, folder=folder()))


def measure(variant: str, size: int, seed: int) -> dict[str, Any]:
    """Train one model; return its micro F1 on test sentences, and what became of the rules."""
    votes = not variant.startswith(("labels", "self"))
    chance = np.random.default_rng([seed, 1])
    if votes:
        words = lexicons(chance if "shuffled" in variant else None)
        write_rules(dealt(words, chance) if "Snorkel" in variant else words)
    write(size, seed)
    if variant == "self-training":
        teacher = project(votes=False, records=size, seed=seed)
        teacher.train()
        write(size, seed, said(teacher))
    records = size if variant == "labels alone" else len(sentences())
    with snorkel("says no" in variant, seed) if "Snorkel" in variant else nullcontext():
        report = project(votes, records, seed).train()
    f1 = 100 * report.tasks["kinds"].metrics["micro_f1"].after.value
    shutil.rmtree(folder() / "runs")  # each holds the encoder, half a gigabyte
    return {"f1": f1, "rules": {one.rule: one.reliability for one in report.votes}}


def dealt(words: dict[str, list[str]], chance: np.random.Generator) -> dict[str, list[str]]:
    """Return every list of terms as three, each term in one of them."""
    found = {}
    for kind, some in words.items():
        places = chance.integers(3, size=len(some))
        for part in range(3):
            found[f"{kind}{part}"] = [one for one, at in zip(some, places, strict=True)
                                      if at == part]  # fmt: skip
    return found


def write_rules(words: dict[str, list[str]]) -> None:
    """Write one rule for each list of words: they vote for its kind."""
    rules = [
        {"id": name, "says": f"text has lexicon {name} => kinds has {name.rstrip('012')}",
         "decodes": False}
        for name in words
    ]  # fmt: skip
    content = {"lexicons": words, "rules": rules}
    (folder() / "rules.json").write_text(json.dumps(content, ensure_ascii=False), "utf-8")


def snorkel(says_no: bool, seed: int) -> Any:
    """Return a context in which Snorkel's label model makes soft labels of votes.

    It is told the share of labelled sentences that have the label (one counted on either side).
    """

    def soft(votes: Votes, task: str, known: Sequence[Any]) -> SoftLabels:
        labelled = [some for some in known if some is not None]
        jobs = []
        for kind in KINDS:
            mine = [at for at, one in enumerate(votes.voters) if one.labels == (kind,)]
            share = (sum(kind in some for some in labelled) + 1) / (len(labelled) + 2)
            said = np.where(votes.speaks[mine] == 1, 1, 0 if says_no else -1)
            jobs.append({"votes": said.T.tolist(), "balance": [1 - share, share], "seed": seed})
        answers = SNORKEL.answered(jobs, folder())
        found = np.array([one["answers"] for one in answers]).T
        return SoftLabels(task, KINDS, found, (votes.speaks == 1).any(0), [])

    return patch.object(Votes, "soft", soft)


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
        f"All learn for {STEPS:,} steps of {BATCH} sentences; self-training takes twice as long, "
        "as its teacher learns first.",
        "Snorkel 0.10.0's label model, everything as by default, has three rules for each of ours "
        "and is told how frequent each label is among the labelled; its soft labels are learned "
        "as ours are.",
    ])  # fmt: skip


if __name__ == "__main__":
    main()
