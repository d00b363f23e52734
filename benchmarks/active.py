"""Which questions are worth asking: choosing against chance, in several tasks and in one.

Rated sentences (23,555 texts) are three tasks on one pool: polarity, domain, and whether a sentence
is among the 7.9 % that are rated 2.4 or more. Vectors are those of MiniLM as it came; heads are
fitted on the labels so far. Three tasks at once: 75 questions at the start and 20 times 75 more,
1,575 in all, asked by chance, by the sum of ranks over tasks (each text asked all three), and by
one margin queue a task with and without a bonus for texts that were read already. One task at a
time: 25 labels and 20 times 25 more, beside the margin strategies of small-text and scikit-activeml
on the same vectors, with the logistic regression that Allrounder's head is; and Banking77 with its
77 labels, 100 and 9 times 100 more. Macro F1 on texts of documents that are not in the pool.
Default size: 5 seeds, about 20 minutes on 2 cores; --full: 10 seeds and every strategy.
"""

import csv
import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import cache
from multiprocessing import get_context
from typing import Any

import numpy as np
import pyarrow as pa
import torch
from common import MINILM, ROOT, arguments, data, keep, mean_interval, remembered, scratch
from peer import Peer
from readers import held_out, once, rated
from sklearn.metrics import f1_score

from allrounder.active import STRATEGIES
from allrounder.active.learner import PENALTY
from allrounder.active.planning import Planner
from allrounder.active.pool import Known, Pool
from allrounder.active.simulation import Stage
from allrounder.active.vectors import Vectors
from allrounder.encoders import ENCODERS
from allrounder.model import Model, Prepared
from allrounder.model.frozen import by_length
from allrounder.records import SPLITS
from allrounder.records.keys import hashes
from allrounder.tasks import TASKS

DELIGHTED = 2.4
"""The rating from which on a sentence is in the rare class: 7.9 % are."""

PEER = Peer("active", "active_peer.py", ["small-text==1.4.1", "scikit-activeml==1.0.1"])

TRAIN, TEST = SPLITS.index("train"), SPLITS.index("test")

EVERY = ("least_confidence", "entropy", "bald", "badge", "contrastive", "core_set", "typiclust",
         "prob_cover")  # fmt: skip


@dataclass(frozen=True)
class Set:
    """Texts, their labels by task, and which of them judge."""

    texts: list[str]
    labels: dict[str, list[str]]
    test: np.ndarray


@cache
def sentences() -> Set:
    """Return rated sentences; whole documents judge."""
    rows = list(rated())
    _, held = held_out(rows, "document", 0.25, seed=0)
    apart = {row["document"] for row in held}
    return Set(
        texts=[row["text"] for row in rows],
        labels={
            "polarity": ["positive" if row["rating"] > 0 else "negative" for row in rows],
            "domain": [row["domain"] for row in rows],
            "delighted": ["yes" if row["rating"] >= DELIGHTED else "no" for row in rows],
        },
        test=np.array([row["document"] in apart for row in rows]),
    )


@cache
def banking() -> Set:
    """Return the questions of Banking77; a text that stands in both parts only trains."""
    rows: list[dict[str, Any]] = []
    for name in ("train", "test"):
        with open(data("banking77") / f"{name}.csv", encoding="utf-8", newline="") as file:
            rows += [{"text": row["text"], "label": row["category"], "test": name == "test"}
                     for row in csv.DictReader(file)]  # fmt: skip
    rows = once(rows)
    return Set(
        texts=[row["text"] for row in rows],
        labels={"intent": [row["label"] for row in rows]},
        test=np.array([row["test"] for row in rows]),
    )


SETS: dict[str, Callable[[], Set]] = {"sentences": sentences, "banking": banking}


@cache
def vectors(name: str) -> np.ndarray:
    """Return what MiniLM says of every text, from disk where it was asked before."""
    path = ROOT / ".kit" / "benchmarks" / f"active-{name}.npy"
    if not path.exists():
        spec = {"kind": "text", "model": MINILM, "tune": "frozen", "fields": ["text"]}
        model = Model({"text": ENCODERS.build(spec, at="inputs.text").at(ROOT)}, {}).eval()
        column = pa.chunked_array([pa.array(SETS[name]().texts)])
        prepared = Prepared.of(model, {"text": column})
        rows = np.arange(len(prepared))
        found = np.zeros((len(rows), 384), np.float16)
        for part in by_length(prepared, rows, 8192):
            batch = prepared.sequences("text", part, np.zeros(len(part), bool))
            with torch.no_grad():
                found[part] = model.encoding("text")(batch, tokens=False).pooled.half().numpy()
        path.parent.mkdir(parents=True, exist_ok=True)
        np.save(path, found)
    return np.load(path)


