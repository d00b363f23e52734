"""The ledger: what was asked, what people answered, and labels that were made; only added to."""

from allrounder.ledger.answers import Answers, given
from allrounder.ledger.events import ACTS, Answer, Question
from allrounder.ledger.holds import Hold
from allrounder.ledger.settings import Label
from allrounder.ledger.standing import Standing, canonical, remaining, standing_of, standings
from allrounder.ledger.where import NAME, PASSWORD, Where

__all__ = [
    "ACTS",
    "NAME",
    "PASSWORD",
    "Answer",
    "Answers",
    "Hold",
    "Label",
    "Question",
    "Standing",
    "Where",
    "canonical",
    "given",
    "remaining",
    "standing_of",
    "standings",
]
