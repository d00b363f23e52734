"""Telling the next token."""

import pyarrow as pa
import pytest
import torch
from making import sequences, tiny_text
from torch.nn import functional
from transformers import AutoModelForCausalLM, GPT2Config, GPT2LMHeadModel

from allrounder.encoders.writers import writer_of
from allrounder.pretraining import Causal
from allrounder.pretraining.foretelling import Foretelling

TEXTS = ["shares rose", "the match was good", "北京的银行"]


def told(folder, ids, special):
    """Return the loss of one text by the model itself, token by token."""
    network = AutoModelForCausalLM.from_pretrained(folder).eval()
    logits = network(input_ids=torch.tensor([ids])).logits[0]
    losses = functional.cross_entropy(logits[:-1], torch.tensor(ids[1:]), reduction="none")
    return losses[special:].sum().item(), len(losses) - special


def test_the_loss_is_that_of_each_text_alone(tiny_decoder):
    batch = sequences(tiny_decoder, *TEXTS)
    total, count = 0.0, 0
    for ids, mask in zip(batch.ids, batch.mask, strict=True):
        one, many = told(tiny_decoder, ids[mask].tolist(), 0)
        total, count = total + one, count + many
    found = Foretelling(tiny_text(tiny_decoder)).eval()
    loss, many = found.loss(batch, torch.Generator())
    assert many == count
    assert loss.item() == pytest.approx(total, rel=1e-4)


def test_of_windows_every_token_is_told_once(tiny_decoder):
    encoder = tiny_text(tiny_decoder, max_tokens=16)
    text = " ".join(["shares", "rose", "match", "vote", "good"] * 9)
    tokens = encoder.prepare([pa.chunked_array([pa.array([text, "rose"])])])
    batch = encoder.collate(tokens, [0, 1], [True, True])
    assert len(batch.ids) > 3
    _, told = Foretelling(encoder).ended(batch)
    own = int(tokens.lengths.sum())
    assert told.sum() == own + 2, "and the end of each text"


def test_a_tokenizer_without_an_end_gets_one(tmp_path, tiny):
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(f"{tiny}/tokenizer.json")
    tokenizer.post_processor = None
    size = tokenizer.get_vocab_size()
    config = GPT2Config(
        vocab_size=size, n_embd=16, n_layer=2, n_head=2, n_positions=64, eos_token_id=3,
        bos_token_id=3, resid_pdrop=0, embd_pdrop=0, attn_pdrop=0,
    )  # fmt: skip
    GPT2LMHeadModel(config).save_pretrained(tmp_path / "gpt2")
    (tmp_path / "gpt2/tokenizer.json").write_text(tokenizer.to_str())
    folder = str(tmp_path / "gpt2")
    assert writer_of(folder) == "decoder"
    batch = sequences(folder, *TEXTS)
    total, count = 0.0, 0
    for ids, mask in zip(batch.ids, batch.mask, strict=True):
        one, many = told(folder, [*ids[mask].tolist(), 3], 0)
        total, count = total + one, count + many
    loss, many = Causal().objective(tiny_text(folder)).eval().loss(batch, torch.Generator())
    assert many == count
    assert loss.item() == pytest.approx(total, rel=1e-4)
