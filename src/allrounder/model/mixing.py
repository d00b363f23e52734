"""Records mixed where heads read them: mixup (Zhang et al. 2018) on features (Verma et al. 2019).

Of two records i and j of a batch that both carry a task's label, the head reads
x̃ = λ xᵢ + (1 - λ) xⱼ with λ ~ Beta(α, α), and its loss is λ L(x̃, yᵢ) + (1 - λ) L(x̃, yⱼ). For cross
entropy that is the loss of the mixed label; for squared distances it differs from it by what has no
gradient.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from allrounder.tasks import Task


@dataclass(frozen=True)
class Mixed:
    """How the records of one task are mixed.

    Args:
        partner: the place of the other record of each: [n].
        share: how much of each is its own: [n].
    """

    partner: Tensor
    share: Tensor

    @classmethod
    def drawn(cls, size: int, alpha: float, chance: np.random.Generator) -> "Mixed":
        """Draw a partner and a share for each of `size` records."""
        partner, share = chance.permutation(size), chance.beta(alpha, alpha, size)
        return cls(torch.from_numpy(partner), torch.from_numpy(share.astype(np.float32)))

    def features(self, found: Tensor) -> Tensor:
        """Return the mixed features: [n, D]."""
        share = self.share[:, None].to(found)
        return share * found + (1 - share) * found[self.partner.to(found.device)]

    def loss(
        self, loss: Callable[[Tensor, Tensor], Tensor], scores: Tensor, targets: Tensor
    ) -> Tensor:
        """Return the loss of both labels, by share: [n]."""
        share = self.share.to(scores)
        own, other = targets, targets[self.partner.to(targets.device)]
        return share * loss(scores, own) + (1 - share) * loss(scores, other)


def mixes(
    tasks: Mapping[str, Task],
    sizes: Mapping[str, int],
    alpha: float,
    chance: np.random.Generator,
) -> dict[str, Mixed]:
    """Draw how the records of a batch are mixed, for every task that reads one vector a record.

    Args:
        tasks: the tasks.
        sizes: by task, how many records of the batch it learns from by a label.
        alpha: of the Beta distribution.
        chance: draws.
    """
    return {
        name: Mixed.drawn(size, alpha, chance)
        for name, size in sizes.items()
        if tasks[name].reads == "record" and size > 1
    }
