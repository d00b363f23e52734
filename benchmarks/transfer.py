"""What few labels are worth, alone, with a support task, and beside the SetFit library.

Two transfers. "intents": NLU++ banking → hotels, several intents a text, micro F1; the support task
is the 48 intents of banking. "polarity": rated sentences, film → Amazon reviews (split by
document), positive or negative where |mean rating| > 0.5, accuracy; the support task is the
polarity of film reviews. The target has 8, 32 or 128 labels a class, drawn by seed; nothing is
held back to select with, so every training ships its last snapshot. All but "from scratch" start
from the same MiniLM encoder.

Default size: three seeds; --quick: one seed at 8 labels, for a smoke run; --full: five seeds, the
whole support data and SetFit's pairs not cut.
"""

import argparse
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

import numpy as np
from common import MINILM, forget, keep, mean_interval, remembered, scratch, trained, write_jsonl
from peer import SETFIT
from readers import Rows, few, held_out, nlupp, rated

from allrounder.encoders.locate import locate
from allrounder.evaluation.table import aligned
from allrounder.tasks import Multiclass, Multilabel, Task

CHOSEN = 20260
"""Seed of what every run shares: test sets and the part of the support data."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Transfer:
    """Support data, and a target task with records to draw from and to test on.

    Args:
        name: what the table calls it.
        kind: of both tasks.
        column: the label in the rows.
        support: rows of the support task.
        pool: rows from which training labels of the target are drawn.
        test: rows of the target that are judged.
    """

    name: str
    kind: str
    column: str
    support: Rows
    pool: Rows
    test: Rows

    @property
    def labels(self) -> list[str]:
        """The labels of the target."""
        return _labels(self.column, [*self.pool, *self.test])

    def task(self) -> Task:
        """Return the target task."""
        return {"multiclass": Multiclass, "multilabel": Multilabel}[self.kind](labels=self.labels)


def _labels(column: str, rows: Rows) -> list[str]:
    values = (row[column] for row in rows)
    return sorted({label for v in values for label in (v if isinstance(v, list) else [v])})


def some(rows: Rows, n: int) -> Rows:
    """Return a fixed random part of rows."""
    order = np.random.default_rng(CHOSEN).permutation(len(rows))
    return [rows[i] for i in sorted(order[:n])]


def intents(num_support: int) -> Transfer:
    """Return NLU++ banking → hotels: 70 % of hotels to draw from, 30 % to test on."""
    hotels = nlupp("hotels")  # each text once, so that none stands on both sides
    pool, test = held_out([{**row, "key": row["text"]} for row in hotels], "key", 0.3, CHOSEN)
    known = set(_labels("intents", pool))
    test = [{**row, "intents": [i for i in row["intents"] if i in known]} for row in test]
    return Transfer(
        name="intents: banking → hotels, micro F1",
        kind="multilabel",
        column="intents",
        support=some(nlupp("banking"), num_support),
        pool=pool,
        test=test,
    )


def polarity(num_support: int, num_test: int = 500) -> Transfer:
    """Return film reviews → Amazon reviews; no Amazon review is on both sides."""
    known = [row for row in rated() if row["polarity"]]
    amazon = [row for row in known if row["domain"] == "product"]
    pool, test = held_out(amazon, "document", 0.35, CHOSEN)
    return Transfer(
        name="polarity: film → Amazon, accuracy",
        kind="multiclass",
        column="polarity",
        support=some([row for row in known if row["domain"] == "film"], num_support),
        pool=pool,
        test=some(test, num_test),
    )


# ------------------------------------------------------------------ the ways

TEXT = {"kind": "text", "model": MINILM, "max_tokens": 64}
HASHING = {"kind": "hashing", "width": 64}
TUNED = {"lr": 1e-4, "head_lr": 1e-3}
STEPS = 60
"""Optimizer steps of a training on few labels; half of them after a head start."""

Measure = Callable[[Transfer, Rows, int], float]
"""The score of a way on a transfer, given the target's training rows and a seed."""


