"""How what is known reaches a model; each kind begins by changing nothing."""

from allrounder.injection.base import Injection, Items, named
from allrounder.injection.facts import Facts
from allrounder.injection.gazetteer import Gazetteer
from allrounder.injection.settings import INJECTIONS, FactSource, Knowledge, Voting

__all__ = [
    "INJECTIONS",
    "FactSource",
    "Facts",
    "Gazetteer",
    "Injection",
    "Items",
    "Knowledge",
    "Voting",
    "named",
]
