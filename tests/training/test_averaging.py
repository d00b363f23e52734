"""An average of the weights is judged and kept; training goes on with the weights as they are."""

import numpy as np
import pytest
import torch
from making import made, settings, write_newsroom

from allrounder import Project, ProjectError
from allrounder.model.tensors import load_tensors
from allrounder.tasks import Multiclass
from allrounder.training.loop import Loop

TASKS = {"topic": Multiclass(labels=["a", "b"])}
ROWS = [{"text": f"Acme rose {i}", "topic": "ab"[i % 2]} for i in range(12)]


def loop_of(**keys):
    prepared = made(TASKS, ROWS)
    return Loop(prepared.model, prepared, np.arange(12), settings(head_lr=0.1, **keys))


def weights(loop):
    return {name: weight.detach().clone() for name, weight in loop.model.named_parameters()}


@pytest.mark.parametrize(("decay", "decays"), [
    (0.999, [1 / 10, 2 / 11, 3 / 12, 4 / 13, 5 / 14]),
    (0.25, [1 / 10, 2 / 11, 0.25, 0.25, 0.25]),
])  # fmt: skip
def test_the_average_forgets_at_its_decay_and_sooner_at_the_start(decay, decays):
    loop = loop_of(ema=decay, epochs=9)
    with torch.no_grad():
        for weight in loop.model.parameters():
            weight += 0.5  # as a head start moves weights once there is a loop
    expected = weights(loop)
    for step, share in zip(loop.steps(), decays, strict=False):
        now = weights(loop)
        assert step.number <= len(decays)
        for name, average in loop.average.weights.items():
            expected[name] = share * expected[name] + (1 - share) * now[name]
            torch.testing.assert_close(average, expected[name], atol=1e-6, rtol=1e-5)


def test_the_model_wears_the_average_for_a_while_and_is_then_as_before():
    loop = loop_of(ema=0.9)
    list(loop.steps())
    before = weights(loop)
    with pytest.raises(KeyError), loop.average.worn():
        for name, weight in loop.model.named_parameters():
            assert torch.equal(weight, loop.average.weights[name])
        raise KeyError
    assert all(torch.equal(weight, before[name]) for name, weight in weights(loop).items())


def test_without_a_decay_nothing_is_averaged():
    loop = loop_of()
    list(loop.steps())
    assert loop.average.weights == {}
    with loop.average.worn():
        pass


def test_the_average_is_judged_and_shipped_and_training_does_not_notice(tmp_path):
    found = {}
    for ema in (0.0, 0.99):
        folder = tmp_path / str(ema)
        keys = {"epochs": 3, "batch_records": 8, "head_lr": 0.03, "precision": "fp32",
                "probe": False, "patience": 9, "ema": ema}  # fmt: skip
        report = Project.load(write_newsroom(folder, size=8, training=keys)).train()
        shipped = load_tensors(folder / "runs/1/model.safetensors")[0]
        found[ema] = report.history, shipped
    plain, averaged = (found[ema][0] for ema in (0.0, 0.99))
    assert [row["losses"] for row in plain] == [row["losses"] for row in averaged]
    assert [row["validation"] for row in plain] != [row["validation"] for row in averaged]
    names = [name for name in found[0.0][1] if name.startswith("heads.")]
    assert any(not torch.equal(found[0.0][1][name], found[0.99][1][name]) for name in names)


@pytest.mark.parametrize("value", [-0.1, 1.0, float("nan")])
def test_a_decay_that_means_nothing_is_refused(value):
    with pytest.raises(ProjectError) as caught:
        settings(ema=value)
    assert str(caught.value) == f"`training` has `ema: {value}`. Expected 0 to less than 1."
