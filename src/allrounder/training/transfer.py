"""Putting a run's weights into a model that starts from it."""

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from allrounder.errors import RunError
from allrounder.model import Model
from allrounder.model.saving import MAIN
from allrounder.model.tensors import load_tensors
from allrounder.tasks import Task


def begin_from(model: Model, folder: Path, tasks: Mapping[str, Task]) -> None:
    """Give a fresh model the encoders and fusion of a run, and the heads of tasks it knew.

    Args:
        model: the model, its heads fresh.
        folder: the run folder.
        tasks: those tasks of the run whose heads go on, as it learned them.
    """
    weights, about = load_tensors(folder / MAIN)
    own = [name for name in (about or {}).get("own", []) if name in model.tasks]
    named = dict(model.named_parameters())
    with torch.no_grad():
        for name, weight in named.items():
            if name.startswith("heads."):
                continue
            if name not in weights or weights[name].shape != weight.shape:
                raise RunError(f"{folder} holds no weights that fit {name}: its model is another.")
            weight.copy_(weights[name])
        for name in tasks:
            found = weights
            if name in own:
                found = load_tensors(folder / "snapshots" / f"{name}.safetensors")[0]
            _continue(model, name, tasks[name], found)


def _continue(model: Model, name: str, old: Task, weights: Mapping[str, Tensor]) -> None:
    task, prefix = model.tasks[name], f"heads.{name}."
    found = {k.removeprefix(prefix): w for k, w in weights.items() if k.startswith(prefix)}
    head: nn.Module = model.heads[name]
    head.load_state_dict(task.continued_head(old, found))
