"""What an encoder says of texts about entities."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa
import torch
from torch import Tensor

from allrounder.encoders import Encoder
from allrounder.encoders.modules import Encoding, best_device, evaluating
from allrounder.model.tensors import load_tensors, save_tensors

READ = 64
"""Texts that are read at a time."""


@dataclass
class Reader:
    """Reads the texts of facts with an encoder as it was before training, each once.

    Args:
        encoder: the settings.
        module: the encoder's module, which is left as it is, on the best device there is.
        known: the vectors of texts that were read before.
    """

    encoder: Encoder
    module: Encoding
    known: dict[str, Tensor] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.module.to(best_device())

    def vectors(self, texts: Sequence[str]) -> Tensor:
        """Return one vector a text, on the processor, and keep it: [t, D]."""
        fresh = [text for text in dict.fromkeys(texts) if text not in self.known]
        self.known |= dict(zip(fresh, self.read(fresh), strict=True))
        if not texts:
            return torch.zeros(0, self.module.width)
        return torch.stack([self.known[text] for text in texts])

    def read(self, texts: Sequence[str]) -> Tensor:
        """Return one vector a text, without keeping it: [t, D]."""
        parts = [self._part(texts[at : at + READ]) for at in range(0, len(texts), READ)]
        return torch.cat(parts) if parts else torch.zeros(0, self.module.width)

    def _part(self, texts: Sequence[str]) -> Tensor:
        tokens = self.encoder.prepare([pa.array(texts, pa.string())])
        batch = self.encoder.collate(tokens, range(len(texts)), [False] * len(texts))
        with torch.no_grad(), evaluating(self.module):
            return self.module(batch.to(best_device()), tokens=False).pooled.float().cpu()

    def save(self, path: Path) -> None:
        """Write its weights."""
        save_tensors(path, self.module.state_dict())

    @classmethod
    def load(cls, encoder: Encoder, path: Path) -> "Reader":
        """Return the reader that `save` wrote."""
        module = encoder.module()
        module.load_state_dict(load_tensors(path)[0])
        return cls(encoder, module)
