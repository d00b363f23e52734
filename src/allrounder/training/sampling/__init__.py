"""How often records of each group are drawn; a group is the tasks that a record has labels of."""

from allrounder.kinds import Kinds
from allrounder.training.sampling.base import Sampling, draw
from allrounder.training.sampling.proportional import Proportional
from allrounder.training.sampling.smoothed import Smoothed

SAMPLINGS = Kinds[Sampling]("sampling", proportional=Proportional, smoothed=Smoothed)

__all__ = ["SAMPLINGS", "Proportional", "Sampling", "Smoothed", "draw"]
