"""The torch side of masked language modelling."""

from functools import lru_cache
from typing import Any, ClassVar

import numpy as np
import torch
import transformers
from torch import Tensor
from torch.nn import functional

from allrounder.encoders import Text
from allrounder.encoders.batches import Sequences
from allrounder.encoders.pretrained import quiet
from allrounder.encoders.text import read_tokenizer
from allrounder.errors import ProjectError
from allrounder.memory import Chosen
from allrounder.pretraining.masked import Masked
from allrounder.pretraining.objective import Objective

MASKS = ("[MASK]", "<mask>")
SPACES = ("▁", "Ġ")
"""What tokens begin with that follow a space, in vocabularies that mark those."""


class Masking(Objective):
    """A network that says which words were hidden."""

    is_likelihood: ClassVar[bool] = True

    def __init__(self, settings: Masked, encoder: Text) -> None:
        super().__init__()
        self.settings = settings
        self.network, fresh = _loaded(encoder)
        owned = dict(self.named_parameters())  # what is tied has one name of several
        self.fresh = frozenset(owned.keys() & {f"network.{name}" for name in fresh})
        self.words = vocabulary(encoder.model)
        self.chosen = Chosen(self.network)

    def loss(self, batch: Sequences, chance: torch.Generator) -> tuple[Tensor, int]:
        """Return the cross entropy of the words that were drawn."""
        ids, places = self.words.hidden(batch.ids.cpu(), batch.mask.cpu(), self.settings, chance)
        places = places.to(batch.ids.device)
        types = batch.types if (self.network.config.type_vocab_size or 0) > 1 else None
        logits = self.told(ids.to(batch.ids.device), batch.mask, places, types)
        truths = batch.ids[places]
        return functional.cross_entropy(logits, truths, reduction="sum"), len(truths)

    def told(
        self, ids: Tensor, there: Tensor, places: Tensor, types: Tensor | None = None
    ) -> Tensor:
        """Return the scores of every token of the vocabulary at some places: [P, V].

        Args:
            ids: tokens as they are read, [S, T].
            there: which of them are no padding, [S, T].
            places: which of them are to be told, [S, T].
            types: of which text of a pair each token is, [S, T], where the model knows such.
        """
        self.chosen.places = places
        more = {} if types is None else {"token_type_ids": types}
        return self.network(input_ids=ids, attention_mask=there.long(), **more).logits.float()


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
        self, ids: Tensor, there: Tensor, settings: Masked, chance: torch.Generator
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
    """Return what the tokenizer in a model's folder says of its tokens."""
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


def _loaded(encoder: Text) -> tuple[Any, list[str]]:
    """Return the network with a head for hidden words, and the names of what is new in it."""
    attention = "sdpa" if torch.cuda.is_available() else "eager"
    try:
        with quiet():
            network, found = transformers.AutoModelForMaskedLM.from_pretrained(
                encoder.folder,
                dtype=torch.float32,
                use_safetensors=True,
                attn_implementation=attention,
                output_loading_info=True,
            )
    except ValueError as error:
        if "Unrecognized configuration class" not in str(error):
            raise
        raise ProjectError(
            f"{encoder.model} is of a kind that cannot tell hidden words. Choose "
            "`pretraining.kind: contrastive`, or a model such as BERT, RoBERTa or XLM-RoBERTa."
        ) from None
    return network, [name for name in found["missing_keys"] if "pooler" not in name]
