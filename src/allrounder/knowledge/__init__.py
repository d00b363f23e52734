"""What is known: facts, where they come from, and where entities are named in a text."""

from allrounder.knowledge.base import Base, last_part
from allrounder.knowledge.days import as_day
from allrounder.knowledge.disambiguation import Weights
from allrounder.knowledge.facts import ALIAS, DESCRIPTION, IS_A, NAME, TYPE, Fact
from allrounder.knowledge.lexicon import Lexicon, Mention
from allrounder.knowledge.linking import Linked, Ragged
from allrounder.knowledge.mentioned import MentionFacts, known_words
from allrounder.knowledge.snapshot import Snapshot
from allrounder.knowledge.store import Store, is_store

__all__ = [
    "ALIAS",
    "DESCRIPTION",
    "IS_A",
    "NAME",
    "TYPE",
    "Base",
    "Fact",
    "Lexicon",
    "Linked",
    "Mention",
    "MentionFacts",
    "Ragged",
    "Snapshot",
    "Store",
    "Weights",
    "as_day",
    "is_store",
    "known_words",
    "last_part",
]
