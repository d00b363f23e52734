"""Answers of one number: ``{"value": …, "interval": [low, high]}``."""

from typing import Any

import numpy as np

from allrounder.evaluation.forms.form import Form, clip, worst
from allrounder.evaluation.judged import Judged
from allrounder.evaluation.report import Coverage, WrongAnswer

NUM_POINTS = 400


class Value(Form):
    """One number, perhaps with an interval."""

    def extras(self, judged: Judged, seed: int) -> dict[str, Any]:
        """Return how often intervals hold the truth, and points to draw."""
        return {"coverage": _coverage(judged), "scatter": _scatter(judged, seed)}

    def errors(self, judged: Judged) -> list[WrongAnswer]:
        """Return the answers furthest from the truth."""
        far = np.abs(np.array(judged.truths, float) - np.array(judged.decoded, float))
        return [
            WrongAnswer(
                text=clip(judged.texts[i])[0],
                where=judged.wheres[i],
                truth=float(judged.truths[i]),
                answer=round(float(judged.decoded[i]), 6),
                probability=None,
            )
            for i in worst(np.where(far > 0, far, -np.inf))
        ]


def _coverage(judged: Judged) -> Coverage | None:
    bounds = [answer.get("interval") for answer in judged.answers]
    if None in bounds:
        return None
    low, high = np.array(bounds, dtype=float).T
    truths = np.array(judged.truths, dtype=float)
    return Coverage(
        promised=getattr(judged.task, "confidence", None),
        observed=round(float(((low <= truths) & (truths <= high)).mean()), 6),
        width=round(float((high - low).mean()), 6),
    )


def _scatter(judged: Judged, seed: int) -> list[list[float]]:
    points = np.array([judged.truths, judged.decoded], dtype=float).T
    if len(points) > NUM_POINTS:
        chosen = np.random.default_rng(seed).choice(len(points), NUM_POINTS, replace=False)
        points = points[np.sort(chosen)]
    return points.round(6).tolist()
