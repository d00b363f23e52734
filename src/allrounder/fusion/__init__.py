"""How the inputs of a record become one vector; any subset of them may be missing."""

from allrounder.fusion.attention import Attention
from allrounder.fusion.base import Fusion
from allrounder.fusion.concat import Concat
from allrounder.fusion.gated import Gated
from allrounder.fusion.low_rank import LowRank
from allrounder.kinds import Kinds

FUSIONS = Kinds[Fusion]("fusion", concat=Concat, gated=Gated, low_rank=LowRank, attention=Attention)

__all__ = ["FUSIONS", "Attention", "Concat", "Fusion", "Gated", "LowRank"]
