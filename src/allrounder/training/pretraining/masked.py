"""Telling hidden words while tasks are trained."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from allrounder.encoders import Text
from allrounder.lazy import lazy
from allrounder.training.pretraining.base import Alongside

if TYPE_CHECKING:
    from allrounder.encoders import telling
    from allrounder.encoders.modules import Encoding
else:
    telling = lazy("allrounder.encoders.telling")


@dataclass(kw_only=True)
class MaskedWords(Alongside):
    """Words are hidden and told again from those around them (Devlin et al. 2019).

    Of the tokens of words that are drawn 80 % are hidden, 10 % are another token and 10 % stay as
    they are. It is told by the model's own head for hidden words, at the rate of the encoder, or by
    a fresh one tied to its embeddings, at the rate of heads.

    Args:
        mask_share: the share of words that are drawn.
        whole_words: draw all tokens of a word together; a Han character is a word.
    """

    mask_share: float = 0.15
    whole_words: bool = True

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 < self.mask_share < 1:
            raise ValueError(f"has `mask_share: {self.mask_share}`. Expected between 0 and 1.")

    def teller(self, encoder: Text, encoding: "Encoding") -> "telling.Teller":
        """Return the head for hidden words."""
        return telling.Teller(self, encoder, encoding)
