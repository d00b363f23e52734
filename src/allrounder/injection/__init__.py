"""How what is known reaches a model."""

from allrounder.injection.base import Gated, Injection, Items, named
from allrounder.injection.facts import Facts
from allrounder.injection.gazetteer import Gazetteer
from allrounder.injection.reading import Mentioned, Reading, Said, Verbalized, VisibleMatrix
from allrounder.injection.settings import INJECTIONS, Consistency, FactSource, Knowledge, Voting

__all__ = [
    "INJECTIONS",
    "Consistency",
    "FactSource",
    "Facts",
    "Gated",
    "Gazetteer",
    "Injection",
    "Items",
    "Knowledge",
    "Mentioned",
    "Reading",
    "Said",
    "Verbalized",
    "VisibleMatrix",
    "Voting",
    "named",
]
