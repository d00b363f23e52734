"""What every optimizer promises. A kind without a row in PLAIN fails."""

import json

import pytest
import torch

from allrounder.kinds import dump
from allrounder.training.optimizers import OPTIMIZERS

KINDS = pytest.mark.parametrize("kind", sorted(OPTIMIZERS.builtin))


def adamw(weight, gradients, *, lr, decay):
    """Loshchilov and Hutter 2019, algorithm 2, step by step."""
    m = v = torch.zeros_like(weight)
    for t, g in enumerate(gradients, 1):
        m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g * g
        step = (m / (1 - 0.9**t)) / ((v / (1 - 0.999**t)).sqrt() + 1e-8)
        weight = weight - lr * decay * weight - lr * step
    return weight


def sgd(weight, gradients, *, lr, decay):
    """Momentum 0.9, decay as part of the gradient."""
    moving = None
    for g in gradients:
        g = g + decay * weight
        moving = g if moving is None else 0.9 * moving + g
        weight = weight - lr * moving
    return weight


PLAIN = {"adamw": adamw, "sgd": sgd}


@KINDS
def test_three_steps_are_those_of_the_paper(kind):
    assert kind in PLAIN, f"give the optimizer {kind!r} a row in PLAIN"
    start = torch.tensor([[1.0, -2.0], [0.5, 3.0]])
    gradients = [torch.randn(2, 2, generator=torch.Generator().manual_seed(s)) for s in range(3)]
    weight = torch.nn.Parameter(start.clone())
    group = {"params": [weight], "lr": 0.1, "weight_decay": 0.05}
    optimizer = OPTIMIZERS.build(kind, at="training.optimizer").build([group])
    for gradient in gradients:
        weight.grad = gradient.clone()
        optimizer.step()
    torch.testing.assert_close(weight.data, PLAIN[kind](start, gradients, lr=0.1, decay=0.05))


@KINDS
def test_the_settings_survive_being_written_out(kind):
    optimizer = OPTIMIZERS.build({"kind": kind, "weight_decay": 0.2}, at="training.optimizer")
    plain = json.loads(json.dumps(dump(optimizer)))
    assert OPTIMIZERS.build(plain, at="training.optimizer") == optimizer
