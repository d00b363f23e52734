"""Heads for hidden words of many architectures, over an encoder that is not their own."""

import pyarrow as pa
import pytest
import torch
import transformers
from making import tiny_text, tiny_tokenizer

from allrounder.encoders.pretrained import quiet
from allrounder.encoders.telling import HiddenWords, Teller
from allrounder.encoders.transformer import Transformer
from allrounder.encoders.writers import tells
from allrounder.errors import ProjectError
from allrounder.training.pretraining import MaskedWords

SMALL = {
    "vocab_size": tiny_tokenizer().get_vocab_size(),
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "max_position_embeddings": 66,
    "pad_token_id": 0,
    "bos_token_id": 2,
    "eos_token_id": 3,
    "cls_token_id": 2,
    "sep_token_id": 3,
}
DISTIL = {"dim": 16, "n_layers": 2, "n_heads": 2, "hidden_dim": 32}
CONFIGS = {
    "bert": transformers.BertConfig,
    "roberta": transformers.RobertaConfig,
    "xlm-roberta": transformers.XLMRobertaConfig,
    "distilbert": lambda **keys: transformers.DistilBertConfig(**{**keys, **DISTIL}),
    "electra": lambda **keys: transformers.ElectraConfig(embedding_size=8, **keys),
    "albert": lambda **keys: transformers.AlbertConfig(embedding_size=8, **keys),
    "mpnet": transformers.MPNetConfig,
    "deberta-v2": transformers.DebertaV2Config,
    "modernbert": transformers.ModernBertConfig,
}
TEXTS = ["the bank fell after the vote", "shares of acme rose 北京上海", "team match"]


def saved(folder, name: str) -> str:
    """Write a random model with a head for hidden words; return its folder."""
    torch.manual_seed(4)
    with quiet():
        network = transformers.AutoModelForMaskedLM.from_config(CONFIGS[name](**SMALL))
        network.save_pretrained(folder)
    tiny_tokenizer().save(str(folder / "tokenizer.json"))
    return str(folder)


@pytest.mark.parametrize("name", sorted(CONFIGS))
def test_over_the_encoder_of_the_tasks_it_tells_what_the_whole_model_tells(tmp_path, name):
    encoder = tiny_text(saved(tmp_path, name), max_tokens=32)
    assert tells(encoder.model)
    batch = encoder.collate(
        encoder.prepare([pa.chunked_array([pa.array(TEXTS)])]), range(3), [False] * 3
    )
    whole = HiddenWords(MaskedWords(), encoder).eval()
    encoding = Transformer(encoder)
    lent = Teller(MaskedWords(), encoder, encoding).eval()
    assert not whole.fresh
    (loss, count), (again, same) = (
        one.loss(batch, torch.Generator().manual_seed(3)) for one in (whole, lent)
    )
    assert count == same
    assert again.item() == pytest.approx(loss.item(), rel=1e-4)
    again.backward()
    learned = [w.grad is not None and bool(w.grad.any()) for w in encoding.parameters()]
    assert sum(learned) > len(learned) / 2


def test_a_model_that_writes_is_refused_in_words(tiny_decoder):
    assert not tells(tiny_decoder)
    encoder = tiny_text(tiny_decoder)
    with pytest.raises(ProjectError, match=r"^`training\.pretraining`: .* cannot tell hidden"):
        Teller(MaskedWords(), encoder, Transformer(encoder))