def ours(
    transfer: Transfer,
    rows: Rows,
    seed: int,
    *,
    encoder: Mapping[str, Any] = TEXT,
    support: bool = False,
    after: bool = False,
    steps: int = 0,
    **training: Any,
) -> float:
    """Train a project for about `steps`; return the target's score on the test rows, times 100.

    With `support` the support task is trained along with it, with `after` before it.
    """
    folder = scratch()
    column, more = transfer.column, transfer.support if support else []
    files = {
        "train": [{"text": row["text"], "target": row[column]} for row in rows],
        "support": [{"text": row["text"], "support": row[column]} for row in more],
        "validation": [{"text": row["text"]} for row in rows[:1]],  # no label: nothing to select by
        "test": [{"text": row["text"], "target": row[column]} for row in transfer.test],
    }
    for name, found in files.items():
        write_jsonl(folder / f"{name}.jsonl", found)
    tasks = {"target": {"kind": transfer.kind, "labels": transfer.labels}}
    if support:
        tasks["support"] = {"kind": transfer.kind, "labels": _labels(column, more)}
    shares = ("train", "validation", "test")
    sources = [{"path": f"{split}.jsonl", "split": split} for split in shares]
    if support:
        sources.append({"path": "support.jsonl", "split": "train"})
    epochs = _epochs(len(rows) + len(more), steps)
    defaults = {"epochs": epochs, "patience": 99, "probe": False, "seed": seed,
                "checkpoint_minutes": 1e9}  # fmt: skip
    sections = {
        "from": supported(transfer, seed, steps) if after else None,
        "sources": sources,
        "inputs": {"text": encoder},
        "tasks": tasks,
        "training": {**defaults, "evaluate_every": 1e9, **training},
    }
    _, report = trained(sections, folder)
    return 100 * report.tasks["target"].deciding.after.value


@cache
def supported(transfer: Transfer, seed: int, steps: int) -> str:
    """Train the support task alone for as many steps; return its run."""
    folder, column = scratch(), transfer.column
    rows = [{"text": row["text"], "support": row[column]} for row in transfer.support]
    for name, found in {"train": rows, "validation": [{"text": rows[0]["text"]}],
                        "test": rows[:50]}.items():  # fmt: skip
        write_jsonl(folder / f"{name}.jsonl", found)
    task = {"kind": transfer.kind, "labels": _labels(column, transfer.support)}
    project, _ = trained({
        "sources": [{"path": f"{split}.jsonl", "split": split}
                    for split in ("train", "validation", "test")],
        "inputs": {"text": TEXT},
        "tasks": {"support": task},
        "training": {"epochs": _epochs(len(rows), max(steps, STEPS)), "patience": 99, "seed": seed,
                     "probe": False, "checkpoint_minutes": 1e9, "evaluate_every": 1e9, **TUNED},
    }, folder)  # fmt: skip
    return str(project.run.path)


