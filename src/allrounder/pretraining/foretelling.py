"""The torch side of causal language modelling."""

from itertools import pairwise
from typing import Any, ClassVar

import torch
import transformers
from torch import Tensor
from torch.nn import functional

from allrounder.encoders import Text
from allrounder.encoders.batches import Sequences
from allrounder.encoders.pretrained import quiet, writing_attention
from allrounder.encoders.text import specials
from allrounder.encoders.windows import windows
from allrounder.encoders.writers import writer_of
from allrounder.errors import ProjectError
from allrounder.memory import Chosen
from allrounder.pretraining.objective import Objective


class Foretelling(Objective):
    """A network that says which token comes next."""

    is_likelihood: ClassVar[bool] = True

    def __init__(self, encoder: Text) -> None:
        super().__init__()
        self.network = _loaded(encoder)
        self.lead, tail = map(len, specials(encoder.model))
        self.room = encoder.reach - self.lead - tail
        ends = self.network.config.eos_token_id
        self.end = None if tail else ends[0] if isinstance(ends, list) else ends
        self.chosen = Chosen(self.network)

    def loss(self, batch: Sequences, chance: torch.Generator) -> tuple[Tensor, int]:
        """Return the cross entropy of every token given those before it.

        Of a text read in windows each token is told once; the end of every text is told too.
        """
        batch, told = self.ended(batch)
        self.chosen.places = told[:, 1:]
        logits = self.network(
            input_ids=batch.ids[:, :-1], attention_mask=batch.mask[:, :-1].long(), use_cache=False
        ).logits
        truths = batch.ids[:, 1:][self.chosen.places]
        return functional.cross_entropy(logits.float(), truths, reduction="sum"), len(truths)

    def ended(self, batch: Sequences) -> tuple[Sequences, Tensor]:
        """Return the sequences with an end behind each text, and which tokens are to be told.

        A model that asks for no token before a text is not asked for the first one.
        """
        told = self._once(batch)
        if self.end is None:
            return batch, told
        ids, mask, told = (functional.pad(each, (0, 1)) for each in (batch.ids, batch.mask, told))
        last = _last(batch)
        at = batch.mask[last].sum(1)
        ids[last, at], mask[last, at], told[last, at] = self.end, True, True
        used = int(mask.sum(1).max())
        parts = {"ids": ids[:, :used], "mask": mask[:, :used]}
        return Sequences(**{**vars(batch), **parts}), told[:, :used]

    def _once(self, batch: Sequences) -> Tensor:
        """Return which tokens are told: of a text in windows each one once, [S, T]."""
        told = batch.mask.bool().clone()
        told[:, : self.lead] = False
        for first, length in zip(batch.first.tolist(), batch.lengths.tolist(), strict=True):
            parts = windows(length, self.room)
            for at, (before, after) in enumerate(pairwise(parts), first):
                told[at, self.lead + self.room :] = False
                told[at + 1, : self.lead + before[1] - after[0]] = False
        return told


def _last(batch: Sequences) -> Tensor:
    """Return the sequence in which each text ends."""
    return torch.cat([batch.first[1:], batch.first.new_tensor([len(batch.ids)])]) - 1


def _loaded(encoder: Text) -> Any:
    """Return the decoder with its output layer; refuse a model that is none."""
    if writer_of(encoder.model) != "decoder":
        raise ProjectError(
            f"{encoder.model} is no decoder, so it cannot go on with a text. Choose "
            "`pretraining.kind: masked`, or a model such as GPT-2, Llama, Qwen or Gemma."
        )
    with quiet():
        return transformers.AutoModelForCausalLM.from_pretrained(
            encoder.folder,
            dtype=torch.float32,
            use_safetensors=True,
            attn_implementation=writing_attention(),
        )
