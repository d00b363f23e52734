"""Metrics are what the libraries that people trust say they are."""

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from seqeval.metrics import f1_score, precision_score, recall_score
from seqeval.scheme import IOB2
from sklearn import metrics

from allrounder.evaluation.quick import QUICK
from allrounder.tasks import Multiclass, Spans, scoring

LABELS = ["PER", "ORG"]
TAG = st.sampled_from(["O", "B-PER", "I-PER", "B-ORG", "I-ORG"])
TAGGING = st.lists(TAG, min_size=1, max_size=12)
SENTENCES = st.lists(
    TAGGING.flatmap(lambda tags: st.tuples(st.just(tags), _like(tags))), min_size=1
)


def _like(tags: list[str]) -> st.SearchStrategy:
    return st.lists(TAG, min_size=len(tags), max_size=len(tags))


def _spans(tags: list[str]) -> list[dict]:
    """Read strict IOB2 by hand: an I that continues nothing is no entity."""
    spans: list[dict] = []
    for at, tag in enumerate(tags):
        if tag.startswith("B-"):
            spans.append({"start": at, "end": at + 1, "label": tag[2:]})
        elif spans and tag == f"I-{spans[-1]['label']}" and spans[-1]["end"] == at:
            spans[-1]["end"] += 1
    return spans


@settings(deadline=None)
@given(SENTENCES)
def test_span_scores_equal_strict_seqeval(sentences):
    truths, answers = [list(side) for side in zip(*sentences, strict=True)]
    task = Spans(labels=LABELS)
    sides = task.array([_spans(t) for t in truths]), task.array([_spans(a) for a in answers])
    if not any(map(_spans, truths)) and not any(map(_spans, answers)):
        assert scoring.span_f1(*sides) == 1.0  # nothing to find and nothing found; seqeval says 0
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        strict = {"mode": "strict", "scheme": IOB2, "zero_division": 0}
        assert scoring.span_f1(*sides) == pytest.approx(f1_score(truths, answers, **strict))
        assert scoring.span_precision(*sides) == pytest.approx(
            precision_score(truths, answers, **strict)
        )
        assert scoring.span_recall(*sides) == pytest.approx(recall_score(truths, answers, **strict))
    for score in (scoring.span_f1, scoring.span_precision, scoring.span_recall):
        assert _quick(score, *sides) == score(*sides)


PAIRS = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=1, max_size=60)


@settings(deadline=None)
@given(PAIRS)
def test_accuracy_and_f1_of_one_label_equal_scikit_learn(pairs):
    names = list("abcde")
    task = Multiclass(labels=names)
    truths, answers = [[names[i] for i in side] for side in zip(*pairs, strict=True)]
    sides = task.array(truths), task.array(answers)
    expected = {
        scoring.accuracy: metrics.accuracy_score(truths, answers),
        scoring.macro_f1: metrics.f1_score(truths, answers, average="macro", zero_division=0),
        scoring.micro_f1: metrics.f1_score(truths, answers, average="micro", zero_division=0),
    }
    for score, value in expected.items():
        assert score(*sides) == pytest.approx(value)
        assert _quick(score, *sides) == pytest.approx(value)


ROWS = st.lists(st.lists(st.integers(0, 1), min_size=6, max_size=6), min_size=1, max_size=40)


@settings(deadline=None)
@given(ROWS)
def test_accuracy_and_f1_of_several_labels_equal_scikit_learn(rows):
    truths, answers = np.array(rows)[:, :3], np.array(rows)[:, 3:]
    expected = {
        scoring.accuracy: metrics.accuracy_score(truths, answers),
        scoring.macro_f1: metrics.f1_score(truths, answers, average="macro", zero_division=0),
        scoring.micro_f1: metrics.f1_score(truths, answers, average="micro", zero_division=0),
    }
    for score, value in expected.items():
        assert score(truths, answers) == pytest.approx(value)
        assert _quick(score, truths, answers) == pytest.approx(value)


def test_the_quick_mean_absolute_error_is_the_mean_absolute_error():
    draw = np.random.default_rng(0)
    sides = draw.normal(size=50), draw.normal(size=50)
    expected = metrics.mean_absolute_error(*sides)
    assert _quick(scoring.mean_absolute_error, *sides) == pytest.approx(expected)


def _quick(score, truths, answers):
    return QUICK[score].score(QUICK[score].prepare(truths, answers))