@cache
def stage(name: str, tasks: tuple[str, ...]) -> Stage:
    """Return a pool of some tasks, all of whose labels are there."""
    found, table = SETS[name](), Vectors.of([vectors(name)])
    pool = Pool(
        keys=hashes(found.texts),
        splits=np.where(found.test, TEST, TRAIN).astype(np.int8),
        tasks={task: TASKS.build("multiclass", at=f"tasks.{task}") for task in tasks},
        has={task: np.ones(len(found.texts), bool) for task in tasks},
        vectors=dict.fromkeys(tasks, table),
    )
    truth = Known.nothing(pool)
    for task in tasks:
        truth.labels[task] = dict(enumerate(found.labels[task]))
    judged = dict.fromkeys(tasks, np.flatnonzero(found.test))
    return Stage(pool, truth, macro_f1, judged)


def macro_f1(_: str, truths: Sequence[str], answers: Sequence[str]) -> float:
    """Return the mean over labels of F1."""
    return float(f1_score(truths, answers, average="macro"))


def chosen(kind: str, seed: int, **options: Any) -> Any:
    """Return a strategy without a random share."""
    spec = {"kind": kind, "seed": seed, "random_share": 0.0, **options}
    return STRATEGIES.build(spec, at="active")


def replay(name: str, tasks: Sequence[str], sizes: Sequence[int], how: Mapping[str, Any],
           seed: int) -> dict[str, float]:  # fmt: skip
    """Return what a strategy comes to: macro F1 of each task and the mean, and texts read."""
    start, rounds, n = sizes
    strategy = chosen(seed=seed, **how)
    first = chosen("random" if how["kind"] == "random" else "k_means", seed)
    here = stage(name, tuple(tasks))
    assert start == n, "a round is as large as the start"
    *_, last = here.replayed(strategy, first, rounds=rounds + 1, n=n)
    mean = float(np.mean(list(last.scores.values())))
    return {**last.scores, "mean": mean, "read": last.read, "asked": last.asked}


