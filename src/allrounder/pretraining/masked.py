"""Masked language modelling."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from allrounder.encoders import Text
from allrounder.kinds import switched
from allrounder.lazy import lazy
from allrounder.pretraining.base import Pretraining
from allrounder.pretraining.scratch import Scratch

if TYPE_CHECKING:
    from allrounder.pretraining import masking
    from allrounder.pretraining.objective import Objective
else:
    masking = lazy("allrounder.pretraining.masking")


@dataclass(kw_only=True)
class Masked(Pretraining):
    """Words are hidden and told again from those around them (Devlin et al. 2019).

    Of the tokens of words that are drawn 80 % are hidden, 10 % are another token and 10 % stay as
    they are. A model without a head for it gets one whose output is tied to its embeddings.

    Args:
        mask_share: the share of words that are drawn.
        whole_words: draw all tokens of a word together; a Han character is a word.
        scratch: make a new model and its tokenizer from the texts, instead of loading the input's
            `model`: `true`, or `{layers: 6, width: 384}`.
    """

    mask_share: float = 0.15
    whole_words: bool = True
    scratch: Annotated[Scratch | None, switched(Scratch, "pretraining.scratch")] = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 < self.mask_share < 1:
            raise ValueError(f"has `mask_share: {self.mask_share}`. Expected between 0 and 1.")

    def objective(self, encoder: Text) -> "Objective":
        """Load the encoder with its head for hidden words, or a new one."""
        return masking.Masking(self, encoder)
