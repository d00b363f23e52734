"""The protocol of a form of answer."""

from typing import Any

import numpy as np

from allrounder.evaluation.calibration import Decisions
from allrounder.evaluation.judged import Judged
from allrounder.evaluation.report import Confusion, LabelReport, WrongAnswer

NUM_ERRORS = 12
CLIP = 240
LEAD = 80
"""How much text stands before the place a clipped text is about."""


class Form:
    """What can be said about answers of one form; by default nothing."""

    def decisions(self, judged: Judged, answers: list[dict[str, Any]]) -> Decisions | None:
        """Return the confidence of every decision and whether it was right."""
        return None

    def per_label(self, judged: Judged) -> list[LabelReport]:
        """Return how each label fares."""
        return []

    def confusion(self, judged: Judged) -> Confusion | None:
        """Return how often each label got each answer."""
        return None

    def extras(self, judged: Judged, seed: int) -> dict[str, Any]:
        """Return further fields of the task's report."""
        return {}

    def errors(self, judged: Judged) -> list[WrongAnswer]:
        """Return the mistakes most worth reading, the most confident first."""
        return []


def label_report(label: str, right: int, found: int, true: int) -> LabelReport:
    """Return precision, recall and F1 from counts; 0 where nothing was found or true."""
    return LabelReport(
        label=label,
        precision=round(float(right / found), 6) if found else 0.0,
        recall=round(float(right / true), 6) if true else 0.0,
        f1=round(float(2 * right / (found + true)), 6) if found + true else 0.0,
        support=int(true),
    )


def worst(badness: np.ndarray) -> list[int]:
    """Return the records with most badness, none where it is -inf."""
    order = np.argsort(-badness, kind="stable")[:NUM_ERRORS]
    return [int(i) for i in order if np.isfinite(badness[i])]


def clip(text: str, focus: int = 0) -> tuple[str, int]:
    """Return the text around `focus`, and what to subtract from offsets into the whole text."""
    if len(text) <= CLIP:
        return text, 0
    start = max(0, min(focus - LEAD, len(text) - CLIP))
    head = "…" if start else ""
    tail = "…" if start + CLIP < len(text) else ""
    return head + text[start : start + CLIP] + tail, start - len(head)