def own_texts(name: str, tasks: Sequence[str], sizes: Sequence[int], seed: int) -> dict[str, float]:
    """Chance, each task asked about texts of its own."""
    _, rounds, n = sizes
    here = stage(name, tuple(tasks))
    known, rng = Known.nothing(here.pool), np.random.default_rng(seed)
    free = np.flatnonzero(here.pool.splits == TRAIN)
    for task in tasks:
        some = rng.choice(free, (rounds + 1) * n // len(tasks), replace=False)
        known.tell(task, some, [here.truth.labels[task][int(place)] for place in some])
    return _ended(here, known)


def rank_sum(name: str, tasks: Sequence[str], sizes: Sequence[int], seed: int) -> dict[str, float]:
    """Sum the ranks of margins over tasks, and ask every task of the texts on top."""
    _, rounds, n = sizes
    here, strategy = stage(name, tuple(tasks)), chosen("margin", seed, bonus=0.0)
    known = Known.nothing(here.pool)
    order = here.pool.order(seed)
    first = Planner(here.pool, known, strategy, chosen("k_means", seed)).questions(n)
    places = np.unique([one.place for one in first])
    for turn in range(rounds + 1):
        for task in tasks:
            known.tell(task, places, [here.truth.labels[task][int(p)] for p in places])
        if turn == rounds:
            break
        planner = Planner(here.pool, known, strategy, strategy)
        able = [task for task in tasks if known.distinct(task, known.places(task)) > 1]
        sights = [planner.sight(task, order, known.opened) for task in able]
        ranks = [np.argsort(np.argsort(-strategy.wanted(sight))) for sight in sights]
        best = np.argsort(np.sum(ranks, axis=0), kind="stable")[: n // len(tasks)]
        places = sights[0].open[best]
    return _ended(here, known)


def _ended(here: Stage, known: Known) -> dict[str, float]:
    scores = here.scores(known)
    asked = sum(len(labels) for labels in known.labels.values())
    mean = float(np.mean(list(scores.values())))
    return {**scores, "mean": mean, "read": int(known.opened.sum()), "asked": asked}


def peers(name: str, task: str, sizes: Sequence[int], seed: int) -> dict[str, float]:
    """Return what other libraries come to on the same vectors."""
    start, rounds, n = sizes
    found, table = SETS[name](), Vectors.of([vectors(name)])
    folder = scratch()
    np.save(folder / "vectors.npy", table[np.arange(len(found.texts))])
    job = {
        "vectors": str(folder / "vectors.npy"),
        "labels": found.labels[task],
        "pool": np.flatnonzero(~found.test).tolist(),
        "judged": np.flatnonzero(found.test).tolist(),
        "C": 1 / PENALTY, "start": start, "rounds": rounds, "n": n, "seed": seed,
    }  # fmt: skip
    return {line["name"]: line["answers"][0] for line in PEER.answered(job, folder)}


THREE = ("polarity", "domain", "delighted")
WHOLE = (75, 20, 75)
SINGLE = (25, 20, 25)
LARGE = (100, 9, 100)

QUEUE = {"kind": "margin"}
PLAIN = {"kind": "margin", "bonus": 0.0}


def cells(full: bool) -> dict[str, tuple[Callable[..., dict[str, float]], tuple[Any, ...]]]:
    """Return every cell of the page: what is called, with what but for the seed."""
    many = ("sentences", THREE, WHOLE)
    found: dict[str, tuple[Callable[..., dict[str, float]], tuple[Any, ...]]] = {
        "three random": (replay, (*many, {"kind": "random"})),
        "three own": (own_texts, many),
        "three rank sum": (rank_sum, many),
        "three margin": (replay, (*many, PLAIN)),
        "three bonus": (replay, (*many, QUEUE)),
    }
    if full:
        found |= {f"three {kind}": (replay, (*many, {"kind": kind})) for kind in EVERY}
    ones = {**{task: ("sentences", SINGLE) for task in THREE}, "intent": ("banking", LARGE)}
    for task, (name, sizes) in ones.items():
        found[f"{task} random"] = (replay, (name, (task,), sizes, {"kind": "random"}))
        found[f"{task} margin"] = (replay, (name, (task,), sizes, QUEUE))
        found[f"{task} peers"] = (peers, (name, task, sizes))
    return found


def cell(name: str, seed: int, full: bool) -> dict[str, float]:
    """Return one cell, in a process of its own."""
    torch.set_num_threads(1)
    call, words = cells(full)[name]
    return remembered("active", f"{name}-{seed}", lambda: call(*words, seed))


def measured(full: bool) -> dict[str, list[dict[str, float]]]:
    """Return every cell, by seed."""
    for name in SETS:
        vectors(name)
    PEER.python()
    seeds = range(10 if full else 5)
    workers = max(1, len(os.sched_getaffinity(0)))
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        jobs = {(n, s): pool.submit(cell, n, s, full) for n in cells(full) for s in seeds}
        return {n: [jobs[n, s].result() for s in seeds] for n in cells(full)}


def points(runs: Sequence[Mapping[str, float]], what: str) -> str:
    """Return the mean of something in points, with its interval."""
    return mean_interval([100 * run[what] for run in runs])


def gain(runs: Sequence[Mapping[str, float]], base: Sequence[Mapping[str, float]], what: str,
         other: str | None = None) -> str:  # fmt: skip
    """Return the gain over another row, seed by seed, in points."""
    pairs = zip(runs, base, strict=True)
    return mean_interval([100 * (one[what] - two[other or what]) for one, two in pairs])


def main(full: bool) -> None:
    """Measure, and keep the page."""
    found = measured(full)
    names = {
        "three random": "chance, the same texts for all tasks",
        "three own": "chance, each task its own texts",
        "three rank sum": "sum of ranks, every task asked",
        "three margin": "one margin queue a task, no bonus",
        "three bonus": "one margin queue a task (the default)",
        **{f"three {kind}": kind for kind in EVERY if f"three {kind}" in found},
    }
    many: list[list[str]] = [["1,575 questions, three tasks", "macro F1", *THREE, "texts read",
                              "against chance"]]  # fmt: skip
    for key, label in names.items():
        runs = found[key]
        read = f"{np.mean([run['read'] for run in runs]):,.0f}"
        scores = [points(runs, task) for task in THREE]
        against = "·" if key == "three random" else gain(runs, found["three random"], "mean")
        many.append([label, points(runs, "mean"), *scores, read, against])
    ones = [["one task", "labels", "chance", "margin (the default)", "small-text",
             "scikit-activeml", "against chance", "against the better peer"]]  # fmt: skip
    for task in (*THREE, "intent"):
        chance, mine, theirs = (found[f"{task} {who}"] for who in ("random", "margin", "peers"))
        best = max(("small-text", "scikit-activeml"),
                   key=lambda who: np.mean([run[who] for run in theirs]))  # fmt: skip
        asked = f"{mine[0]['asked']:,.0f}"
        ones.append([task, asked, points(chance, task), points(mine, task),
                     points(theirs, "small-text"), points(theirs, "scikit-activeml"),
                     gain(mine, chance, task), gain(mine, theirs, task, best)])  # fmt: skip
    seeds = (
        f"{len(found['three random'])} seeds; ± is half of a 95 % interval over seeds, in points."
    )
    keep("active", "Choosing questions", [many, ones], [*NOTES, seeds])


NOTES = [
    "Heads on MiniLM as it came; texts of a quarter of all documents judge, and are in no pool. "
    "Banking77 is judged by its own test questions.",
    "The peers choose by margin from the same vectors with scikit-learn's logistic regression, the "
    "same penalty, and begin with random records, as they do by default; Allrounder begins with "
    "the middles of clusters.",
    "Chance for three tasks reads fewer texts for the same number of questions: it asks all tasks "
    "of each text.",
    "Not measured: fine-tuning in between, people, other languages.",
]


if __name__ == "__main__":
    main(arguments(__doc__ or "").full)
