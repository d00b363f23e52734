"""The torch side of the hashing encoder."""

from typing import TYPE_CHECKING

from torch import Tensor, nn

from allrounder.encoders.batches import Sequences
from allrounder.encoders.modules import Encoding, mean_pool

if TYPE_CHECKING:
    from allrounder.encoders.hashing import Hashing


class Convolution(Encoding):
    """Embedding, then what three neighbours add to each word."""

    def __init__(self, encoder: "Hashing") -> None:
        super().__init__()
        self.width = encoder.width
        self.table = nn.Embedding(encoder.buckets, encoder.width, padding_idx=0)
        self.neighbours = nn.Conv1d(encoder.width, encoder.width, 3, padding=1)

    def stem(self, batch: Sequences) -> Tensor:
        """Nothing is frozen: look the words up."""
        return self.table(batch.ids)

    def top(self, states: Tensor, batch: Sequences) -> Tensor:
        """Add what the neighbours say; padding says nothing."""
        return states + self.neighbours(states.mT).mT.relu() * batch.mask[..., None]

    def pool(self, states: Tensor, batch: Sequences) -> Tensor:
        """Return the mean of the words."""
        return mean_pool(states[batch.first], batch.mask[batch.first])
