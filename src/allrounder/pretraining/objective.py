"""What is learned in pretraining: a network, and the loss of a batch of texts."""

from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from allrounder.encoders.batches import Sequences
from allrounder.encoders.pretrained import quiet


class Objective(nn.Module, ABC):
    """A network and its loss."""

    network: Any
    """The Hugging Face model that is kept."""
    is_likelihood: ClassVar[bool] = False
    """Whether e to the loss is a perplexity over the vocabulary."""
    fresh: frozenset[str] = frozenset()
    """The names of weights that no one has trained."""

    @abstractmethod
    def loss(self, batch: Sequences, chance: torch.Generator) -> tuple[Tensor, int]:
        """Return the sum of the losses of a batch, and over how many it was taken.

        Args:
            batch: texts, with windows where they are long.
            chance: draws what is random besides dropout; it lies on the CPU.
        """

    def keep(self, folder: Path) -> None:
        """Write the network as a Hugging Face folder, without its tokenizer."""
        with quiet():
            self.network.save_pretrained(folder)
