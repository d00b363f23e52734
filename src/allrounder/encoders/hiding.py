"""Hiding words of texts, so that a model can learn to tell them. Imports torch.

Shapes: S sequences, T tokens, V vocabulary.
"""

from functools import lru_cache
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from allrounder.encoders.text import read_tokenizer
from allrounder.errors import ProjectError

MASKS = ("[MASK]", "<mask>")
SPACES = ("▁", "Ġ")
"""What tokens begin with that follow a space, in vocabularies that mark those."""


class Hides(Protocol):
    """How many words are drawn, and whether all tokens of a word together."""

    mask_share: float
    whole_words: bool


class Words:
    """What is to be known of a vocabulary to hide its words.

    Args:
        inside: by token, whether it goes on with the word of the token before it: [V].
        special: by token, whether it is never hidden: [V].
        mask: the token that stands for a hidden one.
    """

    def __init__(self, inside: Tensor, special: Tensor, mask: int) -> None:
        self.inside, self.special, self.mask = inside, special, mask
        self.ordinary = torch.nonzero(~special)[:, 0]

    def hidden(
        self, ids: Tensor, there: Tensor, settings: Hides, chance: torch.Generator
    ) -> tuple[Tensor, Tensor]:
        """Draw words and hide them.

        Args:
            ids: tokens, [S, T].
            there: which of them are no padding, [S, T].
            settings: how many words are drawn, and whether whole ones.
            chance: the generator that draws.

        Returns:
            The tokens as they are read, and which of them are to be told: [S, T] each. Of every
            sequence with a word one at least is drawn.
        """
        free = there.bool() & ~self.special[ids]
        drawn = torch.rand(ids.shape, generator=chance)
        if settings.whole_words:
            begins = ~(self.inside[ids] & free & free.roll(1, 1))
            word = begins.long().cumsum(1) - 1
            drawn = drawn.gather(1, word.clamp(min=0))
        drawn = drawn.masked_fill(~free, 2.0)
        least = drawn.min(1, keepdim=True).values
        places = free & ((drawn < settings.mask_share) | (drawn == least))
        how = torch.rand(ids.shape, generator=chance)
        other = self.ordinary[torch.randint(len(self.ordinary), ids.shape, generator=chance)]
        read = torch.where(places & (how < 0.8), self.mask, ids)
        return torch.where(places & (how >= 0.9), other, read), places


@lru_cache(maxsize=4)
def vocabulary(folder: str) -> Words:
    """Return what the tokenizer in a model's folder says of its tokens.

    Raises:
        ProjectError: it has no token that stands for a hidden word.
    """
    tokenizer = read_tokenizer(folder)
    numbers = tokenizer.get_vocab(with_added_tokens=True)
    special = {token.content for token in tokenizer.get_added_tokens_decoder().values()}
    mask = next((numbers[name] for name in MASKS if name in numbers), None)
    if mask is None:
        raise ProjectError(
            f"{folder}: the tokenizer has no token for hidden words ([MASK] or <mask>). Choose "
            "`pretraining.kind: contrastive`, or a model that has one."
        )
    size = max(numbers.values()) + 1
    inside, never = np.zeros(size, bool), np.ones(size, bool)
    spaced = sum(token.startswith(SPACES) for token in numbers) > len(numbers) / 20
    for token, number in numbers.items():
        never[number] = token in special or token in MASKS or _is_bracketed(token)
        inside[number] = _goes_on(token, spaced)
    return Words(torch.from_numpy(inside), torch.from_numpy(never), mask)


def _is_bracketed(token: str) -> bool:
    return token.startswith("[") and token.endswith("]") and token[1:-1].isupper()


def _goes_on(token: str, spaced: bool) -> bool:
    """Return whether a token goes on with the word before it; a Han character never does."""
    if token.startswith("##"):
        return True
    if not spaced or token.startswith(SPACES):
        return False
    return token[:1].isalnum() and not "\u2e80" <= token[0] <= "\u9fff"
