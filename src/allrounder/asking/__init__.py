"""Asking people: from a project to questions in its ledger, and whether that pays."""

from allrounder.asking.desk import Desk, open_desk
from allrounder.asking.doubting import Doubts, doubts
from allrounder.asking.questions import Asking, ask
from allrounder.asking.replay import Replay, simulate

__all__ = ["Asking", "Desk", "Doubts", "Replay", "ask", "doubts", "open_desk", "simulate"]
