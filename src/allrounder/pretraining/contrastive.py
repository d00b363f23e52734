"""Unsupervised SimCSE."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from allrounder.encoders import Text
from allrounder.lazy import lazy
from allrounder.pretraining.base import Pretraining

if TYPE_CHECKING:
    from allrounder.pretraining import contrasting
    from allrounder.pretraining.objective import Objective
else:
    contrasting = lazy("allrounder.pretraining.contrasting")


@dataclass(kw_only=True)
class Contrastive(Pretraining):
    """A text is told from the others of its batch by itself under another dropout (SimCSE).

    Gao, Yao and Chen (2021), unsupervised: cross entropy over cosines by `temperature`, both
    passes of a batch being one text's two views. The vectors are those that tasks read.

    Args:
        temperature: what cosines are divided by.
        dropout: inside the encoder; without it the two views would be one.
    """

    temperature: float = 0.05
    dropout: float = 0.1
    lr: float = 3e-5

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.temperature <= 0:
            raise ValueError(f"has `temperature: {self.temperature}`. Expected more than 0.")
        if not 0 < self.dropout < 1:
            raise ValueError(f"has `dropout: {self.dropout}`. Expected between 0 and 1.")
        if self.batch_records < 2:
            raise ValueError("has `batch_records: 1`. Expected 2 or more, to tell apart.")

    def objective(self, encoder: Text) -> "Objective":
        """Load the encoder with dropout inside it."""
        return contrasting.Contrasting(self, encoder)
