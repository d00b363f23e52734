"""What an encoder learns of texts without labels while tasks are trained."""

from allrounder.kinds import Kinds
from allrounder.training.pretraining.base import Alongside, text_of
from allrounder.training.pretraining.masked import MaskedWords

ALONGSIDE = Kinds[Alongside]("training.pretraining", masked=MaskedWords)

__all__ = ["ALONGSIDE", "Alongside", "MaskedWords", "text_of"]
