"""What each weighting costs: time and memory a step against the plain sum.

Real MiniLM (22M), fully tuned, batches of 32 SNIPS sentences, 2, 4 and 8 tasks: intent, slots, and
numbers and classes derived from the text; every record has every label. For time two copies of the
model take steps in turns on the same batches, one with the plain sum, one with the kind; for
memory the kind trains in a process of its own. About 9 minutes on 2 cores.
"""

import resource
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import torch
from common import MINILM, alone, arguments, data, keep
from joint_intent_slots import read

from allrounder.encoders import Text
from allrounder.kinds import build
from allrounder.model import Model, Prepared
from allrounder.tasks import Multiclass, Regression, Spans
from allrounder.training.loop import Loop, Step
from allrounder.training.settings import Training
from allrounder.training.weighting import WEIGHTINGS

SIZES = (2, 4, 8)
WARM, STEPS = 1, 6
NUM_RECORDS = 640


def rows() -> list[dict[str, Any]]:
    """Return sentences with eight labels each."""
    found = read(data("snips") / "train")[:NUM_RECORDS]
    return [
        {
            **row,
            "words": len(row["text"].split()) / 9 - 1,
            "first": min(row["text"][0], "z"),
            "letters": len(row["text"]) / 45 - 1,
            "vowels": sum(c in "aeiou" for c in row["text"]) / 15 - 1,
            "marked": str(len(row["slots"])),
            "last": row["text"][-1],
        }
        for row in found
    ]


def prepared(num_tasks: int) -> Prepared:
    """Return MiniLM over the sentences with the first tasks."""
    found = rows()
    kinds = {"intent": Multiclass, "slots": Spans, "words": Regression, "first": Multiclass,
             "letters": Regression, "vowels": Regression, "marked": Multiclass,
             "last": Multiclass}  # fmt: skip
    tasks = {name: made(kinds[name], name, found) for name in list(kinds)[:num_tasks]}
    torch.manual_seed(0)
    encoder = Text(model=MINILM, fields=["text"], max_tokens=64).at(Path())
    kind = torch.bfloat16 if torch.cpu._is_avx512_bf16_supported() else None
    model = Model({"text": encoder}, tasks, dropout=0.1, precision=kind)
    columns = {
        name: pa.chunked_array([pa.array([row[name] for row in found], task.type)])
        for name, task in tasks.items()
    }
    return Prepared.of(model, {"text": pa.chunked_array([[r["text"] for r in found]])}, columns)


def made(kind: Any, name: str, found: list[dict[str, Any]]) -> Any:
    """Return a task whose labels are those of the sentences."""
    if kind is Regression:
        return Regression(center=0.0, scale=1.0)
    if kind is Spans:
        return Spans(labels=sorted({span["label"] for row in found for span in row[name]}))
    return Multiclass(labels=sorted({row[name] for row in found}))


def loop_of(kind: str, made: Prepared) -> Iterator[Step]:
    """Return the steps of a training with one weighting."""
    course = build(Training, {"epochs": 9, "lr": 1e-5, "weighting": kind, "batch_records": 32},
                   at="training")  # fmt: skip
    torch.manual_seed(0)
    return Loop(made.model, made, np.arange(len(made)), course).steps()


def timed(kind: str, one: Prepared, two: Prepared) -> dict[str, float]:
    """Take steps in turns; return median seconds of both, and the median of the quotients."""
    plain, other = loop_of("sum", one), loop_of(kind, two)
    pairs = np.array([[next(plain).seconds, next(other).seconds] for _ in range(WARM + STEPS)])
    pairs = pairs[WARM:]
    return {
        "sum": float(np.median(pairs[:, 0])),
        "seconds": float(np.median(pairs[:, 1])),
        "ratio": float(np.median(pairs[:, 1] / pairs[:, 0])),
    }


def peak(kind: str, one: Prepared) -> dict[str, float]:
    """Take two steps, the second with moments of the optimizer; return the peak memory in MB."""
    steps = loop_of(kind, one)
    for _ in range(2):
        next(steps)
    return {"peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}


def measured() -> dict[tuple[str, int], dict[str, float]]:
    """Measure every kind with every number of tasks."""
    found = {}
    for size in SIZES:
        one, two = prepared(size), prepared(size)
        for kind in WEIGHTINGS.builtin:
            found[kind, size] = alone(timed, kind, one, two) | alone(peak, kind, one)
    return found


def table_of(found: dict[tuple[str, int], dict[str, float]]) -> list[list[str]]:
    """Return a row a kind: milliseconds, the ratio to the sum, and the memory above the sum's."""
    head = ["kind", *(f"ms, {n} tasks" for n in SIZES), *(f"to sum, {n}" for n in SIZES),
            *(f"MB over sum, {n}" for n in SIZES)]  # fmt: skip
    table = [head]
    for kind in WEIGHTINGS.builtin:
        ones, sums = [found[kind, n] for n in SIZES], [found["sum", n] for n in SIZES]
        over = [one["peak"] - two["peak"] for one, two in zip(ones, sums, strict=True)]
        table.append([
            kind,
            *(f"{1000 * one['seconds']:.0f}" for one in ones),
            *(f"×{one['ratio']:.2f}" for one in ones),
            *(f"{mb:+.0f}" for mb in over),
        ])  # fmt: skip
    return table


def main() -> None:
    """Measure every kind and print the table."""
    arguments(__doc__)
    torch.set_num_threads(1)  # forks and thread pools do not go together
    began = time.monotonic()
    found = measured()
    peaks = ", ".join(f"{found['sum', n]['peak']:.0f}" for n in SIZES)
    keep("weighting_overhead", "What a weighting costs a step", table_of(found), [
        f"Medians of {STEPS} steps of 32 records, in turns with steps of the plain sum on the same "
        "batches; the ratio is the median of the quotients of such pairs.",
        "The row of `sum` compares the sum with itself: what is left of the noise.",
        f"Peak memory of the process with the plain sum, {', '.join(map(str, SIZES))} tasks: "
        f"{peaks} MB; AdamW in fp32, matrix products in bf16.",
        "Milliseconds compare within a pair only: the machine may be shared. famo's forward pass "
        "shows; no other ratio is larger than the noise by much.",
        "Loading torchjd takes 39 MB of what upgrad, pcgrad, cagrad, imtl_g, aligned_mtl and mgda "
        "add; nash_mtl needs no library. Nothing grows with the number of tasks.",
        f"{time.monotonic() - began:.0f} seconds in all.",
    ])  # fmt: skip


if __name__ == "__main__":
    main()
