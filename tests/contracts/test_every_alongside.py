"""What every kind of learning alongside the tasks promises."""

import json

import pyarrow as pa
import pytest
import torch
from making import tiny_text

from allrounder.encoders.transformer import Transformer
from allrounder.kinds import dump
from allrounder.training.pretraining import ALONGSIDE

EVERY = pytest.mark.parametrize("kind", sorted(ALONGSIDE.builtin))
RICH = {
    "masked": {"weight": 0.7, "input": "text", "batch_records": 3, "batch_tokens": 99,
               "mask_share": 0.4, "whole_words": False},
}  # fmt: skip
"""Settings that differ from every default."""
TEXTS = ["the bank fell after the vote", "shares of acme rose 北京上海", "team match"]


def chance(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.fixture
def told(tiny):
    """Return by kind an encoder, what tells its words, and some texts as it reads them."""

    def made(kind: str):
        encoder = tiny_text(tiny)
        encoding = Transformer(encoder)
        head = ALONGSIDE.build(kind, at="training.pretraining").teller(encoder, encoding)
        tokens = encoder.prepare([pa.chunked_array([pa.array(TEXTS)])])
        batch = encoder.collate(tokens, range(3), [False] * 3)
        return encoding, head.train(), batch

    return made


@EVERY
def test_the_settings_survive_being_written_out(kind):
    assert kind in RICH, f"give the kind {kind!r} a row in RICH"
    one = ALONGSIDE.build({"kind": kind, **RICH[kind]}, at="training.pretraining")
    plain = json.loads(json.dumps(dump(one)))
    assert plain == {"kind": kind, **RICH[kind]}
    assert ALONGSIDE.build(plain, at="training.pretraining") == one


@EVERY
def test_the_same_chance_gives_the_same_loss_and_the_callers_chance_is_left_alone(kind, told):
    _, head, batch = told(kind)
    before = torch.get_rng_state()
    (one, count), (same, again) = (head.loss(batch, chance(4)) for _ in range(2))
    assert torch.isfinite(one)
    assert (one.item(), count) == (same.item(), again)
    assert count > 0
    assert torch.equal(torch.get_rng_state(), before)


@EVERY
def test_the_encoder_of_the_tasks_learns_to_tell(kind, told):
    encoding, head, batch = told(kind)
    weights = {id(w): w for w in (*encoding.parameters(), *head.parameters())}
    optimizer = torch.optim.AdamW(weights.values(), lr=0.01)
    before = [weight.detach().clone() for weight in encoding.parameters()]
    losses = []
    for _ in range(40):
        optimizer.zero_grad()
        loss, count = head.loss(batch, chance(4))
        (loss / count).backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.3 * losses[0]
    changed = [not torch.equal(*two) for two in zip(before, encoding.parameters(), strict=True)]
    assert sum(changed) > len(changed) / 2
