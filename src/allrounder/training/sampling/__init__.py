"""How often records of each group are drawn: those of one source with labels of the same tasks."""

from allrounder.kinds import Kinds
from allrounder.training.sampling.annealed import Annealed
from allrounder.training.sampling.base import Sampling, draw
from allrounder.training.sampling.proportional import Proportional
from allrounder.training.sampling.smoothed import Smoothed
from allrounder.training.sampling.uniform import Uniform

SAMPLINGS = Kinds[Sampling](
    "sampling", proportional=Proportional, smoothed=Smoothed, uniform=Uniform, annealed=Annealed
)

__all__ = ["SAMPLINGS", "Annealed", "Proportional", "Sampling", "Smoothed", "Uniform", "draw"]
