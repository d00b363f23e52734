"""What every kind of fusion promises. A kind without a row in EXAMPLES fails."""

import itertools
import json

import numpy as np
import pytest
import torch
from making import hashing, made

from allrounder.fusion import FUSIONS, Concat
from allrounder.kinds import dump
from allrounder.tasks import Multiclass

EXAMPLES = {"concat": Concat()}
WIDTHS = {"title": 3, "body": 5, "chart": 4}
KINDS = pytest.mark.parametrize("kind", sorted(FUSIONS.builtin))
SUBSETS = [some for n in range(4) for some in itertools.combinations(WIDTHS, n)]


def built(kind):
    assert kind in EXAMPLES, f"give the fusion kind {kind!r} a row in EXAMPLES"
    torch.manual_seed(0)
    return EXAMPLES[kind].module(WIDTHS).eval()


def vectors(names, num_records=2):
    chance = torch.Generator().manual_seed(4)
    every = torch.arange(num_records)
    drawn = {n: torch.randn(num_records, w, generator=chance) for n, w in WIDTHS.items()}
    return {name: (every, drawn[name]) for name in names}


@KINDS
@pytest.mark.parametrize("names", SUBSETS, ids="+".join)
def test_any_subset_of_the_inputs_gives_a_finite_vector_of_the_width_it_says(kind, names):
    found = built(kind)(vectors(names), 2)
    assert found.shape == (2, EXAMPLES[kind].width(WIDTHS))
    assert torch.isfinite(found).all()


@KINDS
def test_a_record_is_joined_alike_whatever_its_neighbours_have(kind):
    module, whole = built(kind), vectors(WIDTHS)
    partly = {**whole, "body": (torch.tensor([1]), whole["body"][1][1:])}
    one = module(partly, 2)
    torch.testing.assert_close(one[1], module(whole, 2)[1])
    without = {name: pair for name, pair in whole.items() if name != "body"}
    torch.testing.assert_close(one[0], module(without, 2)[0])


@KINDS
def test_a_missing_input_still_lets_the_others_learn(kind):
    rows = [
        {"title": "Acme rose", "it": "up"},
        {"body": "Acme fell", "it": "down"},
        {"title": "Acme", "body": "rose", "it": "up"},
    ]
    inputs = {"title": hashing("title"), "body": hashing("body", width=8)}
    prepared = made({"it": Multiclass(labels=["up", "down"])}, rows, inputs=inputs)
    every = np.arange(3)
    batch = prepared.batch(every, prepared.labeled(every, ["it"]), targets=True)
    losses = prepared.model.losses(batch)["it"]
    assert torch.isfinite(losses).all()
    losses.sum().backward()
    assert all(w.grad is not None for w in prepared.model.parameters())


@KINDS
def test_the_settings_survive_being_written_out(kind):
    plain = json.loads(json.dumps(dump(EXAMPLES[kind])))
    assert FUSIONS.build(plain, at="fusion") == EXAMPLES[kind]
