"""What tests are made of: a tiny encoder, a small newsroom, models over a handful of rows."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import torch
import yaml

from allrounder.encoders import Encoder, Hashing, Text
from allrounder.kinds import build
from allrounder.model import Model, Prepared
from allrounder.tasks import Task
from allrounder.training.settings import Training

SPECIALS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
WORDS = (
    "shares rose fell market bank goal team match coach vote law minister party said "
    "the of in after good bad great poor acme lin dr ruritania and to a"
).split()
SIGNS = ".,;:!?-'\"()%&0123456789"
HAN = "北京上海公司股价上涨球队比赛选举部长银行在的了"


def tiny_tokenizer() -> Any:
    """Return a WordPiece tokenizer over letters, a few words and a few Han characters."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

    letters = "abcdefghijklmnopqrstuvwxyzéü"
    pieces = [*SPECIALS, *WORDS, *letters, *(f"##{c}" for c in letters + "0123456789")]
    vocabulary = {word: i for i, word in enumerate(dict.fromkeys([*pieces, *SIGNS, *HAN]))}
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[("[CLS]", vocabulary["[CLS]"]), ("[SEP]", vocabulary["[SEP]"])],
    )
    return tokenizer


def save_tiny_encoder(
    folder: Path, *, layers: int = 3, positions: int = 64, tells: bool = False
) -> str:
    """Write a random Hugging Face encoder of a few thousand weights; return its folder.

    With `tells` it has a head for hidden words.
    """
    from transformers import BertConfig, BertForMaskedLM, BertModel

    tokenizer = tiny_tokenizer()
    config = BertConfig(
        vocab_size=tokenizer.get_vocab_size(),
        hidden_size=16,
        num_hidden_layers=layers,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=positions,
        pad_token_id=0,
        initializer_range=0.3,
    )
    torch.manual_seed(11)
    (BertForMaskedLM if tells else BertModel)(config).save_pretrained(folder)
    tokenizer.save(str(folder / "tokenizer.json"))
    return str(folder)


def save_tiny_decoder(folder: Path, *, layers: int = 3, positions: int = 64) -> str:
    """Write a random Hugging Face decoder of a few thousand weights; return its folder."""
    from transformers import LlamaConfig, LlamaForCausalLM

    tokenizer = tiny_tokenizer()
    config = LlamaConfig(
        vocab_size=tokenizer.get_vocab_size(),
        hidden_size=16,
        num_hidden_layers=layers,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=positions,
        pad_token_id=0,
        bos_token_id=tokenizer.token_to_id("[CLS]"),
        eos_token_id=tokenizer.token_to_id("[SEP]"),
        initializer_range=0.3,
    )
    torch.manual_seed(11)
    LlamaForCausalLM(config).save_pretrained(folder)
    tokenizer.save(str(folder / "tokenizer.json"))
    return str(folder)


def hashing(*fields: str, **options: Any) -> Hashing:
    """Return a small encoder without weights."""
    return Hashing(fields=list(fields) or ["text"], **{"width": 32, "buckets": 512, **options})


def tiny_text(folder: str, *fields: str, **options: Any) -> Text:
    """Return the tiny Hugging Face encoder."""
    return Text(model=folder, fields=list(fields) or ["text"], **{"max_tokens": 64, **options})


def sequences(folder: str, *texts: str) -> Any:
    """Return texts as a batch of the tiny Hugging Face encoder."""
    encoder = tiny_text(folder)
    tokens = encoder.prepare([pa.chunked_array([pa.array(texts)])])
    return encoder.collate(tokens, range(len(texts)), [True] * len(texts))


def spots(scores: Any, row: int) -> Any:
    """Return the token record of one row of a batch of scores."""
    return scores.records[row]


def made(
    tasks: Mapping[str, Task],
    rows: Sequence[Mapping[str, Any]],
    *,
    inputs: Mapping[str, Encoder] | None = None,
    cache: Path | None = None,
    **options: Any,
) -> Prepared:
    """Return a model over `rows`, which hold values by field and labels by task."""
    inputs = inputs or {"text": hashing()}
    torch.manual_seed(3)
    model = Model(inputs, tasks, **{"dropout": 0.0, **options})
    fields = {name: encoder for encoder in inputs.values() for name in encoder.fields or []}
    return Prepared.of(
        model,
        {name: read(encoder, [row.get(name) for row in rows]) for name, encoder in fields.items()},
        {name: column(rows, name, task.type) for name, task in tasks.items()},
        cache=cache,
    )


