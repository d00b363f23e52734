"""Which small gradient tells best how tasks conflict in the shared encoder.

Aggregation kinds weigh tasks by the products of their gradients. Products over all encoder weights
cost a backward pass and a copy of the encoder for each task; this page compares cheap stand-ins
with that truth: the gradients of each record's own features; those of a shift added to all
features; those of a linear map added to all features. Real MiniLM, fully tuned, SNIPS with intent,
slots and the number of words, batches of 32, at the start and after 60 and 240 steps; once with
all labels, once with each record carrying the label of one task. About 6 minutes on 2 cores.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import torch
from common import MINILM, arguments, data, keep
from joint_intent_slots import read
from torch import Tensor

from allrounder.encoders import Text
from allrounder.encoders.modules import Features
from allrounder.kinds import build
from allrounder.model import Batch, Model, Prepared
from allrounder.tasks import Multiclass, Regression, Spans
from allrounder.training.loop import Loop
from allrounder.training.settings import Training

MOMENTS = (0, 60, 240)
NUM_BATCHES = 12
TASKS = ("intent", "slots", "words")
WAYS = ("per record", "shift", "linear map", "shift and map")


def prepared(disjoint: bool) -> Prepared:
    """Return the model over SNIPS; with `disjoint` each record has the label of one task."""
    rows = [{**row, "words": (len(row["text"].split()) - 9) / 4} for row in
            read(data("snips") / "train")[:4000]]  # fmt: skip
    tasks = {
        "intent": Multiclass(labels=sorted({row["intent"] for row in rows})),
        "slots": Spans(labels=sorted({span["label"] for row in rows for span in row["slots"]})),
        "words": Regression(center=0.0, scale=1.0),
    }
    encoder = Text(model=MINILM, fields=["text"], max_tokens=64).at(None)
    torch.manual_seed(0)
    model = Model({"text": encoder}, tasks, dropout=0.0)
    columns = {
        name: pa.chunked_array([pa.array(
            [row[name] if not disjoint or i % 3 == TASKS.index(name) else None
             for i, row in enumerate(rows)], task.type)])
        for name, task in tasks.items()
    }  # fmt: skip
    return Prepared.of(model, {"text": pa.chunked_array([[r["text"] for r in rows]])}, columns)


def gramians(model: Model, batch: Batch) -> dict[str, Tensor]:
    """Return by way the products of the tasks' gradients: [tasks, tasks]; "true" is exact."""
    encoder = [w for w in model.encoders.parameters() if w.requires_grad]
    features = model.features(batch)["text"]
    width = features.pooled.shape[-1]
    shift = torch.zeros(width, requires_grad=True)
    turn = torch.zeros(width, width, requires_grad=True)
    pooled, tokens = (x + shift + x.detach() @ turn for x in (features.pooled, features.tokens))
    losses = model.losses_from(model.read({"text": Features(pooled, tokens)}, batch), batch)
    wanted = [*encoder, features.pooled, features.tokens, shift, turn]
    found = [
        torch.autograd.grad(losses[name].mean(), wanted, retain_graph=True, allow_unused=True,
                            materialize_grads=True)
        for name in TASKS
    ]  # fmt: skip
    num, parts = len(encoder), {}
    mask = batch.inputs["text"].sequences.mask  # a pooled gradient falls on the record's tokens
    for name, chosen in {"true": slice(0, num), "shift": slice(num + 2, num + 3),
                         "linear map": slice(num + 3, num + 4),
                         "shift and map": slice(num + 2, num + 4)}.items():  # fmt: skip
        parts[name] = torch.stack([torch.cat([g.flatten() for g in f[chosen]]) for f in found])
    counts = mask.sum(1).float()[:, None, None]
    spread = [f[num + 1] + f[num][:, None] / counts for f in found]
    parts["per record"] = torch.stack([s.flatten() for s in spread])
    return {name: rows @ rows.T for name, rows in parts.items()}


def cosines(gramian: Tensor) -> np.ndarray:
    """Return the cosine of each pair of tasks."""
    norms = gramian.diagonal().sqrt()
    above = torch.triu_indices(len(gramian), len(gramian), 1)
    return (gramian / norms / norms[:, None])[above[0], above[1]].numpy()


def ratios(gramian: Tensor) -> np.ndarray:
    """Return the logarithms of the tasks' gradient norms, around their mean."""
    logs = gramian.diagonal().sqrt().log()
    return (logs - logs.mean()).numpy()


def batches(loop: Loop, prepared: Prepared) -> Iterator[Batch]:
    """Yield batches in which every task has a label."""
    plan = loop._plan(99)[:NUM_BATCHES]
    for rows in map(np.sort, plan):
        wanted = prepared.labeled(rows, TASKS)
        if all(mask.any() for mask in wanted.values()):
            yield prepared.batch(rows, wanted, targets=True)


def measure(disjoint: bool) -> dict[int, list[dict[str, Tensor]]]:
    """Train with the plain sum; at each moment return the products of some batches."""
    made = prepared(disjoint)
    course = build(Training, {"epochs": 99, "lr": 2e-4, "dropout": 0.0, "precision": "fp32"},
                   at="training")  # fmt: skip
    loop = Loop(made.model, made, np.arange(len(made)), course)
    steps, found = loop.steps(), {}
    for moment in range(max(MOMENTS) + 1):
        if moment in MOMENTS:
            found[moment] = [gramians(made.model, batch) for batch in batches(loop, made)]
        next(steps)
    return found


def row(found: list[dict[str, Tensor]], way: str) -> list[str]:
    """Return how far cosines and norms are from the true ones, and how they correlate."""
    said = np.concatenate([cosines(one[way]) for one in found])
    true = np.concatenate([cosines(one["true"]) for one in found])
    norms = np.concatenate([ratios(one[way]) - ratios(one["true"]) for one in found])
    agrees = float((np.sign(said) == np.sign(true)).mean())
    together = float(np.corrcoef(said, true)[0, 1]) if said.std() > 1e-6 else 0.0
    return [f"{np.abs(true).mean():.3f}", f"{np.abs(said).mean():.3f}",
            f"{np.abs(said - true).mean():.3f}", f"{together:.2f}", f"{agrees:.0%}",
            f"×{np.exp(np.abs(norms).mean()):.2f}"]  # fmt: skip


def main() -> None:
    """Measure both settings and print the table."""
    arguments(__doc__)
    table: list[list[Any]] = [["labels, steps, way", "true |cos|", "its |cos|", "error", "corr.",
                               "same sign", "norm error"]]  # fmt: skip
    for disjoint in (False, True):
        for moment, found in measure(disjoint).items():
            for way in WAYS:
                where = "one task a record" if disjoint else "all labels"
                table.append([f"{where}, {moment}, {way}", *row(found, way)])
    keep("shared_gradients", "Stand-ins for the gradients of the shared encoder", table, [
        "Pairs of intent, slots and number of words; cosines against those of the gradients over "
        f"all encoder weights, {NUM_BATCHES} batches of 32 at each moment; fp32, no dropout.",
        "Norm error: the mean factor by which the ratios of the tasks' gradient norms are off.",
    ])  # fmt: skip


if __name__ == "__main__":
    main()
