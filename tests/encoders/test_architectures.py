"""Encoders of every architecture that people bring: tiny ones, at random."""

import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import torch
import transformers
from making import tiny_text

from allrounder.encoders import pretrained
from allrounder.encoders.pretrained import quiet
from allrounder.errors import ProjectError

SIZES = {
    "vocab_size": 300,
    "hidden_size": 32,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "intermediate_size": 64,
    "max_position_embeddings": 66,
    "pad_token_id": 0,
}
CONFIGS = {
    "roberta": lambda: transformers.RobertaConfig(**SIZES, type_vocab_size=1),
    "xlm-roberta": lambda: transformers.XLMRobertaConfig(**SIZES, type_vocab_size=1),
    "electra": lambda: transformers.ElectraConfig(**SIZES, embedding_size=32),
    "mpnet": lambda: transformers.MPNetConfig(**SIZES),
    "albert": lambda: transformers.AlbertConfig(**SIZES, embedding_size=16),
    "deberta-v2": lambda: transformers.DebertaV2Config(**SIZES, relative_attention=True),
    "distilbert": lambda: transformers.DistilBertConfig(
        vocab_size=300, dim=32, n_layers=3, n_heads=4, hidden_dim=64, max_position_embeddings=66
    ),
    "modernbert": lambda: transformers.ModernBertConfig(
        **SIZES, cls_token_id=2, sep_token_id=3, bos_token_id=2, eos_token_id=3
    ),
}
TEXTS = ["the bank said", "shares rose in the market after the team won the match", "bank"]


@pytest.fixture(scope="module", params=sorted(CONFIGS))
def folder(request, tmp_path_factory, tiny) -> Path:
    """The folder of one architecture, with the tiny tokenizer."""
    path = tmp_path_factory.mktemp("architectures") / request.param
    path.mkdir()
    with quiet():
        network = transformers.AutoModel.from_config(CONFIGS[request.param]())
        network.save_pretrained(path)
    shutil.copy(Path(tiny) / "tokenizer.json", path)
    return path


def test_with_the_attention_of_a_gpu_it_says_the_same(folder, monkeypatch):
    encoder = tiny_text(str(folder), max_tokens=32)
    tokens = encoder.prepare([pa.array(TEXTS)])
    batch = encoder.collate(tokens, [0, 1, 2], [True] * 3)
    with torch.no_grad():
        plain = encoder.module().eval()(batch, tokens=True)
        monkeypatch.setattr(pretrained, "best_device", lambda: torch.device("cuda"))
        fused = encoder.module().eval()(batch, tokens=True)
    torch.testing.assert_close(fused.pooled, plain.pooled, atol=1e-5, rtol=0)


@pytest.mark.parametrize("tune", ["full", "frozen", "top:1"])
def test_an_answer_does_not_depend_on_padding(folder, tune):
    encoder = tiny_text(str(folder), tune=tune, max_tokens=32)
    if folder.name == "albert" and tune == "top:1":
        with pytest.raises(ProjectError, match="shows no list of its layers"):
            encoder.module()
        return
    tokens = encoder.prepare([pa.array(TEXTS)])
    module = encoder.module().eval()
    with torch.no_grad():
        together = module(encoder.collate(tokens, [0, 1, 2], [True] * 3), tokens=True)
        alone = module(encoder.collate(tokens, [0], [True]), tokens=True)
    torch.testing.assert_close(together.pooled[0], alone.pooled[0], atol=1e-5, rtol=0)
    count = alone.tokens.shape[1]
    torch.testing.assert_close(together.tokens[0, :count], alone.tokens[0], atol=1e-5, rtol=0)
    learning = np.array([weight.requires_grad for weight in module.parameters()])
    assert learning.all() if tune == "full" else not learning.all()
    assert learning.any() == (tune != "frozen")
