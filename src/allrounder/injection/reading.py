"""Facts that an encoder reads beside the text, as text."""

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from allrounder.injection.offered import Offered


class Mentioned(NamedTuple):
    """One mention, and the facts that it lends.

    Args:
        first: the first token of the text inside it.
        end: the token behind its last.
        name: what is meant.
        facts: the facts, as texts.
    """

    first: int
    end: int
    name: str
    facts: list[str]


class Said(NamedTuple):
    """A text beside a text.

    Args:
        text: the text.
        anchor: the tokens that it belongs to: the first, and the one behind the last; None where it
            goes on behind the text.
    """

    text: str
    anchor: tuple[int, int] | None = None


@dataclass(kw_only=True)
class Reading(Offered):
    """Lets the encoder itself read facts; unlike a gate, this changes a model from the start.

    Args:
        of: the input whose texts are searched for mentions; by default every text that a
            transformer reads.
        predicates: the predicates that are told; by default all but names and aliases.
        most: how many facts of an entity are offered at most: the surest, then the first.
    """

    @abstractmethod
    def said(self, mentions: Sequence[Mentioned]) -> list[Said]:
        """Return the texts beside a text with these mentions, all of which lend something."""


@dataclass(kw_only=True)
class VisibleMatrix(Reading):
    """Hangs facts on what they are about, seen from there alone (K-BERT; Liu et al. 2020).

    Each fact is a branch of the sentence: its tokens are numbered on from the mention (soft
    positions), they see one another and the tokens of the mention, and of the rest of the sentence
    only that mention sees them (the visible matrix). Published gains are small, and random facts
    did as well (Fu et al. 2023): it is here to be compared with.

    Args:
        of: the input whose texts are searched for mentions; by default every text that a
            transformer reads.
        most: how many facts of an entity are offered at most: the surest, then the first. K-BERT
            takes two.
    """

    most: int = 2

    def said(self, mentions: Sequence[Mentioned]) -> list[Said]:
        """Return one text a fact, on its mention."""
        return [Said(fact, (one.first, one.end)) for one in mentions for fact in one.facts]


@dataclass(kw_only=True)
class Verbalized(Reading):
    """Writes the facts of what a text mentions behind it, for the encoder to read on.

    A decoder that tasks write with reads them before the text instead. What does not fit into
    `max_tokens` is not read; of an entity that is mentioned twice the facts are said once.

    Args:
        of: the input whose texts are searched for mentions; by default every text that a
            transformer reads.
        most: how many facts of an entity are offered at most: the surest, then the first.
    """

    most: int = 8

    def said(self, mentions: Sequence[Mentioned]) -> list[Said]:
        """Return one text with all facts, entity by entity."""
        facts: dict[str, dict[str, None]] = {}
        for one in mentions:
            facts.setdefault(one.name, {}).update(dict.fromkeys(one.facts))
        told = [f"{name}: {'; '.join(some)}." for name, some in facts.items()]
        return [Said(" ".join(told))] if told else []
