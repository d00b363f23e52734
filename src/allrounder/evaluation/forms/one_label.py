"""Answers of one label: ``{"label": …, "probabilities": {…}}``."""

from typing import Any

import numpy as np

from allrounder.evaluation.calibration import Decisions
from allrounder.evaluation.forms.form import Form, clip, label_report, worst
from allrounder.evaluation.judged import Judged
from allrounder.evaluation.report import Confusion, LabelReport, WrongAnswer

MOST_LABELS = 20
OTHER = "other"


class OneLabel(Form):
    """One label out of many, ordered or not."""

    def decisions(self, judged: Judged, answers: list[dict[str, Any]]) -> Decisions | None:
        """Return the probability of the label said, and whether it is the truth."""
        confidence = [_sure(a, said) for a, said in zip(answers, judged.decoded, strict=True)]
        return np.array(confidence), _right(judged)

    def per_label(self, judged: Judged) -> list[LabelReport]:
        """Return precision, recall and F1 of each label."""
        names, counts = _counts(judged)
        right, found, true = np.diag(counts), counts.sum(0), counts.sum(1)
        return [label_report(*row) for row in zip(names, right, found, true, strict=True)]

    def confusion(self, judged: Judged) -> Confusion | None:
        """Return the confusion matrix; labels beyond the commonest are one."""
        names, counts = _counts(judged)
        common = np.sort(np.argsort(-counts.sum(1), kind="stable")[:MOST_LABELS])
        if len(common) == len(names):
            return Confusion(labels=names, counts=counts.tolist())
        place = np.full(len(names), len(common))
        place[common] = np.arange(len(common))
        folded = np.zeros((len(common) + 1, len(common) + 1), dtype=int)
        np.add.at(folded, (place[:, None], place[None, :]), counts)
        return Confusion(labels=[*(names[i] for i in common), OTHER], counts=folded.tolist())

    def errors(self, judged: Judged) -> list[WrongAnswer]:
        """Return the wrong labels that the model was surest of."""
        confidence = [_sure(a, d) for a, d in zip(judged.answers, judged.decoded, strict=True)]
        return [
            WrongAnswer(
                text=clip(judged.texts[i])[0],
                where=judged.wheres[i],
                truth=judged.truths[i],
                answer=judged.decoded[i],
                probability=confidence[i],
            )
            for i in worst(np.where(_right(judged), -np.inf, confidence))
        ]


def _sure(answer: dict[str, Any], said: str) -> float:
    return float(answer["probabilities"][said])


def _right(judged: Judged) -> np.ndarray:
    pairs = zip(judged.truths, judged.decoded, strict=True)
    return np.array([truth == said for truth, said in pairs])


def _counts(judged: Judged) -> tuple[list[str], np.ndarray]:
    names = judged.labels() or sorted({*judged.truths, *judged.decoded})
    index = {name: i for i, name in enumerate(names)}
    counts = np.zeros((len(names), len(names)), dtype=int)
    for truth, said in zip(judged.truths, judged.decoded, strict=True):
        counts[index[truth], index[said]] += 1
    return names, counts
