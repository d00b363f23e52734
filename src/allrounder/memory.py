"""What a task that writes reads of records, and what writes from it.

Shapes: n records, T tokens read, K tokens written, D width, V vocabulary, N places.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor


@dataclass(frozen=True)
class Memory:
    """What was read of n records.

    Args:
        states: of the tokens, [n, T, D].
        mask: which of them are there, [n, T].
        ids: the tokens themselves, [n, T], for a decoder that goes on with them.
        past: what a decoder keeps of them: keys and values by layer.
        precision: of matrix products; None leaves them in fp32.
    """

    states: Tensor
    mask: Tensor
    ids: Tensor | None = None
    past: tuple[tuple[Tensor, Tensor], ...] | None = None
    precision: torch.dtype | None = None

    def __len__(self) -> int:
        return len(self.states)

    def at(self, rows: Tensor) -> "Memory":
        """Return what was read of some records; all of them in order are not copied."""
        if len(rows) == len(self) and bool((rows == torch.arange(len(rows)).to(rows)).all()):
            return self
        return replace(
            self,
            states=self.states[rows],
            mask=self.mask[rows],
            ids=None if self.ids is None else self.ids[rows],
            past=self.past and tuple((keys[rows], values[rows]) for keys, values in self.past),
        )

    def autocast(self) -> AbstractContextManager[Any]:
        """Return the context in which writing goes on as reading did."""
        if self.precision is None:
            return nullcontext()
        return torch.autocast(self.states.device.type, dtype=self.precision)


BESIDE = ("streamer", "logits_processor")
"""Options of `generate` itself: what is told of every token, and what changes scores."""


def apart(options: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the options of `generate` itself, and those that say how texts are written."""
    beside = {name: options[name] for name in BESIDE if name in options}
    return beside, {name: value for name, value in options.items() if name not in BESIDE}


class Writer(ABC):
    """What writes from memories, token by token."""

    end: int
    """The token that ends a text."""
    room: int
    """How many tokens there are places for beside those that are read."""

    @property
    def begin(self) -> list[int]:
        """The tokens that every text is begun with."""
        return []

    @abstractmethod
    def logits(self, memory: Memory, ids: Tensor, places: Tensor) -> Tensor:
        """Return the logits of the token that follows at some places: [N, V].

        Args:
            memory: what was read, n records.
            ids: the tokens written so far, filled up behind: [n, K].
            places: behind which of them the next token is asked for: [n, K].
        """

    @abstractmethod
    def written(self, memory: Memory, start: Tensor, options: Mapping[str, Any]) -> Tensor:
        """Return the tokens that are written: [n, K], without those they start with.

        Args:
            memory: what was read, n records.
            start: the tokens to start with: [n, S].
            options: of `transformers.GenerationConfig`, and of `generate` itself those of
                `BESIDE`.
        """


class Chosen:
    """Lets the output layer of a network see some places only: [S, T, D] → [N, D].

    Args:
        network: a Hugging Face model with an output layer over its vocabulary.
    """

    def __init__(self, network: Any) -> None:
        self.places: Tensor | None = None
        """Which places are seen, [S, T]; None lets it see all of them."""
        network.get_output_embeddings().register_forward_pre_hook(self._only)

    def _only(self, module: Any, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        return inputs if self.places is None else (inputs[0][self.places],)