def read(encoder: Encoder, values: Sequence[Any]) -> pa.ChunkedArray:
    """Return one column as it is read from a file for an encoder; nothing may be set aside."""
    found = encoder.field.read(pa.array(list(values)), Path())
    assert not found.aside
    return pa.chunked_array([found.values], encoder.field.type)


def settings(**keys: Any) -> Training:
    """Return training settings, checked as those of a project file."""
    plain = {"precision": "fp32", "dropout": 0, "batch_records": 8, "probe": False}
    return build(Training, {**plain, **keys}, at="training")


def column(rows: Sequence[Mapping[str, Any]], name: str, kind: pa.DataType) -> pa.ChunkedArray:
    """Return one column of rows; a missing key is null."""
    return pa.chunked_array([pa.array([row.get(name) for row in rows], kind)])


TOPICS = {
    "markets": ("Shares of Acme rose after the bank said so", "北京的公司股价上涨了"),
    "sport": ("The team of Dr Lin won the match, a great goal", "上海球队比赛的了"),
    "politics": ("The minister of Ruritania lost the vote on a law", "部长在北京选举"),
}
MOODS = {"great": 2.0, "good": 1.0, "poor": -1.0, "bad": -2.0}
TAGGED = (
    (("Acme", "B-ORG"), ("fell", "O"), ("in", "O"), ("Ruritania", "B-LOC"), (".", "O")),
    (("Dr", "B-PER"), ("Lin", "I-PER"), ("met", "O"), ("Acme", "B-ORG"), ("bank", "I-ORG")),
    (("北京", "B-LOC"), ("的", "O"), ("公司", "O"), ("上涨", "O")),
)


def write_newsroom(folder: Path, *, size: int = 20, **sections: Any) -> Path:
    """Write a project with three sources of different tasks; return the project file."""
    folder.mkdir(parents=True, exist_ok=True)
    _write_news(folder / "news.csv", size)
    _write_tagged(folder / "tagged.conll", size)
    _write_rated(folder / "rated.jsonl", size)
    project = {**newsroom(), **sections}
    (folder / "news.yaml").write_text(
        yaml.safe_dump(project, sort_keys=False, allow_unicode=True), encoding="utf-8"
    )
    return folder / "news.yaml"


def newsroom() -> dict[str, Any]:
    """Return the sections of the small project."""
    return {
        "sources": [
            {"path": "news.csv", "map": {"headline": "text", "about": "topic"}},
            {"path": "tagged.conll", "input": "text", "task": "entities"},
            {"path": "rated.jsonl"},
        ],
        "inputs": {"text": {"kind": "hashing", "width": 16, "buckets": 512}},
        "tasks": {
            "topic": {"kind": "multiclass"},
            "mood": {"kind": "regression", "range": [-4, 4]},
            "entities": {"kind": "spans", "labels": ["PER", "ORG", "LOC"]},
        },
        "training": {"epochs": 2, "batch_records": 8, "head_lr": 0.03, "precision": "fp32"},
    }


def _write_news(path: Path, size: int) -> None:
    lines = ["headline,about,number"]
    for i in range(size):
        for topic, texts in TOPICS.items():
            label = "" if i % 10 == 9 else topic
            lines.append(f'"{texts[i % 2]} {i} ({topic[0]}).",{label},{i}')
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _write_tagged(path: Path, size: int) -> None:
    blocks = [
        "\n".join(f"{word}\t{tag}" for word, tag in (*sentence, (str(i), "O")))
        for i in range(size)
        for sentence in TAGGED
    ]
    path.write_text("\n\n".join(blocks) + "\n", encoding="utf-8")


def _write_rated(path: Path, size: int) -> None:
    rows = [
        {"text": f"A {word} day 😀 number {i}", "mood": mood + i % 3 / 10}
        for i in range(size)
        for word, mood in MOODS.items()
    ]
    path.write_text(
        "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8"
    )
