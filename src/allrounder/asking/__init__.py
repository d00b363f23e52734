"""Asking people: from a project to questions in its ledger, and whether that pays."""

from allrounder.asking.doubting import Doubts, doubts
from allrounder.asking.inquiry import Inquiry, open_inquiry
from allrounder.asking.questions import Asking, ask
from allrounder.asking.replay import Replay, simulate

__all__ = ["Asking", "Doubts", "Inquiry", "Replay", "ask", "doubts", "open_inquiry", "simulate"]