def _epochs(num_records: int, steps: int) -> int:
    """Return the epochs that make `steps` steps of 32 records, three at least."""
    return max(3, -(-steps * 32 // num_records))


JOINT = {**TUNED, "support": True, "sampling": {"kind": "smoothed", "alpha": 0.0}}
"""Half of an epoch's records are the target's: in twice the steps it sees as many as alone."""


def ways(steps: int) -> dict[str, Measure]:
    """Return each column of the table but SetFit's: a function of a transfer, rows and a seed."""
    start = {"steps": steps}
    return {
        "from scratch": partial(ours, encoder=HASHING, steps=steps, head_lr=1e-2),
        "from the encoder": partial(ours, steps=steps, **TUNED),
        "head start": partial(ours, steps=steps // 2, head_start=start, **TUNED),
        "sequential": partial(ours, steps=steps, after=True, **TUNED),
        "sequential, head start": partial(
            ours, steps=steps // 2, after=True, head_start=start, **TUNED
        ),
        "joint": partial(ours, steps=2 * steps, **JOINT),
        "head start, joint": partial(ours, steps=steps, head_start=start, **JOINT),
    }


def peer(cases: list[tuple[Transfer, Rows, int]], max_steps: int) -> list[list[float]]:
    """Return SetFit's scores on the same encoder, rows and seeds: its own, and with C = 100."""
    folder = scratch()
    model = str(locate(MINILM, folder, at="model"))
    jobs = [
        {
            "model": model,
            "texts": [row["text"] for row in rows],
            "labels": [_plain(transfer, row) for row in rows],
            "asked": [row["text"] for row in transfer.test],
            "seed": seed,
            "max_steps": max_steps,
        }
        for transfer, rows, seed in cases
    ]
    found = SETFIT.answered(jobs, folder)
    return [
        [_score(case[0], one[head]) for case, one in zip(cases, found, strict=True)]
        for head in ("answers", "loose")
    ]


def _plain(transfer: Transfer, row: Mapping[str, Any]) -> Any:
    """Return a label as SetFit reads it."""
    label = row[transfer.column]
    return [int(name in label) for name in transfer.labels] if isinstance(label, list) else label


def _score(transfer: Transfer, answers: list[Any]) -> float:
    """Return the deciding metric of the target, times 100."""
    task = transfer.task()
    truths = task.array([row[transfer.column] for row in transfer.test])
    said = np.array(answers) if transfer.kind == "multilabel" else task.array(answers)
    return 100 * task.metrics()[task.decides].score(truths, said)


# ------------------------------------------------------------------ the table


def line(
    transfer: Transfer, n: int, seeds: Iterable[int], columns: Mapping[str, Measure], max_steps: int
) -> list[str]:
    """Measure every way with `n` labels a class; return a row of the table."""
    cases = [(transfer, few(transfer.pool, transfer.column, n, seed), seed) for seed in seeds]
    case = f"{transfer.name.split(':')[0]} {n} {len(cases)}"
    found = {
        name: remembered("transfer", f"{case} {name}", lambda w=way: [w(*case) for case in cases])
        for name, way in columns.items()
    }
    theirs = remembered("transfer", f"{case} SetFit", lambda: peer(cases, max_steps))
    cells = [mean_interval(scores) for scores in [*found.values(), *theirs]]
    num_rows = f"{np.mean([len(rows) for _, rows, _ in cases]):,.0f}"
    return [transfer.name, str(n), num_rows, *cells]


def main() -> None:
    """Measure every transfer at every number of labels and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one seed, 8 labels, little support")
    parser.add_argument("--full", action="store_true", help="five seeds, all support, all pairs")
    parser.add_argument("--sizes", type=int, nargs="+", default=[8, 32, 128],
                        help="labels a class")  # fmt: skip
    flags = parser.parse_args()
    seeds = range(1 if flags.quick else 5 if flags.full else 3)
    sizes = [8] if flags.quick else flags.sizes
    num_support = 300 if flags.quick else 10**6 if flags.full else 600
    max_steps = 5 if flags.quick else -1 if flags.full else 60
    columns = ways(6 if flags.quick else STEPS)
    table = [["transfer", "labels a class", "records", *columns, "SetFit", "C = 100"]]
    transfers = [made(num_support) for made in (intents, polarity)]
    found = {
        n: [line(transfer, n, seeds, columns, max_steps) for transfer in transfers] for n in sizes
    }
    table += [row for rows in zip(*found.values(), strict=True) for row in rows]
    cut = f"SetFit's own `max_steps`: {max_steps}" if max_steps > 0 else "not cut"
    if flags.quick:
        sys.stdout.write(aligned(table, left=1) + "\n")
        forget("transfer")
        return  # too little to be kept
    keep("transfer", "Few labels and transfer", table, [
        f"{len(seeds)} seed(s); the training labels change with the seed, test records do not.",
        f"Support: {num_support:,} records at most; sequential: a run on them, then `from` it.",
        f"SetFit: {SETFIT.packages[1]}, its defaults; {cut}, a step has 16 pairs; one-vs-rest "
        "for intents.",
        "C = 100: SetFit's encoder under a logistic regression with C = 100 in place of 1, under "
        "which intents that few texts carry never pass one half.",
        "Nothing is selected on test records, and no target label is held back to select with.",
        "Hyper-parameters were chosen on tweets, SNIPS and NLU++ banking (docs/decisions.md).",
        "Hotels has 40 intents, some with 10 records: beyond 8 a class, all there are.",
    ])  # fmt: skip


if __name__ == "__main__":
    main()
