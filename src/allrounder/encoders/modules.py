"""The torch side of encoders. Encoder kinds reach it lazily.

Shapes: n records, S sequences (windows count one by one), T tokens, D width.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from allrounder.encoders.batches import Sequences
from allrounder.memory import Memory


@dataclass(frozen=True)
class Features:
    """What an encoder says of n records: `pooled` [n, D]; where wanted `tokens` [n, T, D].

    `mask` [n, T] says which tokens are there; the others are padding. `memory` is what a model that
    writes goes on from.
    """

    pooled: Tensor
    tokens: Tensor | None = None
    mask: Tensor | None = None
    memory: Memory | None = None

    def to(self, device: Any) -> "Features":
        """Return the features on another device."""
        return Features(
            *(None if part is None else part.to(device) for part in vars(self).values())
        )


class Encoding(nn.Module, ABC):
    """A module from a batch to features, in two parts so that a frozen part can be run once.

    A batch is what `Encoder.collate` returns: `Sequences` for texts. Any other class will do that
    can be moved (`to`), counts its tokens (`num_tokens`), and that `tokens` is written for.
    """

    width: int
    is_pretrained: bool = False
    """Whether weights come from somewhere, and learn at the encoder's rate, not at the heads'."""
    num_layers: int = 0
    num_frozen: int = 0
    """How many of the lowest layers never learn; more than `num_layers` where nothing learns."""

    @abstractmethod
    def stem(self, batch: Any) -> Tensor:
        """Return the states after the part that never learns: [S, T, D]."""

    @abstractmethod
    def top(self, states: Tensor, batch: Any) -> Tensor:
        """Return the last states from those of the stem: [S, T, D] → [S, T, D]."""

    @abstractmethod
    def pool(self, states: Tensor, batch: Any) -> Tensor:
        """Return one vector a record: [S, T, D] → [n, D]."""

    def tokens(self, states: Tensor, batch: Any) -> tuple[Tensor, Tensor]:
        """Return the states of the tokens of each record, [n, T, D], and which are there, [n, T].

        Special tokens, such as those around a text, are left out.
        """
        found = unstitched(states, batch)
        return found, torch.arange(found.shape[1], device=found.device) < batch.lengths[:, None]

    def forward(self, batch: Any, *, tokens: bool) -> Features:
        """Return the features of a batch; token states only where `tokens` asks for them."""
        return self.finish(self.stem(batch), batch, tokens=tokens)

    def finish(self, states: Tensor, batch: Any, *, tokens: bool) -> Features:
        """Return the features from the states of the stem."""
        last = self.top(states, batch)
        return Features(self.pool(last, batch), *(self.tokens(last, batch) if tokens else ()))

    @property
    def has_stem(self) -> bool:
        """Whether there are frozen layers that can be run apart from those that learn."""
        return False

    @property
    def is_frozen(self) -> bool:
        """Whether no weight learns."""
        return not any(weight.requires_grad for weight in self.parameters())

    def depth(self, name: str) -> int:
        """Return how many layers above the weight `name` there are: 0 for the last layer's."""
        return 0


def unstitched(states: Tensor, batch: Sequences) -> Tensor:
    """Return the states of the tokens of each record, without special ones: [n, T, D]."""
    if batch.stitch is not None:
        return states[batch.stitch.sequence, batch.stitch.position]
    longest = int(batch.lengths.max()) if len(batch.lengths) else 0
    return states[:, batch.lead : batch.lead + longest]


def mean_pool(states: Tensor, mask: Tensor) -> Tensor:
    """Return the mean over real tokens: [S, T, D], [S, T] → [S, D]."""
    kept = mask[..., None].to(states.dtype)
    return (states * kept).sum(1) / kept.sum(1).clamp(min=1)


@contextmanager
def evaluating(module: nn.Module) -> Iterator[None]:
    """Switch dropout off for a while."""
    before = module.training
    module.eval()
    try:
        yield
    finally:
        module.train(before)


def best_device() -> torch.device:
    """Return where networks run: the first CUDA device that is visible, else the processor.

    ``CUDA_VISIBLE_DEVICES=""`` keeps to the processor.
    """
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def choose_precision(wanted: str, device: torch.device) -> torch.dtype | None:
    """Return the type of matrix products: bf16 where the processor has it, None for fp32."""
    if wanted == "fp32":
        return None
    if device.type == "cuda":
        has = torch.cuda.is_bf16_supported()
    else:
        has = torch.ops.mkldnn._is_mkldnn_bf16_supported() and torch.cpu._is_avx512_bf16_supported()
    return torch.bfloat16 if has or wanted == "bf16" else None
