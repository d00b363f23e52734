"""How far texts are from the vocabulary of an encoder."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from tokenizers import Encoding, Tokenizer

WORD = re.compile(
    "[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]"
    r"|(?:(?![\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff])\w)+|[^\w\s]"
)
"""A word, a sign, or one kana or Han character."""

LONG = 4
"""Pieces from which a word counts as split long."""


@dataclass(frozen=True, kw_only=True)
class Vocabulary:
    """How a tokenizer takes a sample of texts.

    Args:
        num_texts: how many texts were looked at.
        pieces: tokens that a word falls into, on average.
        unknown: share of tokens that the vocabulary does not have.
        long_split: share of words that fall into four tokens or more.
        cut: share of texts that are longer than the encoder reads at once.
        longest: the longest text, in tokens.
        reach: tokens that the encoder reads at once.
        strange: the commonest words that fall into four tokens or more.
    """

    num_texts: int
    pieces: float
    unknown: float
    long_split: float
    cut: float
    longest: int
    reach: int
    strange: list[str]


def vocabulary(tokenizer: Tokenizer, texts: Sequence[str], *, reach: int) -> Vocabulary:
    """Return how `tokenizer` takes `texts`."""
    words, tokens, unknown, strange = 0, 0, 0, Counter()
    lengths = []
    mark = _unknown(tokenizer)
    for text, row in zip(texts, tokenizer.encode_batch(list(texts)), strict=True):
        sizes = _sizes(text, row)
        words += len(sizes)
        tokens += sum(sizes.values())
        unknown += row.ids.count(mark) if mark is not None else 0
        lengths.append(len(row))
        strange.update(text[slice(*word)] for word, size in sizes.items() if size >= LONG)
    return Vocabulary(
        num_texts=len(lengths),
        pieces=round(tokens / max(words, 1), 3),
        unknown=round(unknown / max(tokens, 1), 5),
        long_split=round(sum(strange.values()) / max(words, 1), 5),
        cut=round(float(np.mean([n > reach for n in lengths] or [0])), 5),
        longest=max(lengths, default=0),
        reach=reach,
        strange=[word for word, _ in strange.most_common(8)],
    )


def _sizes(text: str, row: Encoding) -> Counter[tuple[int, int]]:
    """Return how many tokens begin in each word, a word as its start and end.

    Words are those of the text: what tokenizers call a word is a whole line for Gemma's.
    """
    found: Counter[tuple[int, int]] = Counter()
    words = [word.span() for word in WORD.finditer(text)]
    at = 0
    for (start, end), word in zip(row.offsets, row.word_ids, strict=True):
        while start < end and text[start].isspace():
            start += 1
        if word is None or start == end:
            continue  # a token that the model adds, or a space
        while at < len(words) - 1 and words[at][1] <= start:
            at += 1
        found[words[at]] += 1
    return found


def _unknown(tokenizer: Tokenizer) -> int | None:
    for name in ("[UNK]", "<unk>", "<UNK>"):
        found = tokenizer.token_to_id(name)
        if found is not None:
            return found
    return None
