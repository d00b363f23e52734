"""Rules over what a model answers: one small language, decoded, tested, analysed."""

from allrounder.rules.decoding import Decoder, Outcome, Picks
from allrounder.rules.meaning import Facts, ListedFacts, Meaning, World
from allrounder.rules.rule import Case, Rule, Rules
from allrounder.rules.terms import Key, Spoken, Terms

__all__ = [
    "Case",
    "Decoder",
    "Facts",
    "Key",
    "ListedFacts",
    "Meaning",
    "Outcome",
    "Picks",
    "Rule",
    "Rules",
    "Spoken",
    "Terms",
    "World",
]
