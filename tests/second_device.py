"""Runs tests on a second device, made of main memory: ``pytest -p second_device``.

What computes with tensors of two devices fails there as it does on a GPU, and needs none. It knows
no autocast, and its kernels are those of the processor, so nothing is said of speed or precision.
Processes that a test starts run on the processor.
"""

import types
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.utils import cpp_extension

NAME = "second"


def _begin() -> None:
    """Compile the device, which takes half a minute once, and make it known to torch."""
    source = Path(__file__).with_suffix(".cpp")
    cpp_extension.load("second_device", [str(source)], extra_cflags=["-O1"]).begin()
    torch.utils.rename_privateuse1_backend(NAME)
    module = types.ModuleType(f"torch.{NAME}")
    for name, answer in {
        "is_available": True,
        "device_count": 1,
        "current_device": 0,
        "is_initialized": True,
        "_is_in_bad_fork": False,
        "manual_seed_all": None,
        "get_amp_supported_dtype": [torch.bfloat16],
    }.items():
        setattr(module, name, lambda *_, answer=answer: answer)
    module.get_rng_state = lambda *_: torch.get_rng_state()
    module.set_rng_state = lambda *_: None
    torch._register_device_module(NAME, module)
    torch.utils.generate_methods_for_privateuse1_backend(for_storage=True)
    nn.Module.to = _moved_together


_move = nn.Module.to


def _moved_together(self: nn.Module, *where: Any, **how: Any) -> nn.Module:
    """Move a module, and keep tied weights tied, as a move to a GPU does."""
    tied: dict[int, list[tuple[nn.Module, str]]] = {}
    for module in self.modules():
        for name, weight in module._parameters.items():
            tied.setdefault(id(weight), []).append((module, name))
    moved = _move(self, *where, **how)
    for (first, its_name), *others in tied.values():
        for module, name in others:
            module._parameters[name] = first._parameters[its_name]
    return moved


_begin()

from allrounder.encoders import modules  # noqa: E402

modules.best_device = lambda: torch.device(NAME)
