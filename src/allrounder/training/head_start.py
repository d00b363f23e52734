"""What comes before the main training where labels are few.

First the shared encoders learn to tell the labels apart (`contrast`), then heads start at the
solution of a penalised regression on what the encoders then say, instead of at random: the two
steps of SetFit (Tunstall et al. 2022), for all tasks at once.
"""

import numpy as np
import torch
from torch import Tensor, nn

from allrounder.model import Model, Prepared
from allrounder.model.frozen import by_length
from allrounder.tasks import Task
from allrounder.training.contrast import Contrast
from allrounder.training.job import Job
from allrounder.training.settings import HeadStart

BUDGET = 8192
"""Padded tokens of one batch when vectors are read."""

BIAS_PENALTY = 0.01
"""Keeps the bias of a label that no training record carries finite, and hardly moves others."""


def head_start(job: Job, model: Model, prepared: Prepared, start: HeadStart) -> str:
    """Give the model its head start; return a sentence on what was done."""
    rows = job.rows("train")
    contrast = Contrast(model, prepared, rows, job.settings, start)
    if start.steps and contrast.draws:
        for done, loss in enumerate(contrast.steps(), 1):
            job.tell("head start", done, start.steps, f"loss {loss:.3f}")
    tasks = model.tasks.items()
    fitted = [name for name, task in tasks if task.reads == "record" and name not in job.known]
    for name in fitted:
        vectors, targets = _labeled(prepared, name, rows)
        fit_head(model.tasks[name], model.heads[name], vectors, targets, start.penalty)
    said = _said(start, list(contrast.draws), fitted)
    job.tell("head start", start.steps or 1, start.steps or 1, said)
    return said


def _said(start: HeadStart, pulled: list[str], fitted: list[str]) -> str:
    heads = f"heads of {', '.join(fitted)} fitted"
    if not start.steps:
        return f"Head start: {heads}."
    if not pulled:
        return (
            f"Head start: {heads}; no encoder trained, as each one is frozen or no two training "
            "records share a label."
        )
    return f"Head start: {start.steps} contrastive steps on {', '.join(pulled)}; {heads}."


def _labeled(prepared: Prepared, name: str, rows: np.ndarray) -> tuple[Tensor, Tensor]:
    """Return what the head of a task reads of its training records, and their targets."""
    model = prepared.model
    rows = rows[prepared.labeled(rows, [name])[name]]
    model.eval()
    vectors, order = [], []
    for part in by_length(prepared, rows, BUDGET):
        order.append(np.sort(part))
        batch = prepared.batch(order[-1], {name: np.ones(len(part), dtype=bool)})
        with torch.no_grad():
            vectors.append(model.read(model.features(batch), batch)[name])
    targets = prepared.target(name, np.concatenate(order))
    return torch.cat(vectors), targets.to(model.device)


def fit_head(task: Task, head: nn.Module, vectors: Tensor, targets: Tensor, penalty: float) -> None:
    """Set a head to the least of Σ loss + penalty · s² · |W|² / 2, by L-BFGS in double precision.

    For a multiclass task it is scikit-learn's logistic regression with C = 1 / penalty on vectors
    of length 1: s² is their mean squared length, so that their scale does not matter.

    Args:
        task: whose loss counts.
        head: the module to set.
        vectors: what it reads: [n, D].
        targets: one row a vector, as `Task.encode` makes them.
        penalty: on squared weights; biases have `BIAS_PENALTY`.
    """
    vectors = vectors.double()
    targets = targets.double() if targets.is_floating_point() else targets
    scale = float(vectors.square().sum(-1).mean())
    head.double()
    weights = list(head.parameters())
    optimizer = torch.optim.LBFGS(
        weights, max_iter=300, tolerance_grad=1e-5, line_search_fn="strong_wolfe"
    )

    def total() -> Tensor:
        optimizer.zero_grad()
        costs = [penalty * scale if weight.ndim > 1 else BIAS_PENALTY for weight in weights]
        squares = [cost * w.square().sum() for cost, w in zip(costs, weights, strict=True)]
        loss = task.loss(head(vectors), targets).sum() + torch.stack(squares).sum() / 2
        loss.backward()
        return loss

    optimizer.step(total)  # type: ignore[arg-type]
    optimizer.zero_grad()
    head.float()
