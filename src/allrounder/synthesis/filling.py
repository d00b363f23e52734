"""The torch side of telling hidden words anew."""

from collections.abc import Sequence

import numpy as np
import torch
from tokenizers import Tokenizer
from torch import Tensor

from allrounder.encoders import Text
from allrounder.encoders.modules import best_device
from allrounder.encoders.text import padding, read_tokenizer
from allrounder.errors import ProjectError
from allrounder.pretraining import Masked
from allrounder.pretraining.masking import Masking
from allrounder.synthesis.edits import Edit, Word, edited, stands_alone, words_of
from allrounder.training.job import kept_chance

SPARE = 8
"""Words that are looked at beyond `top`, in case some are the one that was hidden."""


class Filler:
    """A masked language model that tells hidden words.

    Args:
        encoder: the model, found on disk.
        top: how many of the likeliest words are drawn from.

    Raises:
        ProjectError: the model has no trained head for hidden words.
    """

    def __init__(self, encoder: Text, top: int) -> None:
        with kept_chance():
            masking = Masking(Masked(), encoder)
        if masking.fresh:
            raise ProjectError(
                f"`synthesis.model`: {encoder.model} has no trained head for hidden words. Name a "
                "model that has, such as bert-base-uncased, or train one: allrounder pretrain"
            )
        self.device = best_device()
        self.masking, self.top = masking.to(self.device).eval(), top
        self.tokenizer = _own_tokenizer(encoder)
        self.hidden = masking.words.mask
        self.mask = self.tokenizer.id_to_token(self.hidden)
        self.tokenizer.add_special_tokens([self.mask])
        self.words = self._words()
        alone = [word is not None and stands_alone(word, Word(0, len(word))) for word in self.words]
        there = torch.tensor([word is not None for word in self.words])
        self.usable = {True: there & torch.tensor(alone), False: there & ~torch.tensor(alone)}

    def _words(self) -> list[str | None]:
        """Return by token the word that it is, None where it is part of one, or no word."""
        inside, special = self.masking.words.inside, self.masking.words.special
        found: list[str | None] = []
        for number in range(len(inside)):
            word = None if inside[number] or special[number] else self.tokenizer.decode([number])
            word = (word or "").strip()
            whole = word.isalpha() and words_of(word) == [Word(0, len(word))]
            found.append(word if whole else None)
        return found

    def told(
        self,
        texts: Sequence[tuple[str, Sequence[Word]]],
        chances: Sequence[np.random.Generator],
    ) -> list[list[str]]:
        """Return for each text what its words are told as, as far as the model reads.

        Args:
            texts: each with the words that are told.
            chances: the generator of each.
        """
        masked = [edited(text, [Edit(*one, self.mask) for one in some], []) for text, some in texts]
        rows = self.tokenizer.encode_batch([one[0] for one in masked if one])
        ids = torch.tensor([row.ids for row in rows], device=self.device)
        there = torch.tensor([row.attention_mask for row in rows], device=self.device)
        places = ids == self.hidden
        with torch.no_grad():
            scores = self.masking.told(ids, there, places).cpu()
        each = scores.split(places.sum(1).tolist())
        return [
            [self._drawn(row, text[slice(*word)], chance) for row, word in zip(mine, some)]  # noqa: B905
            for mine, (text, some), chance in zip(each, texts, chances, strict=True)
        ]

    def _drawn(self, scores: Tensor, old: str, chance: np.random.Generator) -> str:
        """Draw a word from the likeliest but for the old one, by how likely they are."""
        usable = self.usable[stands_alone(old, Word(0, len(old)))]
        scores = scores[: len(usable)].masked_fill(~usable[: len(scores)], -torch.inf)
        found = scores.topk(min(self.top + SPARE, int(usable.sum()))).indices.tolist()
        words = {at: self.words[at] or "" for at in found}
        kept = [at for at in found if words[at].casefold() != old.casefold()][: self.top]
        if not kept:
            return old
        odds = scores[kept].double().softmax(0).cumsum(0).numpy()
        return _cased(words[kept[int(np.searchsorted(odds[:-1], chance.random()))]], old)


def _own_tokenizer(encoder: Text) -> Tokenizer:
    """Return a copy of the tokenizer that pads a batch and cuts what is too long."""
    tokenizer = Tokenizer.from_str(read_tokenizer(encoder.model).to_str())
    tokenizer.enable_truncation(encoder.reach)
    tokenizer.enable_padding(pad_id=padding(encoder.model))
    return tokenizer


def _cased(word: str, like: str) -> str:
    """Return a word with capitals where the other has them."""
    if like.isupper() and len(like) > 1:
        return word.upper()
    return word[:1].upper() + word[1:] if like[:1].isupper() else word
