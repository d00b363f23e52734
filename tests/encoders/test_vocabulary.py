"""How far texts are from a vocabulary: words are those of the text, whatever cuts them."""

import pytest
from making import tiny_tokenizer
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers

from allrounder.encoders.vocabulary import vocabulary


def by_lines():
    """Return a tokenizer that cuts no text into words first, as Gemma's."""
    pieces = ["<unk>", "▁", *"abcdefghijklmnopqrstuvwxyz?", *"银行"]
    merges = [("c", "a"), ("r", "d"), ("ca", "rd"), ("▁", "card"), ("银", "行")]
    ids = {piece: i for i, piece in enumerate([*pieces, *("".join(pair) for pair in merges)])}
    found = Tokenizer(models.BPE(ids, merges, unk_token="<unk>", fuse_unk=True))
    found.normalizer = normalizers.Replace(" ", "▁")
    found.pre_tokenizer = pre_tokenizers.Split(" ", "merged_with_previous")
    return found


@pytest.mark.parametrize("make", [by_lines, tiny_tokenizer])
def test_a_word_is_a_word_of_the_text(make):
    found = vocabulary(make(), ["of a card? xyzzy", "  of", "", "   "], reach=64)
    wanted = {"xyzzy"} if make is by_lines else {"xyzzy", "card"}
    assert set(found.strange) == wanted
    assert found.long_split == pytest.approx(len(wanted) / 6, abs=1e-4)


def test_a_token_of_several_characters_is_no_long_word():
    found = vocabulary(by_lines(), ["card card 银行 行"], reach=64)
    assert (found.pieces, found.strange) == (1.0, [])
