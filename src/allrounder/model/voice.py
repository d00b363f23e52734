"""What a task that writes goes on with, and what it is given to go on from."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from allrounder.encoders import Encoder
from allrounder.encoders.modules import Features
from allrounder.memory import Memory
from allrounder.spelling import Spelling


@dataclass(frozen=True)
class Voice:
    """What a task that writes goes on with.

    Args:
        widths: of the states of each input that it reads.
        writer: the model that goes on with what it read, where the task has no decoder of its own.
        encoder: the input of that model, which knows its tokens.
    """

    widths: Mapping[str, int]
    writer: Any = None
    encoder: Encoder | None = None

    def words(self, texts: Sequence[str]) -> list[np.ndarray]:
        """Return the tokens of texts that are written."""
        assert self.encoder is not None, "a decoder of its own has its own tokens"
        return self.encoder.words(texts)

    def said(self, tokens: Sequence[int]) -> str:
        """Return the text that some tokens stand for."""
        assert self.encoder is not None, "a decoder of its own has its own tokens"
        return self.encoder.said(tokens)

    def spelling(self) -> Spelling:
        """Return what each token writes."""
        assert self.encoder is not None, "a decoder of its own has its own tokens"
        return self.encoder.spelling()


def spread(
    features: Features, present: Tensor, num_records: int, precision: torch.dtype | None
) -> Memory:
    """Return the states of an input for all records of a batch; nothing is there of the others.

    Args:
        features: of the records that have the input.
        present: their places in the batch, rising.
        num_records: of the batch.
        precision: of matrix products.
    """
    states, mask = features.tokens, features.mask
    assert states is not None and mask is not None, "all states of the tokens are read"
    whole = states.new_zeros(num_records, *states.shape[1:]).index_copy(0, present, states)
    there = mask.new_zeros(num_records, mask.shape[1]).index_copy(0, present, mask)
    return Memory(whole, there, precision=precision)
