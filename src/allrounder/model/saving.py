"""A trained model in a run folder, and back."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from torch import Tensor

from allrounder.encoders import Encoder
from allrounder.encoders.modules import best_device
from allrounder.errors import RunError
from allrounder.fusion import Fusion
from allrounder.model.knowing import Knowing
from allrounder.model.network import Model, owners
from allrounder.model.tensors import load_tensors, owned, save_tensors
from allrounder.tasks import Task

MAIN, TELLERS = "model.safetensors", "tellers.safetensors"


def save_model(folder: Path, model: Model, own: Mapping[str, Mapping[str, Tensor]]) -> None:
    """Write weights, and configuration and tokenizer of each encoder.

    What tells words in training lies apart, for a training that goes on: answering has no need of
    it.

    Args:
        folder: the run folder.
        model: the model whose snapshot answers most tasks.
        own: by task, the weights of a snapshot of its own.
    """
    for name in model.encoders:
        model.inputs[name].save(folder / "inputs" / name)
    if model.knowing:
        model.knowing.save(folder)
    _save_own(folder, own)
    names, state = set(owned(model).values()), model.state_dict()
    tellers = {name for name in names if name.startswith("tellers.")}
    if tellers:
        save_tensors(folder / TELLERS, {n: state[n] for n in state if n in tellers})
    kept = {name: state[name] for name in state if name in names - tellers}
    save_tensors(folder / MAIN, kept, {"own": list(own)})


def _save_own(folder: Path, own: Mapping[str, Mapping[str, Tensor]]) -> None:
    for name, weights in own.items():
        kept = {n: weight for n, weight in weights.items() if not n.startswith("tellers.")}
        save_tensors(folder / "snapshots" / f"{name}.safetensors", kept)


def add_own(folder: Path, own: Mapping[str, Mapping[str, Tensor]]) -> None:
    """Let some tasks of a saved model be answered by snapshots of their own from now on."""
    _save_own(folder, own)
    weights, about = load_tensors(folder / MAIN)
    names = dict.fromkeys([*(about or {}).get("own", []), *own])
    save_tensors(folder / MAIN, weights, {**(about or {}), "own": list(names)})


def load_passes(
    folder: Path,
    inputs: Mapping[str, Encoder],
    tasks: Mapping[str, Task],
    fusion: Fusion | None,
    knowing: Knowing | None = None,
) -> list[tuple[Model, Sequence[str]]]:
    """Return the model, and one more for each task that keeps a snapshot of its own.

    They lie on the best device there is.

    Args:
        folder: the run folder.
        inputs: the encoders of the project.
        tasks: the tasks, with all that was learned from labels.
        fusion: how inputs are joined.
        knowing: what the model knows beside its weights.
    """
    weights, about = load_tensors(folder / MAIN)
    own = list((about or {}).get("own", []))
    saved = saved_inputs(folder, inputs)
    passes: list[tuple[Model, Sequence[str]]] = []
    for name in [None, *own]:
        model = Model(saved, tasks, fusion=fusion, knowing=knowing)
        extra = load_tensors(folder / "snapshots" / f"{name}.safetensors")[0] if name else {}
        _fill(model, {**weights, **extra}, folder)
        names = [name] if name else [task for task in tasks if task not in own]
        passes.append((model.to(best_device()).eval(), names))
    return [(model, names) for model, names in passes if names]


def saved_inputs(folder: Path, inputs: Mapping[str, Encoder]) -> dict[str, Encoder]:
    """Return the encoders as a run left them, their weights aside."""
    shared = owners(inputs)
    return {n: encoder.saved(folder / "inputs" / shared[n]) for n, encoder in inputs.items()}


def _fill(model: Model, weights: Mapping[str, Tensor], folder: Path) -> None:
    try:
        tied = {n: weights[first] for n, first in owned(model).items() if first in weights}
        model.load_state_dict({**weights, **tied})
    except RuntimeError as error:
        first = str(error).strip().splitlines()[-1].strip()
        raise RunError(
            f"The weights in {folder} do not fit its project file ({first[:120]}). Was one of them "
            "replaced?"
        ) from error
