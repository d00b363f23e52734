"""The torch side of fusion. Fusion kinds reach it lazily."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn


class Concatenated(nn.Module):
    """Vectors end to end, with a learned vector where an input is missing."""

    def __init__(self, widths: Mapping[str, int]) -> None:
        super().__init__()
        self.absent = nn.ParameterDict(
            {name: nn.Parameter(torch.zeros(width)) for name, width in widths.items()}
        )

    def forward(self, inputs: Mapping[str, tuple[Tensor, Tensor]], num_records: int) -> Tensor:
        """Return one vector a record: [n, sum of widths]."""
        parts = []
        for name, absent in self.absent.items():
            whole = absent.expand(num_records, -1)
            if name in inputs:
                present, vectors = inputs[name]
                whole = whole.index_copy(0, present, vectors.to(absent.dtype))
            parts.append(whole)
        return torch.cat(parts, -1)
