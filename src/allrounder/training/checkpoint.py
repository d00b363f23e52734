"""Training state on disk, so that a killed training goes on as if nothing had happened."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from allrounder.model.tensors import load_tensors, save_tensors
from allrounder.training.loop import Loop


def save_checkpoint(path: Path, loop: Loop, about: Mapping[str, Any]) -> None:
    """Write all that `restore` needs to go on as if nothing had happened."""
    weights = _weights(loop)
    tensors = {f"weights.{name}": weights[name] for name in loop.names}
    # Copies: a weighting may name one tensor twice, and safetensors refuses that.
    tensors |= {f"weighting.{name}": value.clone() for name, value in loop.descent.state.items()}
    names = {weight: name for name, weight in weights.items()}
    for weight, moments in loop.optimizer.state.items():
        for key, value in moments.items():
            if isinstance(value, Tensor):
                tensors[f"optimizer.{key}.{names[weight]}"] = value
    tensors |= {f"average.{name}": value for name, value in loop.average.weights.items()}
    tensors["rng.cpu"] = torch.get_rng_state()
    if loop.model.device.type == "cuda":
        tensors["rng.cuda"] = torch.cuda.get_rng_state()
    save_tensors(path, tensors, {**about, "state": vars(loop.state)})


def restore(path: Path, loop: Loop) -> dict[str, Any]:
    """Put weights, optimizer, position and chance back; return what else was written."""
    tensors, about = load_tensors(path)
    weights = _weights(loop)
    with torch.no_grad():
        for name in loop.names:
            weights[name].copy_(tensors[f"weights.{name}"])
    for name, value in tensors.items():
        if name.startswith("optimizer."):
            _, key, weight = name.split(".", 2)
            loop.optimizer.state[weights[weight]][key] = value.to(loop.model.device)
        if name.startswith("average."):
            loop.average.weights[name.removeprefix("average.")] = value.to(loop.model.device)
        if name.startswith("weighting."):
            _put(loop.descent.state, name.removeprefix("weighting."), value.to(loop.model.device))
    torch.set_rng_state(tensors["rng.cpu"])
    if "rng.cuda" in tensors and loop.model.device.type == "cuda":
        torch.cuda.set_rng_state(tensors["rng.cuda"])
    for key, value in about.pop("state").items():
        setattr(loop.state, key, value)
    return about


def _weights(loop: Loop) -> dict[str, Tensor]:
    """Return all that the optimizer may train, by name."""
    learned = {f"weighting.{name}": value for name, value in loop.descent.learned.items()}
    return {**dict(loop.model.named_parameters()), **learned}


def _put(state: dict[str, Tensor], name: str, value: Tensor) -> None:
    """Fill what the optimizer holds in place; replace the rest."""
    if name in state and state[name].requires_grad:
        with torch.no_grad():
            state[name].copy_(value)
    else:
        state[name] = value
