"""The torch side of small encoders over grids: three convolutions, each halving the sides.

Shapes: n records, C channels, P patches, D width.
"""

from itertools import pairwise
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from allrounder.encoders.augment import Pictures
from allrounder.encoders.grids import Grids
from allrounder.encoders.modules import Encoding

if TYPE_CHECKING:
    from allrounder.encoders.pixels import Pixels


def halvings(
    channels: int, width: int, convolution: type[nn.Conv1d | nn.Conv2d] = nn.Conv2d
) -> nn.Sequential:
    """Return the convolutions: [n, C, H, W] → [n, D, H/8, W/8], or one side less.

    Every position is normalized by itself, so that an answer does not depend on its batch or on
    what stands elsewhere in the grid.
    """
    sizes = [channels, max(8, width // 4), max(8, width // 2), width]
    layers: list[nn.Module] = []
    for before, after in pairwise(sizes):
        layers += [convolution(before, after, 3, stride=2, padding=1), PerPlace(after), nn.GELU()]
    return nn.Sequential(*layers)


class PerPlace(nn.LayerNorm):
    """Layer norm over the channels of each place."""

    def forward(self, grid: Tensor) -> Tensor:
        """Normalize [n, C, …]."""
        return super().forward(grid.movedim(1, -1)).movedim(-1, 1)


class PixelPatches(Encoding):
    """The convolutions over pictures; in training mode pictures are changed as `augment` says."""

    def __init__(self, encoder: "Pixels") -> None:
        super().__init__()
        self.width = encoder.width
        steps = encoder.preprocessing
        self.changed = Pictures(encoder.changes, steps.mean, steps.std, steps.scale)
        self.network = halvings(3, encoder.width)

    def stem(self, batch: Grids) -> Tensor:
        """Nothing is frozen: return the pixels."""
        return self.changed(batch.values) if self.training else batch.values

    def top(self, states: Tensor, batch: Grids) -> Tensor:
        """Return the patches, row by row: [n, P, D]."""
        return self.network(states).flatten(2).mT

    def pool(self, states: Tensor, batch: Grids) -> Tensor:
        """Return the mean of the patches."""
        return states.mean(1)

    def tokens(self, states: Tensor, batch: Grids) -> tuple[Tensor, Tensor]:
        """Return the patches; all of them are there."""
        return states, states.new_ones(states.shape[:2], dtype=torch.bool)
