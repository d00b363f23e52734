"""What is known: facts, where they come from, and where entities are named in a text."""

from allrounder.knowledge.facts import Fact
from allrounder.knowledge.lexicon import Lexicon, Mention
from allrounder.knowledge.snapshot import Snapshot
from allrounder.knowledge.store import Store

__all__ = ["Fact", "Lexicon", "Mention", "Snapshot", "Store"]
