"""Hiding words."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from making import sequences, tiny_text
from torch.nn import functional

from allrounder.encoders.hiding import vocabulary
from allrounder.encoders.text import read_tokenizer
from allrounder.errors import ProjectError
from allrounder.pretraining import Masked
from allrounder.pretraining.masking import Masking


def chance(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


TEXT = "shares of acme rose after the vote said lin 北京上海"


def test_whole_words_are_hidden_together(tiny):
    batch = sequences(tiny, *["ruritanian marketing zebra quorum " * 3] * 40)
    words = vocabulary(tiny)
    _, places = words.hidden(batch.ids, batch.mask, Masked(mask_share=0.4), chance())
    inside = words.inside[batch.ids]
    assert inside.any()
    assert (places[:, 1:] == places[:, :-1])[inside[:, 1:]].all()
    _, places = words.hidden(
        batch.ids, batch.mask, Masked(mask_share=0.4, whole_words=False), chance()
    )
    assert not (places[:, 1:] == places[:, :-1])[inside[:, 1:]].all()


def test_every_han_character_is_a_word_of_its_own(tiny):
    batch = sequences(tiny, *["北京上海公司股价" * 4] * 60)
    _, places = vocabulary(tiny).hidden(batch.ids, batch.mask, Masked(mask_share=0.3), chance())
    drawn = places[:, 1:-1].double().mean()
    assert drawn == pytest.approx(0.3, abs=0.04)


def test_so_many_are_hidden_and_so_many_exchanged(tiny):
    batch = sequences(tiny, *[TEXT * 3] * 200)
    words = vocabulary(tiny)
    read, places = words.hidden(batch.ids, batch.mask, Masked(), chance())
    assert places[batch.mask].double().mean() == pytest.approx(0.15, abs=0.02)
    at = places
    hidden = (read == words.mask)[at].double().mean()
    kept = (read == batch.ids)[at].double().mean()
    assert hidden == pytest.approx(0.8, abs=0.03)
    assert kept == pytest.approx(0.1, abs=0.03)
    assert torch.equal(read[~at], batch.ids[~at])
    assert not words.special[read[at & (read != words.mask)]].any()


def test_special_tokens_and_padding_are_never_told(tiny):
    batch = sequences(tiny, "bank", TEXT)
    words = vocabulary(tiny)
    for seed in range(20):
        _, places = words.hidden(batch.ids, batch.mask, Masked(mask_share=0.9), chance(seed))
        assert not (places & (words.special[batch.ids] | ~batch.mask.bool())).any()
        assert places.any(1).all(), "something is told of every text, however short"


def test_the_loss_is_that_of_the_whole_output_at_the_places(tiny):
    torch.manual_seed(0)
    masking = Masking(Masked(), tiny_text(tiny)).eval()
    batch = sequences(tiny, TEXT, "the bank fell", "team match")
    loss, count = masking.loss(batch, chance())
    read, places = vocabulary(tiny).hidden(batch.ids, batch.mask, Masked(), chance())
    network = masking.network
    network.get_output_embeddings()._forward_pre_hooks.clear()
    logits = network(input_ids=read, attention_mask=batch.mask.long()).logits
    wanted = functional.cross_entropy(logits[places], batch.ids[places], reduction="sum")
    assert count == int(places.sum())
    assert loss.item() == pytest.approx(wanted.item(), rel=1e-5)


def test_a_model_without_a_head_gets_one_and_says_so(tiny):
    masking = Masking(Masked(), tiny_text(tiny))
    assert any("transform" in name for name in masking.fresh)
    assert not any("encoder" in name or "embedding" in name for name in masking.fresh)
    assert masking.fresh <= set(dict(masking.named_parameters()))


def copied(tiny: str, folder: Path, **changes) -> str:
    shutil.copytree(tiny, folder)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, **changes}))
    return str(folder)


def test_a_model_of_another_kind_is_refused_in_words(tiny, tmp_path):
    other = copied(tiny, tmp_path / "other", model_type="gpt2", n_embd=16, n_head=2)
    with pytest.raises(ProjectError, match="cannot tell hidden words"):
        Masking(Masked(), tiny_text(other))


def test_a_tokenizer_without_a_mask_is_refused_in_words(tiny, tmp_path):
    folder = tmp_path / "maskless"
    copied(tiny, folder)
    text = (folder / "tokenizer.json").read_text().replace("[MASK]", "[NONE]")
    (folder / "tokenizer.json").write_text(text)
    assert read_tokenizer(str(folder)).token_to_id("[MASK]") is None
    with pytest.raises(ProjectError, match="no token for hidden words"):
        vocabulary(str(folder))
