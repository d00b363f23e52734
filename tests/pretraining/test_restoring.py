"""Telling a text from the vector of what is left of it."""

import shutil
from pathlib import Path

import pytest
import torch
from making import sequences, tiny_text
from torch.nn import functional
from transformers import DistilBertConfig, DistilBertModel

from allrounder.encoders.text import specials
from allrounder.errors import ProjectError
from allrounder.pretraining import Denoising
from allrounder.pretraining.restoring import Restoring


def chance(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.fixture
def restoring(tiny):
    torch.manual_seed(0)
    return Restoring(Denoising(), tiny_text(tiny)).eval()


def test_so_many_tokens_are_deleted_and_the_others_keep_their_order(tiny, restoring):
    batch = sequences(tiny, *["shares of acme rose after the vote said lin " * 4] * 50, "bank")
    left = restoring.damaged(batch.ids, batch.mask.bool(), chance())
    free = batch.mask.sum(1) - 2
    share = 1 - ((left.mask.sum(1) - 2) / free)[:-1].double().mean()
    assert share == pytest.approx(0.6, abs=0.03)
    for whole, part, there in zip(batch.ids, left.ids, left.mask, strict=True):
        rest = iter(whole.tolist())
        assert all(token in rest for token in part[there].tolist()), "a subsequence"
    before, after = specials(tiny)
    assert (left.ids[:, 0] == before[0]).all()
    lasts = left.ids.gather(1, left.mask.sum(1, keepdim=True) - 1)
    assert (lasts == after[-1]).all()
    assert left.mask[-1].sum() == 3, "the only word stays"


def test_the_loss_is_that_of_every_token_after_the_first(tiny, restoring):
    batch = sequences(tiny, "shares of acme rose", "the bank")
    loss, count = restoring.loss(batch, chance(3))
    left = restoring.damaged(batch.ids, batch.mask.bool(), chance(3))
    states = restoring.network(input_ids=left.ids, attention_mask=left.mask.long())
    kept = left.mask[..., None].float()
    vectors = (states.last_hidden_state * kept).sum(1) / kept.sum(1)
    restoring.decoder.get_output_embeddings()._forward_pre_hooks.clear()
    wanted, number = 0.0, 0
    for row, size in enumerate(batch.mask.sum(1).tolist()):
        ids = batch.ids[row : row + 1, :size]
        logits = restoring.decoder(
            input_ids=ids[:, :-1], encoder_hidden_states=vectors[row][None, None]
        ).logits[0]
        wanted += functional.cross_entropy(logits, ids[0, 1:], reduction="sum").item()
        number += size - 1
    assert count == number
    assert loss.item() == pytest.approx(wanted, rel=1e-4)


def test_the_decoder_sees_the_text_through_the_vector_only(tiny, restoring):
    batch = sequences(tiny, "shares of acme rose")
    ids = batch.ids
    before = {"input_ids": ids, "encoder_hidden_states": torch.randn(1, 1, 16)}
    restoring._told = torch.ones_like(ids, dtype=torch.bool)
    first = restoring.decoder(**before).logits
    changed = ids.clone()
    changed[0, -1] = ids[0, 1]
    second = restoring.decoder(**{**before, "input_ids": changed}).logits
    assert torch.allclose(first[:-1], second[:-1], atol=1e-6), "no token sees later ones"
    other = restoring.decoder(input_ids=ids, encoder_hidden_states=torch.randn(1, 1, 16)).logits
    assert not torch.allclose(first, other, atol=1e-3)


def test_encoder_and_decoder_have_the_same_weights(restoring):
    names = [name for name, _ in restoring.named_parameters()]
    own = [name for name in names if name.startswith("decoder.")]
    assert own
    assert all("crossattention" in name or ".cls." in name for name in own)
    assert restoring.fresh == set(own)


def test_a_model_without_a_decoder_is_refused_in_words(tiny, tmp_path):
    config = DistilBertConfig(vocab_size=144, dim=16, n_layers=1, n_heads=2, hidden_dim=32)
    DistilBertModel(config).save_pretrained(tmp_path)
    shutil.copy(Path(tiny) / "tokenizer.json", tmp_path)
    with pytest.raises(ProjectError, match="has no decoder of its own weights"):
        Restoring(Denoising(), tiny_text(str(tmp_path)))
