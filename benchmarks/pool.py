"""Whether a pool of a million records is asked in seconds.

A million texts, each two rated sentences side by side, with three tasks; 3,000 of them have labels
in the file, and 2,000 answers to each task lie in the ledger. Encoders read every text once (the
hashing encoder, 384 wide: what matters here begins where vectors are on disk). Then the process
that chooses beside the labelling page is sent for a batch of 20 again and again, and `allrounder
ask` is run as a whole command. small-text and scikit-activeml choose by margin for one task from
the same vectors, which they have in memory. About 12 minutes on 2 cores, most of them for reading
and encoding; --full asks by every strategy.
"""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from common import arguments, keep, scratch, write_jsonl
from peer import Peer
from readers import rated

from allrounder.active.learner import PENALTY
from allrounder.asking.inquiry import Inquiry, chosen_strategy, open_inquiry
from allrounder.documents import to_yaml
from allrounder.errands import Errands
from allrounder.labeling.chooser import COMMAND, described
from allrounder.ledger import Answer, Answers
from allrounder.plan import Plan, read_plan

COUNT, LABELLED = 1_000_000, 3_000
ANSWERED, MANY = 2_000, 30_000
"""Answers to each task in the ledger: a busy month of one person, and of a team."""
BATCHES = 5
DELIGHTED = 2.4
TASKS = ("polarity", "domain", "delighted")
SHOWN = ("margin", "badge")
EVERY = ("margin", "least_confidence", "entropy", "bald", "badge", "core_set", "contrastive",
         "random", "k_means", "typiclust", "prob_cover")  # fmt: skip
PROJECT = {
    "sources": [{"path": "big.jsonl", "split": {"by": "ratio", "test": 0.05, "validation": 0.05}}],
    "inputs": {"text": {"kind": "hashing", "width": 384}},
    "tasks": {name: {"kind": "multiclass"} for name in TASKS},
}
PEER = Peer("active", "pool_peer.py", ["small-text==1.4.1", "scikit-activeml==1.0.1"])
"""In the environment of the benchmark `active`."""


