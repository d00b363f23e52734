"""Heads that are more than a linear layer. Imports torch: kinds reach it lazily."""

import torch
from torch import Tensor, nn


class Thresholds(nn.Module):
    """One score and L - 1 thresholds on it (CORAL; Cao et al. 2020): [n, D] → [n, L - 1]."""

    def __init__(self, width: int, num_labels: int) -> None:
        super().__init__()
        self.score = nn.Linear(width, 1, bias=False)
        self.thresholds = nn.Parameter(torch.linspace(1.0, -1.0, num_labels - 1))

    def forward(self, features: Tensor) -> Tensor:
        """Return the logit of being above each threshold."""
        return self.score(features) + self.thresholds
