"""What comes before the main training where labels are few."""

import numpy as np
import torch
from torch import Tensor, nn

from allrounder.model import Model, Prepared
from allrounder.model.frozen import by_length
from allrounder.tasks import Task
from allrounder.training.contrast import Contrast
from allrounder.training.job import Job

BUDGET = 8192


def head_start(job: Job, model: Model, prepared: Prepared) -> None:
    """Train the encoders contrastively, then fit every head that reads records."""
    start, rows = job.settings.head_start, job.rows("train")
    contrast = Contrast(model, prepared, rows, job.settings)
    if start.steps and contrast.draws and not all(m.is_frozen for m in model.encoders.values()):
        for done, loss in enumerate(contrast.steps(), 1):
            job.tell("head start", done, start.steps, f"loss {loss:.3f}")
    for name, task in model.tasks.items():
        if task.reads == "record":
            known = rows[prepared.labeled(rows, [name])[name]]
            vectors, order = read(model, prepared, name, known)
            fit_head(task, model.heads[name], vectors, prepared.target(name, order), start.strength)


def read(
    model: Model, prepared: Prepared, name: str, rows: np.ndarray
) -> tuple[Tensor, np.ndarray]:
    model.eval()
    found, order = [], []
    for part in by_length(prepared, rows, BUDGET):
        part = np.sort(part)
        with torch.no_grad():
            batch = prepared.batch(part, {name: np.ones(len(part), bool)})
            found.append(model.read(batch)[name].float())
        order.append(part)
    return torch.cat(found), np.concatenate(order)


def fit_head(
    task: Task, head: nn.Module, vectors: Tensor, targets: Tensor, strength: float
) -> None:
    vectors, targets = vectors.double(), targets.to(vectors.device)
    if targets.is_floating_point():
        targets = targets.double()
    head.double()
    weights = list(head.parameters())
    scale = float(vectors.pow(2).sum(-1).mean())
    optimizer = torch.optim.LBFGS(
        weights, max_iter=300, tolerance_grad=1e-5, line_search_fn="strong_wolfe"
    )

    def closure() -> Tensor:
        optimizer.zero_grad()
        penalty = sum(
            w.pow(2).sum() * (scale / strength if w.ndim > 1 else 1e-2) for w in weights
        )
        loss = task.loss(head(vectors), targets).sum() + penalty / 2
        loss.backward()
        return loss

    optimizer.step(closure)
    head.float()
    optimizer.zero_grad()
