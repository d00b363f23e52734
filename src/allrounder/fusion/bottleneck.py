"""The torch side of fusion by attention. The kind reaches it lazily.

Shapes: n records of a batch, k of them with an input, T tokens, D width of an input, W width
inside, S sequence of an input: its vector, then its tokens.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from allrounder.fusion.joining import Joined, Joining, Part

if TYPE_CHECKING:
    from allrounder.fusion.attention import Attention


class Layer(nn.Module):
    """A transformer layer, norms first: y = x + MSA(LN(x)), y + MLP(LN(y))."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norms = nn.ModuleList([nn.LayerNorm(width), nn.LayerNorm(width)])
        self.asked = nn.Linear(width, 3 * width)
        self.told = nn.Linear(width, width)
        self.wider = nn.Linear(width, 4 * width)
        self.narrower = nn.Linear(4 * width, width)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """Return the states after the layer: [k, S, W], what is there [k, S] → [k, S, W]."""
        x = x + self._attended(self.norms[0](x), mask)
        return x + self.narrower(F.gelu(self.wider(self.norms[1](x))))

    def _attended(self, x: Tensor, mask: Tensor) -> Tensor:
        parts = self.asked(x).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        found = F.scaled_dot_product_attention(*parts, attn_mask=mask[:, None, None])
        return self.told(found.transpose(1, 2).flatten(2))


class Bottleneck(Joining):
    """Layers for each input, and bottleneck tokens that all of them share.

    In front of the tokens of an input stands its vector, as the class token does in the paper.
    The joint vector is the mean of these over the inputs that a record has, so that a linear
    head gives the mean of their scores, as in the paper; a learned vector is added for each
    input that it lacks.

    Args:
        widths: the width of each input.
        settings: the sizes.
    """

    def __init__(self, widths: Mapping[str, int], settings: "Attention") -> None:
        width = settings.width
        super().__init__(widths, settings.modality_dropout, absent=width)
        self.shared = nn.Parameter(torch.randn(settings.bottlenecks, width) * 0.02)
        self.projections = nn.ModuleDict({n: nn.Linear(size, width) for n, size in widths.items()})
        self.names = nn.ParameterDict({n: nn.Parameter(torch.randn(width) * 0.02) for n in widths})
        self.layers = nn.ModuleDict(
            {
                name: nn.ModuleList(Layer(width, settings.heads) for _ in range(settings.layers))
                for name in widths
            }
        )
        self.norms = nn.ModuleDict({name: nn.LayerNorm(width) for name in widths})

    def join(self, inputs: Mapping[str, Part], num_records: int) -> Joined:
        """Let the tokens of all inputs meet."""
        always = (0, len(self.shared))
        masks = {n: F.pad(_mask(part), always, value=True) for n, part in inputs.items()}
        states = {name: self._sequence(name, part) for name, part in inputs.items()}
        shared = self.shared.expand(num_records, -1, -1)
        there = self.there(inputs, num_records)
        for depth in range(len(next(iter(self.layers.values())))):
            updates = torch.zeros_like(shared)
            for name, part in inputs.items():
                both = torch.cat([states[name], shared[part.present]], 1)
                said = self.layers[name][depth](both, masks[name])
                length = states[name].shape[1]
                states[name] = said[:, :length]
                updates = updates.index_add(0, part.present, said[:, length:])
            shared = updates / there.sum(-1).clamp(min=1)[:, None, None]
        last = {name: self.norms[name](found) for name, found in states.items()}
        return Joined(self._vector(inputs, last, there), _tokens(inputs, last))

    def _sequence(self, name: str, part: Part) -> Tensor:
        """Return the vector of each record and its tokens behind it, at the width inside."""
        found = part.vectors[:, None]
        if part.tokens is not None:
            found = torch.cat([found, part.tokens], 1)
        return self.projections[name](found) + self.names[name]

    def _vector(
        self, inputs: Mapping[str, Part], states: Mapping[str, Tensor], there: Tensor
    ) -> Tensor:
        """Return the joint vector: [n, W]."""
        total = self.shared.new_zeros(len(there), self.shared.shape[1])
        for name, part in inputs.items():
            total = total.index_add(0, part.present, states[name][:, 0])
        lacking = (~there).to(total.dtype) @ torch.stack(list(self.absent.values()))
        return total / there.sum(-1, keepdim=True).clamp(min=1) + lacking


def _mask(part: Part) -> Tensor:
    """Return what is there of each sequence: the vector, and tokens that are no padding."""
    first = torch.ones(len(part.vectors), 1, dtype=torch.bool, device=part.vectors.device)
    if part.tokens is None:
        return first
    mask = part.mask
    if mask is None:
        mask = torch.ones(part.tokens.shape[:2], dtype=torch.bool, device=first.device)
    return torch.cat([first, mask], 1)


def _tokens(
    inputs: Mapping[str, Part], states: Mapping[str, Tensor]
) -> dict[str, tuple[Tensor, Tensor]]:
    whole = [name for name, part in inputs.items() if part.tokens is not None]
    return {name: (inputs[name].present, states[name][:, 1:]) for name in whole}


class Opening(nn.Module):
    """Adds to token states what they heard of other inputs, through a gate that starts closed.

    h' = h + tanh(γ) ⊙ W z with γ = 0 at first (the gate of Flamingo, Alayrac et al. 2022, one
    number a feature): step 0 is the encoder as it is.

    Args:
        inner: the width of z.
        width: the width of h.
    """

    def __init__(self, inner: int, width: int) -> None:
        super().__init__()
        self.heard = nn.Linear(inner, width)
        self.gate = nn.Parameter(torch.zeros(width))

    def forward(self, states: Tensor, rows: Tensor, heard: Tensor) -> Tensor:
        """Return the states, [k, T, D]; `heard` [j, T, W] belongs to `rows` [j] of them."""
        return states.index_add(0, rows, self.gate.tanh() * self.heard(heard))
