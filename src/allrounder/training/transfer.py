"""Putting a run's weights into a model that starts from it, whose inputs may be others."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from allrounder.errors import RunError
from allrounder.fusion import Fusion
from allrounder.injection import Injection
from allrounder.model import Model
from allrounder.model.network import owners
from allrounder.model.saving import MAIN, TELLERS
from allrounder.model.tensors import load_tensors
from allrounder.tasks import heads
from allrounder.training.starting import Old, parts_read

Weights = Mapping[str, Tensor]


def begin_from(model: Model, old: Old, fusion: Fusion, tasks: list[str]) -> None:
    """Give a fresh model encoders, fusion and injections of a run, and the heads of tasks it knew.

    What belongs to inputs that the run did not read stays fresh. Where both put vectors end to
    end, the head of a task that reads all inputs gets columns of zeros for new ones, and for an
    input that is gone says what it said of records without it: at first the model answers as
    the run does.

    Args:
        model: the model, its heads fresh.
        old: the run.
        fusion: how the model joins inputs.
        tasks: those tasks of the run whose heads go on.
    """
    folder = old.run.path
    weights, about = load_tensors(folder / MAIN)
    own = [name for name in (about or {}).get("own", []) if name in model.tasks]
    with torch.no_grad():
        _take_encoders(model, old, weights)
        _take_injections(model, old, weights)
        if fusion.shape == old.fusion.shape:
            _take_fusion(model, weights)
        for name in tasks:
            found = dict(weights)
            if name in own:
                found |= load_tensors(folder / "snapshots" / f"{name}.safetensors")[0]
            _continue(model, name, old, fusion, found)


def _take_encoders(model: Model, old: Old, weights: Weights) -> None:
    """Fill the encoders of inputs that both have, whichever input lends a shared one its name."""
    before = owners(old.inputs)
    for owner, module in model.encoders.items():
        mine = (name for name in model.inputs if model.owners[name] == owner)
        known = next((before[name] for name in mine if name in before), None)
        for inner, weight in module.named_parameters() if known else ():
            name = f"encoders.{known}.{inner}"
            if name not in weights or weights[name].shape != weight.shape:
                raise RunError(
                    f"{old.run.path} holds no weights that fit {name}: its model is another."
                )
            weight.copy_(weights[name])


def take_teller(model: Model, name: str, old: Old) -> None:
    """Fill what tells the words of an input from a run that told them too."""
    path, known = old.run.path / TELLERS, f"tellers.{name}."
    if not path.exists():
        return
    weights = load_tensors(path)[0]
    with torch.no_grad():
        for inner, weight in model.tellers[name].named_parameters():
            found = weights.get(known + inner)
            if found is not None and found.shape == weight.shape:
                weight.copy_(found)


def _take_fusion(model: Model, weights: Weights) -> None:
    for name, weight in model.named_parameters():
        joins = name.startswith(("fusion.", "openings."))
        if joins and name in weights and weights[name].shape == weight.shape:
            weight.copy_(weights[name])


def _take_injections(model: Model, old: Old, weights: Weights) -> None:
    """Fill the injections that tell the same things in both; others begin closed."""
    for name, module in model.injections.items():
        known = old.injections.get(name)
        mine = model.knowing and model.knowing.gated[name]
        if type(known) is not type(mine) or _learned(known) != _learned(mine):
            continue
        for inner, weight in module.named_parameters():
            other = weights.get(f"injections.{name}.{inner}")
            if other is not None and other.shape == weight.shape:
                weight.copy_(other)


def _learned(injection: Injection | None) -> list[object]:
    return [getattr(injection, key) for key in injection.learned] if injection else []


def _continue(model: Model, name: str, old: Old, fusion: Fusion, weights: Weights) -> None:
    task, prefix = model.tasks[name], f"heads.{name}."
    found = {k.removeprefix(prefix): w for k, w in weights.items() if k.startswith(prefix)}
    before, now = old.parts_read(name), parts_read(task, model.inputs, fusion)
    if before != now and task.reads not in ("inputs", "states"):
        widths = {part: model.encoding(part).width for part in now}
        absent = {part: weights[f"fusion.absent.{part}"] for part in before if part not in now}
        sizes = {p: len(absent[p]) if p in absent else widths[p] for p in before}
        try:
            found = heads.regrouped(found, sizes, widths, absent)
        except ValueError as error:
            raise RunError(
                f"`tasks.{name}`: {error}, so it cannot go on over other inputs than in "
                f"{old.run.path}. Rename the task to start it anew."
            ) from None
    head: nn.Module = model.heads[name]
    begun = task.continued_head(task.called_now(old.tasks[name]), found)
    head.load_state_dict({**head.state_dict(), **begun})
