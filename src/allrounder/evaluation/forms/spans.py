"""Answers of labelled stretches of text: ``{"spans": [{start, end, label, probability}]}``."""

from collections import Counter
from collections.abc import Iterable
from typing import Any

import numpy as np

from allrounder.evaluation.calibration import Decisions
from allrounder.evaluation.forms.form import Form, clip, label_report, worst
from allrounder.evaluation.judged import Judged
from allrounder.evaluation.report import LabelReport, WrongAnswer
from allrounder.types import Span


class Spans(Form):
    """Stretches of text; one that is said is right when start, end and label are."""

    def decisions(self, judged: Judged, answers: list[dict[str, Any]]) -> Decisions | None:
        """Return how sure each span that was said is, and whether it is true."""
        pairs = [
            (span["probability"], _key(span) in true)
            for answer, true in zip(answers, map(_keys, judged.truths), strict=True)
            for span in answer["spans"]
        ]
        return np.array([p for p, _ in pairs], float), np.array([right for _, right in pairs])

    def per_label(self, judged: Judged) -> list[LabelReport]:
        """Return strict precision, recall and F1 of each label."""
        right, found, true = Counter[str](), Counter[str](), Counter[str]()
        for truth, said in zip(map(_keys, judged.truths), map(_keys, judged.decoded), strict=True):
            right.update(span.label for span in truth & said)
            found.update(span.label for span in said)
            true.update(span.label for span in truth)
        names = judged.labels() or sorted({*found, *true})
        return [label_report(name, right[name], found[name], true[name]) for name in names]

    def errors(self, judged: Judged) -> list[WrongAnswer]:
        """Return the records with the surest wrong span; then those with most spans missed."""
        rows = [_Row(judged, i) for i in range(len(judged.truths))]
        return [rows[i].wrong_answer() for i in worst(np.array([row.badness() for row in rows]))]


class _Row:
    """One record: what is true, what was said, and how sure."""

    def __init__(self, judged: Judged, at: int) -> None:
        self.text, self.where = judged.texts[at], judged.wheres[at]
        self.true, self.said = _keys(judged.truths[at]), _keys(judged.decoded[at])
        self.sure = {_key(s): float(s["probability"]) for s in judged.answers[at]["spans"]}

    def badness(self) -> float:
        """Return -inf where all is right; a sure invention is worse than any number missed."""
        if self.true == self.said:
            return -np.inf
        return (self.surest() or 0.0) + 1e-6 * len(self.true - self.said)

    def surest(self) -> float | None:
        """Return the probability of the surest span that is not true."""
        return max((self.sure[s] for s in self.said - self.true if s in self.sure), default=None)

    def wrong_answer(self) -> WrongAnswer:
        """Return the mistake, its text clipped around the first difference."""
        focus = min(span.start for span in self.true ^ self.said)
        text, shift = clip(self.text, focus)
        return WrongAnswer(
            text=text,
            where=self.where,
            truth=self._shown(self.true, text, shift),
            answer=self._shown(self.said, text, shift),
            probability=self.surest(),
        )

    def _shown(self, spans: Iterable[Span], text: str, shift: int) -> list[dict[str, Any]]:
        shown = []
        for span in sorted(spans):
            start, end = max(span.start - shift, 0), min(span.end - shift, len(text))
            if start < end:
                row = {"start": start, "end": end, "label": span.label, "text": text[start:end]}
                shown.append({**row, "probability": self.sure.get(span)})
        return shown


def _key(span: dict[str, Any]) -> Span:
    return Span(span["start"], span["end"], span["label"])


def _keys(spans: Iterable[dict[str, Any]]) -> set[Span]:
    return set(map(_key, spans))
