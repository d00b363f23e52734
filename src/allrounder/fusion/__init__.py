"""How the inputs of a record become one vector; any subset of them may be missing."""

from allrounder.fusion.base import Fusion
from allrounder.fusion.concat import Concat
from allrounder.kinds import Kinds

FUSIONS = Kinds[Fusion]("fusion", concat=Concat)

__all__ = ["FUSIONS", "Concat", "Fusion"]
