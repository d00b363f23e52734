"""A model from nothing: its tokenizer learned from the texts, its weights drawn."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import pyarrow as pa
from tokenizers import (
    Tokenizer,
    decoders,
    models,
    normalizers,
    pre_tokenizers,
    processors,
    trainers,
)

from allrounder.errors import ProjectError
from allrounder.kinds import CLOSED
from allrounder.lazy import lazy

if TYPE_CHECKING:
    import torch
    import transformers

    from allrounder.encoders import pretrained
else:
    torch, transformers = lazy("torch"), lazy("transformers")
    pretrained = lazy("allrounder.encoders.pretrained")

BEGIN, END, PAD, UNKNOWN = "<s>", "</s>", "<pad>", "<unk>"
HIDDEN, CLASS, SEPARATOR = "[MASK]", "[CLS]", "[SEP]"
TEMPLATES = {
    "decoder": (f"{BEGIN} $A", f"{BEGIN} $A $B:1"),
    "encoder": (f"{CLASS} $A {SEPARATOR}", f"{CLASS} $A {SEPARATOR} $B:1 {SEPARATOR}:1"),
}
"""By what is made, how special tokens stand around a text and around a pair."""


@dataclass(kw_only=True)
class Scratch:
    """The shape of a model that is made from nothing.

    Args:
        tokens: `bpe` learns pieces of bytes, so that any text can be written; `characters` makes
            every character a token, which suits Chinese verse and other small worlds.
        vocabulary: how many tokens there are at most, special ones included.
        layers: of the transformer.
        width: of its states.
        heads: of its attention.
        positions: the longest text that it can read.
    """

    __pydantic_config__ = CLOSED

    tokens: Literal["bpe", "characters"] = "bpe"
    vocabulary: int = 8000
    layers: int = 4
    width: int = 256
    heads: int = 4
    positions: int = 512

    def __post_init__(self) -> None:
        for name in ("layers", "width", "heads", "positions"):
            if getattr(self, name) < 1:
                raise ValueError(f"has `{name}: {getattr(self, name)}`. Expected 1 or more.")
        if self.width % (2 * self.heads):
            raise ValueError(
                f"has `width: {self.width}` and `heads: {self.heads}`. Expected a width that is a "
                f"multiple of twice the heads, such as {2 * self.heads * 16}."
            )
        least = self.least
        if self.vocabulary < least:
            raise ValueError(
                f"has `vocabulary: {self.vocabulary}`, too few for special tokens"
                f"{' and the 256 bytes' if self.tokens == 'bpe' else ''}. Expected {least} or more."
            )

    @property
    def least(self) -> int:
        """The smallest vocabulary that can tell anything."""
        return 4 + (256 if self.tokens == "bpe" else 1)

    def make(self, texts: Iterator[str], folder: Path, *, writes: bool, seed: int) -> None:
        """Write a Hugging Face folder with a tokenizer learned from texts and random weights.

        Args:
            texts: what the tokenizer is learned from; read once.
            folder: where it is written.
            writes: a decoder (Llama's architecture), or else an encoder (BERT's).
            seed: of the weights.
        """
        special = [PAD, BEGIN, END, UNKNOWN] if writes else [PAD, CLASS, SEPARATOR, UNKNOWN, HIDDEN]
        tokenizer = self._tokenizer(texts, special)
        if tokenizer.get_vocab_size() <= len(special):
            raise ProjectError(
                "No token could be learned from the texts: they hold no character. Add sources."
            )
        numbers = {name: tokenizer.token_to_id(name) for name in special}
        single, pair = TEMPLATES["decoder" if writes else "encoder"]
        around = [(name, numbers[name]) for name in special if name in single.split()]
        tokenizer.post_processor = processors.TemplateProcessing(
            single=single, pair=pair, special_tokens=around
        )
        folder.mkdir(parents=True, exist_ok=True)
        tokenizer.save(str(folder / "tokenizer.json"))
        self._weights(tokenizer.get_vocab_size(), numbers, folder, writes=writes, seed=seed)

    def _tokenizer(self, texts: Iterator[str], special: list[str]) -> Tokenizer:
        if self.tokens == "characters":
            return _characters(texts, special, self.vocabulary)
        tokenizer = Tokenizer(models.BPE(unk_token=None))
        tokenizer.normalizer = normalizers.NFC()
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        tokenizer.decoder = decoders.ByteLevel()
        trainer = trainers.BpeTrainer(
            vocab_size=self.vocabulary,
            special_tokens=special,
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        )
        tokenizer.train_from_iterator(texts, trainer)
        return tokenizer

    def _weights(
        self, size: int, numbers: dict[str, int], folder: Path, *, writes: bool, seed: int
    ) -> None:
        shape: dict[str, Any] = {
            "vocab_size": size,
            "hidden_size": self.width,
            "num_hidden_layers": self.layers,
            "num_attention_heads": self.heads,
            "intermediate_size": 4 * self.width if not writes else 8 * self.width // 3,
            "max_position_embeddings": self.positions,
            "pad_token_id": numbers[PAD],
            "tie_word_embeddings": True,
        }
        state = torch.get_rng_state()
        torch.manual_seed(seed)
        try:
            with pretrained.quiet():
                if writes:
                    ends = {"bos_token_id": numbers[BEGIN], "eos_token_id": numbers[END]}
                    config = transformers.LlamaConfig(**shape, **ends)
                    network = transformers.LlamaForCausalLM(config)
                else:
                    network = transformers.BertForMaskedLM(transformers.BertConfig(**shape))
                network.save_pretrained(folder)
        finally:
            torch.set_rng_state(state)


def _characters(texts: Iterator[str], special: list[str], size: int) -> Tokenizer:
    """Return a tokenizer of the most frequent characters; all others are unknown."""
    counts: dict[str, int] = {}
    for text in texts:
        for character in text:
            counts[character] = counts.get(character, 0) + 1
    ranked = sorted(counts, key=lambda character: (-counts[character], character))
    kept = [*special, *[c for c in ranked if c not in special][: size - len(special)]]
    tokenizer = Tokenizer(
        models.WordLevel({name: at for at, name in enumerate(kept)}, unk_token=UNKNOWN)
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Split("", "isolated")
    tokenizer.decoder = decoders.Fuse()
    tokenizer.add_special_tokens(special)
    return tokenizer


def texts_of(values: list[pa.ChunkedArray], rows: Any) -> Iterator[str]:
    """Yield the texts of some rows, in parts, so that no more than a part is in memory."""
    for start in range(0, len(rows), 10_000):
        part = pa.array(rows[start : start + 10_000])
        for column in values:
            yield from (text for text in column.take(part).to_pylist() if text)
