"""Answers of any number of labels: ``{"labels": […], "probabilities": {…}}``."""

from typing import Any

import numpy as np

from allrounder.evaluation.calibration import Decisions
from allrounder.evaluation.forms.form import Form, clip, label_report, worst
from allrounder.evaluation.judged import Judged
from allrounder.evaluation.report import LabelReport, WrongAnswer


class SeveralLabels(Form):
    """Any number of labels; every (record, label) is a decision."""

    def decisions(self, judged: Judged, answers: list[dict[str, Any]]) -> Decisions | None:
        """Return how sure each yes or no was, and whether it was right."""
        confidence, right = _decisions(judged, answers)
        return confidence.ravel(), right.ravel()

    def per_label(self, judged: Judged) -> list[LabelReport]:
        """Return precision, recall and F1 of each label."""
        names = _names(judged)
        truths, said = _chosen(judged.truths, names), _chosen(judged.decoded, names)
        counts = (truths & said).sum(0), said.sum(0), truths.sum(0)
        return [label_report(*row) for row in zip(names, *counts, strict=True)]

    def errors(self, judged: Judged) -> list[WrongAnswer]:
        """Return the records with the surest wrong decision."""
        confidence, right = _decisions(judged, judged.answers)
        badness = np.where(right, -np.inf, confidence).max(axis=1)
        return [
            WrongAnswer(
                text=clip(judged.texts[i])[0],
                where=judged.wheres[i],
                truth=list(judged.truths[i]),
                answer=list(judged.decoded[i]),
                probability=round(float(badness[i]), 6),
            )
            for i in worst(badness)
        ]


def _names(judged: Judged) -> list[str]:
    return judged.labels() or list(judged.answers[0]["probabilities"])


def _chosen(rows: list[list[str]], names: list[str]) -> np.ndarray:
    return np.array([[name in row for name in names] for row in rows], dtype=bool)


def _decisions(judged: Judged, answers: list[dict[str, Any]]) -> Decisions:
    names = _names(judged)
    likely = np.array([[a["probabilities"][name] for name in names] for a in answers])
    said = _chosen(judged.decoded, names)
    return np.where(said, likely, 1 - likely), said == _chosen(judged.truths, names)
