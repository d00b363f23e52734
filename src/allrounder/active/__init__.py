"""Which questions are worth asking a person: strategies over one pool, and a share at random."""

from allrounder.active.base import Strategy
from allrounder.active.strategies import STRATEGIES
from allrounder.active.strategies.margin import Margin

__all__ = ["STRATEGIES", "Margin", "Strategy"]