def rows() -> Iterator[tuple[dict[str, Any], dict[str, str]]]:
    """Yield different texts, the first ones with their labels, and the labels of each."""
    known, rng = list(rated()), np.random.default_rng(0)
    pairs = np.unique(rng.integers(0, len(known) ** 2, int(1.01 * COUNT)))
    for number, pair in enumerate(rng.permutation(pairs)[:COUNT].tolist()):
        first, second = known[pair // len(known)], known[pair % len(known)]
        row = {"text": f"{first['text']} {second['text']}"}
        labels = truth(first)
        yield {**row, **(labels if number < LABELLED else {})}, labels


def truth(row: dict[str, Any]) -> dict[str, str]:
    """Return the labels of a sentence."""
    return {
        "polarity": "positive" if row["rating"] > 0 else "negative",
        "domain": row["domain"],
        "delighted": "yes" if row["rating"] >= DELIGHTED else "no",
    }


def written(folder: Path) -> list[dict[str, str]]:
    """Write the project; return what people will say of its last texts."""
    texts, labels = zip(*rows(), strict=True)
    write_jsonl(folder / "big.jsonl", texts)
    (folder / "big.yaml").write_text(to_yaml(PROJECT), "utf-8")
    return list(labels[-MANY:])


def opened(plan: Plan) -> Inquiry:
    """Return the pool, its vectors read or made."""
    strategy = chosen_strategy(plan, None)
    return open_inquiry(plan, runs=plan.folder / "runs", strategy=strategy, tell=lambda *_: None)


def answer(inquiry: Inquiry, ledger: Path, truths: list[dict[str, str]]) -> None:
    """Let somebody answer texts at the end of the pool."""
    pairs = list(zip(inquiry.pool.keys[-len(truths) :].tolist(), truths, strict=True))
    with Answers(ledger) as found:
        for name in TASKS:
            said = {"who": "ada", "task": name, "act": "label", "seconds": 2.0}
            found.append([
                Answer(id=f"{name}-{key}", key=format(key, "016x"), value=labels[name], **said)
                for key, labels in pairs
            ])  # fmt: skip


def batches(plan: Plan, kind: str, word: str = "") -> list[str]:
    """Return a row: how long the process beside the page takes for each batch, and its memory."""
    told = described(plan)
    told["sections"]["active"] = {"kind": kind, "tasks": list(TASKS)}
    beside, took = Errands(COMMAND, plan.folder / "log"), []
    for _ in range(BATCHES + 1):
        began = time.perf_counter()
        beside.send(told)
        beside._out.join()
        took.append(time.perf_counter() - began)
        assert beside.failure is None, beside.failure
    memory = peak(beside._process.pid)
    beside.close()
    middle, longest = np.median(took[1:]), max(took[1:])
    return [
        f"beside the page, {kind}{word}",
        f"{took[0]:.1f}",
        f"{middle:.1f}",
        f"{longest:.1f}",
        memory,
    ]


def peak(process: int) -> str:
    """Return the memory of a process that is its own, without mapped files, in GB."""
    lines = Path(f"/proc/{process}/status").read_text("utf-8").splitlines()
    (found,) = [line for line in lines if line.startswith("RssAnon")]
    return f"{int(found.split()[1]) / 1e6:.2f}"


def commands(file: Path) -> list[str]:
    """Return a row: how long `allrounder ask` takes as a whole command."""
    took = []
    for _ in range(BATCHES):
        began = time.perf_counter()
        command = [sys.executable, "-m", "allrounder.cli", "ask", str(file), "--quiet", "--json"]
        found = subprocess.run(command, capture_output=True, text=True, check=True)
        assert len(json.loads(found.stdout)["questions"]) == 20
        took.append(time.perf_counter() - began)
    return ["allrounder ask, margin", "", f"{np.median(took):.1f}", f"{max(took):.1f}", ""]


def peers(inquiry: Inquiry, folder: Path) -> list[list[str]]:
    """Return a row a peer: how long it takes for one task with all vectors in memory."""
    table = folder / "vectors.npy"
    np.save(table, inquiry.pool.vectors["domain"].tables[0][np.arange(len(inquiry.pool))])
    known = inquiry.known.places("domain")
    labels = [inquiry.known.labels["domain"][place] for place in known.tolist()]
    scale = inquiry.pool.vectors["domain"].scales[0]
    asked = {"vectors": str(table), "scale": scale, "known": known.tolist(), "labels": labels,
             "C": 1 / PENALTY, "n": 20, "batches": BATCHES}  # fmt: skip
    return [
        [f"{one['name']}, margin, one task", "", f"{np.median(one['answers']):.1f}",
         f"{max(one['answers']):.1f}", f"{one['memory']:.2f}"]
        for one in PEER.answered(asked, folder)
    ]  # fmt: skip


def main() -> None:
    """Measure and keep the table."""
    options = arguments(__doc__)
    folder = scratch()
    truths = written(folder)
    file = folder / "big.yaml"
    plan = read_plan(file)
    began = time.perf_counter()
    inquiry = opened(plan)
    once = time.perf_counter() - began
    assert len(inquiry.pool) == COUNT, "equal contents would shift the last texts"
    answer(inquiry, folder / "ledger.db", truths[-ANSWERED:])
    table = [
        ["20 questions", "first s", "median s", "longest s", "memory GB"],
        ["read and encoded once", f"{once:.0f}", "", "", ""],
        *(batches(plan, kind) for kind in (EVERY if options.full else SHOWN)),
        commands(file),
        *peers(opened(plan), folder),
    ]
    answer(inquiry, folder / "ledger.db", truths)
    table.append(batches(plan, "margin", f", {MANY:,} answers a task"))
    keep(
        "pool",
        "A pool of a million records",
        table,
        [
            f"{COUNT:,} texts, three tasks, {LABELLED:,} labels of each in the file and "
            f"{ANSWERED:,} in the ledger; in the last row {MANY:,}. {BATCHES} batches each.",
            "A batch is all of it: sources and ledger are looked at anew, heads are fitted, every "
            "text is scored for every task, questions are written into the ledger. The first one "
            "of a process loads modules, looks whether choosing pays, and for doubtful labels.",
            "Memory is what is the process's own after the last batch; vectors are mapped from "
            "disk.",
            "The peers fit scikit-learn's logistic regression and choose for one task of the "
            "three; reading records and vectors is not in their time.",
            "Not measured: pretrained encoders, whose first reading takes hours on 2 cores and is "
            "kept as well; a disk that has forgotten the vectors.",
        ],
    )


if __name__ == "__main__":
    main()
