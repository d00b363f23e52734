"""The torch side of unsupervised SimCSE."""

from dataclasses import replace

import torch
from torch import Tensor
from torch.nn import functional

from allrounder.encoders import Text
from allrounder.encoders.batches import Sequences
from allrounder.encoders.transformer import Transformer
from allrounder.pretraining.contrastive import Contrastive
from allrounder.pretraining.objective import Objective


class Contrasting(Objective):
    """A network whose vectors of one text lie nearer to one another than to those of others."""

    def __init__(self, settings: Contrastive, encoder: Text) -> None:
        super().__init__()
        self.temperature = settings.temperature
        self.encoding = Transformer(replace(encoder, tune="full", dropout=settings.dropout))
        self.network = self.encoding.network

    def loss(self, batch: Sequences, chance: torch.Generator) -> tuple[Tensor, int]:
        """Return the cross entropy of finding each text's other view among those of the batch.

        Dropout is on in evaluation too: without it the loss would be of another question.
        """
        was = self.encoding.training
        self.encoding.train()
        one, other = self._views(batch), self._views(batch)
        self.encoding.train(was)
        cosines = one @ other.T / self.temperature
        truths = torch.arange(len(one), device=cosines.device)
        return functional.cross_entropy(cosines, truths, reduction="sum"), len(one)

    def _views(self, batch: Sequences) -> Tensor:
        states = self.encoding.top(self.encoding.stem(batch), batch)
        return functional.normalize(self.encoding.pool(states, batch).float(), dim=1)
