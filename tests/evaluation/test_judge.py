"""What a report says beyond its metrics."""

import dataclasses
import json

import pytest

from allrounder.errors import DataError
from allrounder.evaluation import judge
from allrounder.evaluation.forms.form import CLIP, clip


def test_a_task_without_labelled_records_is_refused(make):
    judged = make("multiclass", n=3)
    judged.truths = []
    with pytest.raises(DataError, match="the split has no record labelled for it"):
        judge(judged)


@pytest.mark.parametrize("kind", ["multiclass", "ordinal", "multilabel", "regression", "spans"])
def test_a_task_report_is_plain_data(make, kind):
    report = judge(make(kind, n=40), resamples=10)
    plain = dataclasses.asdict(report)
    assert json.loads(json.dumps(plain)) == plain
    assert report.kind == kind
    assert next(iter(report.metrics)) == report.decides


def test_the_confusion_matrix_counts_truth_by_answer(make):
    judged = make("multiclass", n=4, labels=["a", "b"])
    judged.truths, judged.decoded = ["a", "a", "b", "b"], ["a", "b", "b", "b"]
    report = judge(judged, resamples=10)
    assert report.confusion.labels == ["a", "b"]
    assert report.confusion.counts == [[1, 1], [0, 2]]
    b = report.per_label[1]
    assert (b.precision, b.recall, b.f1, b.support) == (0.666667, 1.0, 0.8, 2)


def test_rare_labels_are_folded_into_one_and_no_record_is_lost(make):
    report = judge(make("multiclass", n=500, labels=[f"l{i}" for i in range(30)]), resamples=10)
    assert len(report.confusion.labels) == 21
    assert report.confusion.labels[-1] == "other"
    assert sum(map(sum, report.confusion.counts)) == 500
    assert len(report.per_label) == 30


def test_the_surest_mistakes_come_first(make):
    errors = judge(make("multiclass"), resamples=10).errors
    assert len(errors) == 12
    assert [e.probability for e in errors] == sorted((e.probability for e in errors), reverse=True)
    assert all(e.truth != e.answer for e in errors)


def test_a_flawless_task_has_no_mistakes(make):
    judged = make("multiclass", n=20)
    judged.decoded = judged.truths
    assert judge(judged, resamples=10).errors == []


def test_the_mistakes_of_numbers_are_the_furthest_off(make):
    errors = judge(make("regression"), resamples=10).errors
    far = [abs(e.truth - e.answer) for e in errors]
    assert far == sorted(far, reverse=True)


def test_missed_spans_come_after_invented_ones(make):
    errors = judge(make("spans", n=15), resamples=10).errors
    sure = [e.probability or 0.0 for e in errors]
    assert sure == sorted(sure, reverse=True)
    assert any(e.probability is None for e in errors)


def test_the_text_of_a_span_mistake_is_clipped_around_it(make):
    judged = make("spans", n=1)
    judged.texts = ["x" * 1000 + "Acme" + "y" * 1000]
    judged.truths, judged.decoded = [[{"start": 1000, "end": 1004, "label": "ORG"}]], [[]]
    judged.answers = [{"spans": []}]
    (error,) = judge(judged, resamples=10).errors
    assert len(error.text) == CLIP + 2
    (span,) = error.truth
    assert error.text[span["start"] : span["end"]] == span["text"] == "Acme"


def test_a_short_text_is_not_clipped():
    assert clip("short", focus=3) == ("short", 0)


def test_a_long_text_is_clipped_at_its_end_only_where_the_place_is_early():
    text, shift = clip("a" * 300)
    assert (len(text), text[-1], shift) == (CLIP + 1, "…", 0)


def test_a_form_that_is_not_known_still_gets_its_metrics(make):
    judged = make("multiclass", n=20)
    judged.answers = [{"verdict": "so"}] * 20
    report = judge(judged, resamples=10)
    assert report.metrics and report.confusion is None and report.errors == []


def test_withheld_answers_are_counted(make):
    judged = make("multiclass", n=20)
    judged.answers[3]["abstained"] = True
    assert judge(judged, resamples=10).num_withheld == 1
