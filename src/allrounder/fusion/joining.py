"""The torch side of fusion: what all kinds share, and those without layers of their own.

Fusion kinds reach it lazily. Shapes: n records of a batch, k of them with an input, T tokens,
D width of an input, W width of the joint vector, R rank.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor, nn


class Part(NamedTuple):
    """What is known of one input of a batch.

    `present` [k] holds the places of the records that have it, sorted; `vectors` [k, D]; where
    they are at hand `tokens` [k, T, D], of which `mask` [k, T] says which are there.
    """

    present: Tensor
    vectors: Tensor
    tokens: Tensor | None = None
    mask: Tensor | None = None

    def only(self, kept: Tensor) -> "Part":
        """Return the part without the records where `kept` [k] is false."""
        return Part(*(None if one is None else one[kept] for one in self))


class Joined(NamedTuple):
    """What a fusion makes of a batch.

    `vector` [n, W] is the joint vector. `tokens` holds for each input what its tokens know once
    they have heard of the other inputs, [k, T, W], with the places [k] of their records; it is
    empty for kinds that do not read tokens, and lacks inputs that came without.
    """

    vector: Tensor
    tokens: Mapping[str, tuple[Tensor, Tensor]] = {}


class Joining(nn.Module, ABC):
    """The module of a fusion: takes what is known of each input, gives what they are together.

    An input that a record lacks is a learned vector, zero at first, the same in training and
    after. Modality dropout (Neverova et al. 2016, ModDrop) takes inputs for missing in training.

    Args:
        widths: the width of each input.
        hidden: how often an input is taken for missing.
        absent: the width of the learned vectors, if it is not that of their inputs.
    """

    def __init__(
        self, widths: Mapping[str, int], hidden: float, *, absent: int | None = None
    ) -> None:
        super().__init__()
        self.hidden = hidden
        self.absent = nn.ParameterDict(
            {name: nn.Parameter(torch.zeros(absent or width)) for name, width in widths.items()}
        )

    def forward(self, inputs: Mapping[str, Part], num_records: int) -> Joined:
        """Join the inputs of a batch; those that no record has are left out."""
        if self.training and self.hidden and len(self.absent) > 1:
            inputs = self._thinned(inputs, num_records)
        return self.join(inputs, num_records)

    @abstractmethod
    def join(self, inputs: Mapping[str, Part], num_records: int) -> Joined:
        """Join the inputs of a batch, none of them hidden any more."""

    def there(self, inputs: Mapping[str, Part], num_records: int) -> Tensor:
        """Return which records have which input: [n, inputs]."""
        device = next(iter(self.absent.values())).device
        found = torch.zeros(num_records, len(self.absent), dtype=torch.bool, device=device)
        for column, name in enumerate(self.absent):
            if name in inputs:
                found[inputs[name].present, column] = True
        return found

    def _thinned(self, inputs: Mapping[str, Part], num_records: int) -> dict[str, Part]:
        """Hide inputs at random; of each record the one that drew highest stays in any case."""
        there = self.there(inputs, num_records)
        drawn = torch.rand(there.shape, device=there.device).masked_fill(~there, -1.0)
        highest = drawn == drawn.amax(-1, keepdim=True)
        kept = there & ((drawn >= self.hidden) | highest)
        columns = {name: kept[:, column] for column, name in enumerate(self.absent)}
        return {name: part.only(columns[name][part.present]) for name, part in inputs.items()}

    def filled(self, inputs: Mapping[str, Part], num_records: int) -> dict[str, Tensor]:
        """Return the vectors of every input for every record, learned where missing: [n, D]."""
        found = {}
        for name, absent in self.absent.items():
            found[name] = absent.expand(num_records, -1)
            if name in inputs:
                part = inputs[name]
                vectors = part.vectors.to(absent.dtype)
                found[name] = found[name].index_copy(0, part.present, vectors)
        return found


class Concatenated(Joining):
    """Vectors end to end, in the order of the inputs' names: W is the sum of the widths."""

    def join(self, inputs: Mapping[str, Part], num_records: int) -> Joined:
        """Put the vectors end to end."""
        found = self.filled(inputs, num_records)
        return Joined(torch.cat([found[name] for name in sorted(found)], -1))


class GatedUnits(Joining):
    """Gated multimodal units: h = Σ_i z_i ⊙ h_i.

    Args:
        widths: the width of each input.
        width: W.
        hidden: how often an input is taken for missing.
    """

    def __init__(self, widths: Mapping[str, int], width: int, hidden: float) -> None:
        super().__init__(widths, hidden)
        self.values = nn.ModuleDict(
            {name: nn.Linear(size, width, bias=False) for name, size in widths.items()}
        )
        self.gates = nn.ModuleDict(
            {
                name: nn.ModuleDict(
                    {other: nn.Linear(size, width, bias=False) for other, size in widths.items()}
                )
                for name in widths
            }
        )

    def join(self, inputs: Mapping[str, Part], num_records: int) -> Joined:
        """Let every input say how much of itself and of the others counts."""
        x = self.filled(inputs, num_records)
        total = torch.zeros((), device=next(iter(x.values())).device)
        for name, value in self.values.items():
            gate = torch.stack([part(x[other]) for other, part in self.gates[name].items()])
            total = total + gate.sum(0).sigmoid() * value(x[name]).tanh()
        return Joined(total)


class LowRank(Joining):
    """Low-rank multimodal fusion: h = Σ_r Π_i F_i,r [x_i; 1].

    The weights of the ones start at 1, so that at first an input that says nothing changes
    nothing; the others start small enough for the product of all inputs to stay near 1.

    Args:
        widths: the width of each input.
        width: W.
        rank: R.
        hidden: how often an input is taken for missing.
    """

    def __init__(self, widths: Mapping[str, int], width: int, rank: int, hidden: float) -> None:
        super().__init__(widths, hidden)
        self.factors = nn.ParameterDict(
            {
                name: nn.Parameter(torch.randn(rank, size, width) * (size * len(widths)) ** -0.5)
                for name, size in widths.items()
            }
        )
        self.ones = nn.ParameterDict(
            {name: nn.Parameter(torch.ones(rank * width)) for name in widths}
        )  # vectors: weight decay must not pull them to 0

    def join(self, inputs: Mapping[str, Part], num_records: int) -> Joined:
        """Multiply what the factors make of each input, then add up the ranks."""
        x = self.filled(inputs, num_records)
        product = torch.ones((), device=next(iter(x.values())).device)
        for name, factor in self.factors.items():
            one = self.ones[name].view(len(factor), 1, -1)
            product = product * (x[name] @ factor + one)  # [R, n, W]
        return Joined(product.sum(0))
