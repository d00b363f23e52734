"""Expected calibration error, counted by hand."""

import numpy as np
import pytest

from allrounder.evaluation import judge
from allrounder.evaluation.calibration import bins, calibration, expected_calibration_error


def test_the_error_of_four_answers_is_what_a_hand_counts():
    confidence = np.array([0.95, 0.91, 0.62, 0.68])
    right = np.array([True, False, True, True])
    found = bins(confidence, right)
    assert [(b.confidence, b.accuracy, b.count) for b in found] == [(0.65, 1.0, 2), (0.93, 0.5, 2)]
    # 2/4 · |1.00 - 0.65| + 2/4 · |0.50 - 0.93| = 0.175 + 0.215
    assert expected_calibration_error(found) == pytest.approx(0.39)


def test_the_edges_of_the_scale_have_a_bin():
    found = bins(np.array([0.0, 1.0]), np.array([False, True]))
    assert [b.count for b in found] == [1, 1]
    assert expected_calibration_error(found) == 0.0


def test_no_answer_has_no_calibration():
    assert calibration((np.array([]), np.array([])), None) is None


def test_before_and_after_calibration_are_told_apart(make):
    found = judge(make("multiclass"), resamples=10).calibration
    assert found.ece_before is not None
    assert found.ece_before != found.ece_after
    assert sum(b.count for b in found.bins) == 300


def test_several_labels_are_one_decision_a_label(make):
    found = judge(make("multilabel", n=50), resamples=10).calibration
    assert sum(b.count for b in found.bins) == 50 * 6
    assert found.ece_before is None


def test_spans_are_one_decision_a_span_that_was_said(make):
    judged = make("spans", n=50)
    found = judge(judged, resamples=10).calibration
    assert sum(b.count for b in found.bins) == sum(len(a["spans"]) for a in judged.answers)


def test_a_number_has_the_coverage_of_its_intervals_instead(make):
    report = judge(make("regression"), resamples=10)
    assert report.calibration is None
    assert report.coverage.promised == 0.9
    assert report.coverage.observed == pytest.approx(0.88, abs=0.01)


def test_a_number_without_interval_has_no_coverage(make):
    judged = make("regression", n=10)
    judged.answers = [{"value": answer["value"]} for answer in judged.answers]
    assert judge(judged, resamples=10).coverage is None
