"""The torch side of spectrograms: three convolutions over time, each halving its length.

Shapes: n records, M bands, N columns, T tokens, D width.
"""

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from allrounder.encoders.augment import Sounds
from allrounder.encoders.modules import Encoding, mean_pool
from allrounder.encoders.patches import halvings
from allrounder.encoders.sounding import Windows

if TYPE_CHECKING:
    from allrounder.encoders.spectrum import Spectrum


class SpectrumFrames(Encoding):
    """The convolutions over spectrograms; in training mode sounds change as `augment` says.

    Bands are channels, so that the height of a sound is not lost. Columns beyond the end of a
    sound are set to 0 before every convolution: an answer does not depend on its batch.
    """

    def __init__(self, encoder: "Spectrum") -> None:
        super().__init__()
        self.width = encoder.width
        self.changed = Sounds(encoder.changes)
        self.network = halvings(encoder.num_mels, encoder.width, nn.Conv1d)

    def stem(self, batch: Windows) -> Tensor:
        """Nothing is frozen: return the spectrograms."""
        return self.changed(batch.values, batch.sizes) if self.training else batch.values

    def top(self, states: Tensor, batch: Windows) -> Tensor:
        """Return the tokens: [n, M, N] → [n, T, D]."""
        sizes = batch.sizes
        for layer in self.network:
            if isinstance(layer, nn.Conv1d):
                steps = torch.arange(states.shape[-1], device=states.device)
                states = layer(states * (steps < sizes[:, None])[:, None])
                sizes = (sizes + 1) // 2
            else:
                states = layer(states)
        return states.mT

    def pool(self, states: Tensor, batch: Windows) -> Tensor:
        """Return the mean of the tokens."""
        return mean_pool(states, batch.mask(states.shape[1]))

    def tokens(self, states: Tensor, batch: Windows) -> tuple[Tensor, Tensor]:
        """Return the tokens, and which are there."""
        return states, batch.mask(states.shape[1])
