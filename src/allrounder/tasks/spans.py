"""Stretches of text."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise, product
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from allrounder.lazy import lazy
from allrounder.records import BadValue
from allrounder.tasks import scoring
from allrounder.tasks.base import Metric, Reads, Task
from allrounder.tasks.columns import class_names, labels_of, not_a_label, parse_json, strings
from allrounder.types import Likely, Span, Speaks, Variable

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

    from allrounder.tasks import automaton, losses, tagging
    from allrounder.tasks.tagging import TokenScores
else:
    torch, nn = lazy("torch"), lazy("torch.nn")
    losses, tagging = lazy("allrounder.tasks.losses"), lazy("allrounder.tasks.tagging")
    automaton = lazy("allrounder.tasks.automaton")

SPAN = pa.struct([("start", pa.int32()), ("end", pa.int32()), ("label", pa.string())])
IGNORED = -100
"""The target of a token that trains nothing: special tokens and padding."""


@dataclass(kw_only=True)
class Spans(Task):
    """Labelled stretches of one text, none overlapping (BIO tags over tokens).

    Labels and answers are Unicode code point offsets, whatever the tokenizer does. Decoding is
    exact (Viterbi) over legal tag sequences only.

    Args:
        labels: the label set; by default the labels that the records carry.
        renamed: what labels are called now, by what they are called in files and in the ledger;
            two old labels with one new name are merged.
        split_words: whether a span may begin or end inside a word. Letters and digits in a row
            are a word; every Chinese, Japanese or Thai character stands alone.
        label_smoothing: the share of each tag's target that is spread over all tags.
        focal: γ of the focal loss (Lin et al. 2017).
    """

    reads: ClassVar[Reads] = "tokens"
    speaks: ClassVar[Speaks | None] = "spans"

    labels: list[str] | None = None
    renamed: dict[str, str] | None = None
    split_words: bool = False
    label_smoothing: float = 0.0
    focal: float = 0.0

    def __post_init__(self) -> None:
        labels_of(self, at_least=1)

    @property
    def type(self) -> pa.DataType:
        """A label is a list of (start, end, label)."""
        return pa.list_(SPAN)

    def read(self, values: pa.Array, texts: pa.Array | None) -> pa.Array:
        """Return sorted spans, each inside its text, none overlapping, labels in the label set."""
        if pa.types.is_string(values.type) or pa.types.is_large_string(values.type):
            words = strings(values).to_pylist()
            found = [None if w is None else parse_json(i, w) for i, w in enumerate(words)]
        else:
            found = values.to_pylist()
        lengths = pc.utf8_length(texts).to_pylist() if texts is not None else [0] * len(found)
        rows = [
            None if spans is None else self._checked(i, spans, length or 0)
            for i, (spans, length) in enumerate(zip(found, lengths, strict=True))
        ]
        return pa.array(rows, self.type)

    def _checked(self, index: int, spans: list[Any], length: int) -> list[dict[str, Any]]:
        rows = sorted((self._span(index, span) for span in spans), key=lambda row: row["start"])
        for row in rows:
            if not 0 <= row["start"] < row["end"] <= length:
                raise BadValue(
                    index,
                    f"the span {row['start']}–{row['end']} ({row['label']}) does not lie in its "
                    f"text of {length} characters. Offsets count Unicode characters from 0, the "
                    "end excluded.",
                )
        for left, right in pairwise(rows):
            if right["start"] < left["end"]:
                raise BadValue(
                    index,
                    f"the spans {left['start']}–{left['end']} ({left['label']}) and "
                    f"{right['start']}–{right['end']} ({right['label']}) overlap. Keep one of "
                    "them, or make them two tasks.",
                )
        return rows

    def _span(self, index: int, span: Any) -> dict[str, Any]:
        try:
            row = {"start": int(span["start"]), "end": int(span["end"]), "label": span["label"]}
        except (TypeError, KeyError, ValueError):
            expected = "{start: number, end: number, label: name}"
            raise BadValue(index, f"expected a span {expected}, found {span!r}.") from None
        row["label"] = (self.renamed or {}).get(row["label"], row["label"])
        if self.labels is not None and row["label"] not in self.labels:
            raise BadValue(index, not_a_label(row["label"], self.labels))
        return row

    def learn(self, labels: pa.ChunkedArray, every: pa.ChunkedArray) -> Self:
        """Fill the label set."""
        flat = pc.struct_field(pc.list_flatten(every.drop_null()), "label")
        return replace(self, labels=self.labels or class_names(flat))

    def metrics(self) -> dict[str, Metric]:
        """Strict entity-level F1 decides: start, end and label must all be right."""
        return {
            "span_f1": Metric(scoring.span_f1),
            "precision": Metric(scoring.span_precision),
            "recall": Metric(scoring.span_recall),
        }

    def array(self, labels: Sequence[Any]) -> np.ndarray:
        """Return one set of `Span` per record."""
        rows = np.empty(len(labels), dtype=object)
        rows[:] = [frozenset(Span(s["start"], s["end"], s["label"]) for s in ss) for ss in labels]
        return rows

    def baseline(self, truths: np.ndarray) -> Any:
        """Return no span at all: there is no constant answer that fits another text."""
        return []

    @property
    def num_tags(self) -> int:
        """O, and B and I of every label."""
        return 1 + 2 * len(self.labels or [])

    def head(self, width: int) -> "nn.Module":
        """Build a linear layer with one score per tag: [n, T, D] → [n, T, tags]."""
        return nn.Linear(width, self.num_tags)

    def outputs(self) -> list[str]:
        """Return the names of the tags in the order of their scores."""
        return ["O", *(f"{mark}-{name}" for mark in "BI" for name in self.labels or [])]

    def tags(self, spans: Sequence[Any], offsets: np.ndarray) -> np.ndarray:
        """Return the tag of each token: 0 for O, 1 + k for B-k, 1 + L + k for I-k.

        Args:
            spans: the labels of one record.
            offsets: [T, 2] start and end of each token; an empty one is no part of the text.
        """
        tags = np.where(offsets[:, 0] < offsets[:, 1], 0, IGNORED)
        for span in spans:
            inside = (offsets[:, 0] < span["end"]) & (offsets[:, 1] > span["start"]) & (tags >= 0)
            begin = 1 + (self.labels or []).index(span["label"])
            tags[inside] = begin + len(self.labels or [])
            tags[np.argmax(inside)] = begin if inside.any() else tags[0]
        return tags

    def encode(self, labels: Sequence[Any], offsets: Sequence[np.ndarray] = ()) -> "Tensor":
        """Return the tag of each token, padded with `IGNORED`: [n, T]."""
        rows = [self.tags(spans, at) for spans, at in zip(labels, offsets, strict=True)]
        targets = np.full((len(rows), max(map(len, rows))), IGNORED, dtype=np.int64)
        for target, row in zip(targets, rows, strict=True):
            target[: len(row)] = row
        return torch.from_numpy(targets)

    def loss(self, scores: "Tensor", targets: "Tensor") -> "Tensor":
        """Return the cross-entropy of each record, its sum over T tokens by √T: [n, T, tags] → [n].

        Beside the losses of other tasks the mean is too little, as most tokens are plain O, and the
        sum too much: `benchmarks/spans_loss.py`. A task alone minds no scale.
        """
        known = targets != IGNORED
        each = losses.cross_entropy(
            scores.flatten(0, 1),
            targets.clamp(min=0).flatten(),
            smoothing=self.label_smoothing,
            focal=self.focal,
        ).view_as(targets)
        return _scaled(each * known, known)

    def divergence(self, scores: "Tensor", teacher: "Tensor") -> "Tensor":
        """Return the Kullback–Leibler divergence of each record, on the scale of its loss.

        Only tokens count that the teacher read.
        """
        known = ~teacher[..., 0].isnan()
        each = losses.divergence(scores[known], teacher[known])
        return _scaled(scores.new_zeros(known.shape).masked_scatter(known, each), known)

    def disagreement(self, one: "Tensor", other: "Tensor", targets: "Tensor") -> "Tensor":
        """Return how far two passes are apart on the tokens that the loss counts."""
        unread = (targets == IGNORED)[..., None]
        hidden = [scores.masked_fill(unread, float("nan")) for scores in (one, other)]
        return (self.divergence(one, hidden[1]) + self.divergence(other, hidden[0])) / 2

    def readable(
        self, values: "Tensor", texts: Sequence[str], offsets: Sequence[np.ndarray]
    ) -> "TokenScores":
        """Return scores together with the texts and token offsets they belong to."""
        records = [tagging.TokenRecord(*pair) for pair in zip(texts, offsets, strict=True)]
        return tagging.TokenScores(values, records)

    def decode(self, scores: "TokenScores") -> list[Any]:
        """Return the likeliest legal spans of each record."""
        return [
            [tagging.span(run, record, self.labels or []) for run in runs]
            for record, runs in zip(scores.records, self._runs(scores), strict=True)
        ]

    def _runs(self, scores: "TokenScores") -> list[list["tagging.Run"]]:
        return tagging.viterbi(tagging.lattice(scores, split_words=self.split_words))

    def answers(
        self,
        scores: "TokenScores",
        calibration: dict[str, float],
        labels: Sequence[Any] | None = None,
    ) -> list[dict[str, Any]]:
        """Return the spans with their text and probability.

        The probability of a span is exact: the share of all legal tag sequences, weighted by
        their probability, that contain it. `abstain` withholds single spans.
        """
        scores = scores.cooled(calibration.get("temperature", 1.0))
        runs = self._runs(scores) if labels is None else self._given(scores, labels)
        sure = tagging.probabilities(tagging.lattice(scores, split_words=self.split_words), runs)
        return [self._answer(*row) for row in zip(scores.records, runs, sure, strict=True)]

    def _given(self, scores: "TokenScores", labels: Sequence[Any]) -> list[list["tagging.Run"]]:
        """Return spans, as options hold them, as runs of tokens."""
        return [
            [tagging.run(span, record, self.labels or []) for span in spans]
            for record, spans in zip(scores.records, labels, strict=True)
        ]

    def options(
        self, scores: "TokenScores", calibration: dict[str, float], mentioned: Mapping[Any, int]
    ) -> list[list[Variable]]:
        """Return one variable a record: the likeliest legal spans for every set of kinds seen.

        A kind that is mentioned is counted up to the number it is mentioned with; how often other
        kinds are seen makes no difference. Costs are minus the log-probability of the tags.
        """
        cooled = scores.cooled(calibration.get("temperature", 1.0))
        counted = {
            (self.labels or []).index(name): most
            for name, most in mentioned.items()
            if name in (self.labels or [])
        }
        paths = tagging.lattice(cooled, split_words=self.split_words)
        found = automaton.best_by_count(paths, counted)
        return [
            [self._variable(record, ways)]
            for record, ways in zip(scores.records, found, strict=True)
        ]

    def likely(self, scores: "TokenScores", mentioned: Mapping[Any, int]) -> list[Likely]:
        """Return how likely each combination of counts is, over all legal tags: exact."""
        labels = self.labels or []
        counted = {name: most for name, most in mentioned.items() if name in labels}
        paths = tagging.lattice(scores, split_words=self.split_words)
        numbers = {labels.index(name): most for name, most in counted.items()}
        chances = automaton.mass_by_count(paths, numbers).softmax(-1)
        every = product(*(range(most + 1) for most in counted.values()))
        values = [
            [{"label": name} for name, n in zip(counted, ns, strict=True) for _ in range(n)]
            for ns in every
        ]
        return [Likely(None, values, chances)]

    def _variable(self, record: "tagging.TokenRecord", ways: Sequence["automaton.Way"]) -> Variable:
        values = tagging.mentions([way.runs for way in ways], record, self.labels or [])
        costs = [-way.log for way in ways]
        return Variable(None, values, costs, costs.index(min(costs)))

    def taken(self, own: Any, variables: Sequence[Variable], picks: Sequence[int]) -> Any:
        """Return the spans of the option taken."""
        spans = variables[0].values[picks[0]]
        return [{key: span[key] for key in ("start", "end", "label")} for span in spans]

    def _answer(
        self, record: "tagging.TokenRecord", runs: list["tagging.Run"], sure: list[float]
    ) -> dict[str, Any]:
        spans = [
            {
                **(at := tagging.span(run, record, self.labels or [])),
                "text": record.text[at["start"] : at["end"]],
                "probability": round(probability, 6),
            }
            for run, probability in zip(runs, sure, strict=True)
        ]
        return {"spans": [s for s in spans if s["probability"] >= (self.abstain or 0.0)]}

    def flat(self, scores: "TokenScores", targets: "Tensor") -> "tuple[Tensor, Tensor]":
        """Return one row a token that trains: [N, tags], [N]."""
        targets = targets[:, : scores.values.shape[1]]
        known = targets != IGNORED
        return scores.values[:, : targets.shape[1]][known], targets[known]

    def calibrate(self, scores: "Tensor", targets: "Tensor") -> dict[str, float]:
        """Fit one temperature on the tags of validation records: [N, tags], [N]."""
        return {"temperature": losses.temperature(losses.cross_entropy, scores, targets)}


def _scaled(each: "Tensor", known: "Tensor") -> "Tensor":
    """Return the sum over the known tokens of each record by the root of their number."""
    return each.sum(-1) / known.sum(-1).clamp(min=1).sqrt()
