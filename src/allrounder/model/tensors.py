"""Tensors on disk: safetensors, each file whole or absent."""

import json
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from allrounder.errors import RunError


def save_tensors(path: Path, tensors: Mapping[str, Tensor], about: Any = None) -> None:
    """Write tensors and what is to be known of them, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    ready = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    try:
        save_file(ready, draft, metadata={"about": json.dumps(about)})
        with open(draft, "rb") as file:
            os.fsync(file.fileno())
        draft.replace(path)
    except Exception as error:  # safetensors raises its own type for a full disk
        with suppress(OSError):
            draft.unlink()
        raise RunError(
            f"{path} could not be written: {error}. Nothing else was changed."
        ) from error


def load_tensors(path: Path) -> tuple[dict[str, Tensor], Any]:
    """Read what `save_tensors` wrote."""
    try:
        with safe_open(path, framework="pt") as file:
            about = json.loads((file.metadata() or {}).get("about", "null"))
            return {name: file.get_tensor(name) for name in file.keys()}, about  # noqa: SIM118
    except Exception as error:  # safetensors raises its own type for a broken file
        raise RunError(f"{path} cannot be read: {error}.") from error


def owned(module: nn.Module) -> dict[str, str]:
    """Return for each name of a weight or buffer the first name that the same one has.

    Weights that are tied, such as those of an output layer and of embeddings, have several.
    """
    first: dict[int, str] = {}
    return {
        name: first.setdefault(id(tensor), name)
        for name, tensor in module.state_dict(keep_vars=True).items()
    }
