"""The tokens that a light decoder writes with: pieces of bytes, learned from the labels."""

import json
from collections.abc import Iterable, Sequence
from functools import lru_cache

import numpy as np
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

from allrounder.spelling import Spelling, spelled

BEGIN, END = "<s>", "</s>"
SPECIAL = (BEGIN, END)
LEAST = len(SPECIAL) + 256


def learned(texts: Iterable[str], vocabulary: int) -> list[str]:
    """Return the merges of byte-pair encoding (Sennrich et al. 2016), first ones first.

    Args:
        texts: what they are learned from.
        vocabulary: how many tokens there may be, special ones and the 256 bytes included.
    """
    tokenizer = _tokenizer(models.BPE())
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=list(SPECIAL),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    numbers = tokenizer.get_vocab()
    known = sorted(numbers, key=lambda token: numbers[token])[LEAST:]
    return _merges(tokenizer, known)


def _merges(tokenizer: Tokenizer, known: Sequence[str]) -> list[str]:
    """Return of each token that was learned the two that it was made of."""
    merges = json.loads(tokenizer.to_str())["model"]["merges"]
    pairs = [pair if isinstance(pair, str) else " ".join(pair) for pair in merges]
    return pairs[: len(known)]


def _tokenizer(model: models.BPE) -> Tokenizer:
    tokenizer = Tokenizer(model)
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer


@lru_cache(maxsize=8)
def _made(merges: tuple[str, ...]) -> Tokenizer:
    pairs = [tuple(pair.split(" ")) for pair in merges]
    names = [*SPECIAL, *sorted(pre_tokenizers.ByteLevel.alphabet()), *("".join(p) for p in pairs)]
    numbers = {name: at for at, name in enumerate(dict.fromkeys(names))}
    tokenizer = _tokenizer(models.BPE(numbers, pairs))
    tokenizer.add_special_tokens(list(SPECIAL))
    return tokenizer


def size(merges: Sequence[str]) -> int:
    """Return how many tokens there are."""
    return _made(tuple(merges)).get_vocab_size()


def ends(merges: Sequence[str]) -> tuple[int, int]:
    """Return the tokens that begin and end a text."""
    tokenizer = _made(tuple(merges))
    return tokenizer.token_to_id(BEGIN), tokenizer.token_to_id(END)


def spelling(merges: Sequence[str]) -> Spelling:
    """Return what each token writes."""
    return spelled(_made(tuple(merges)), "a light decoder")


def tokens(texts: Sequence[str], merges: Sequence[str]) -> list[np.ndarray]:
    """Return the tokens of texts."""
    return [np.array(row.ids, np.int64) for row in _made(tuple(merges)).encode_batch(list(texts))]


def said(row: Sequence[int], merges: Sequence[str]) -> str:
    """Return the text that some tokens stand for, without special ones."""
    return _made(tuple(merges)).decode(list(row), skip_special_tokens=True).strip()
