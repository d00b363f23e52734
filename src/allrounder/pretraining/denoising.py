"""TSDAE."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from allrounder.encoders import Text
from allrounder.lazy import lazy
from allrounder.pretraining.base import Pretraining

if TYPE_CHECKING:
    from allrounder.pretraining import restoring
    from allrounder.pretraining.objective import Objective
else:
    restoring = lazy("allrounder.pretraining.restoring")


@dataclass(kw_only=True)
class Denoising(Pretraining):
    """A text is told again from the one vector of what was left of it (TSDAE).

    Wang, Reimers and Gurevych (2021): tokens are deleted, the rest becomes one vector as tasks
    read it, and a decoder that sees nothing else of the text tells all of it. The decoder is the
    encoder itself with attention to that vector added; it is thrown away in the end.

    Args:
        delete_share: the share of tokens that is deleted.
    """

    delete_share: float = 0.6
    lr: float = 3e-5

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 < self.delete_share < 1:
            raise ValueError(f"has `delete_share: {self.delete_share}`. Expected between 0 and 1.")

    def objective(self, encoder: Text) -> "Objective":
        """Load the encoder, and once more as a decoder of the same weights."""
        return restoring.Restoring(self, encoder)
