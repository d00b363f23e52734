"""The torch side of masked language modelling."""

from typing import ClassVar

from allrounder.encoders.telling import HiddenWords
from allrounder.pretraining.objective import Objective


class Masking(HiddenWords, Objective):
    """A network that says which words were hidden."""

    is_likelihood: ClassVar[bool] = True
