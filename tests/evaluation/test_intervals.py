"""Intervals hold the truth about as often as they promise, and chance is passed in."""

import numpy as np
import pytest

from allrounder.evaluation import judge
from allrounder.evaluation.intervals import FEWEST, affordable, bootstrap
from allrounder.tasks import scoring

KINDS = ["multiclass", "ordinal", "multilabel", "regression", "spans"]


def test_intervals_hold_the_true_accuracy_nineteen_times_in_twenty():
    held = 0
    for seed in range(200):
        right = np.random.default_rng(seed).random(200) < 0.7
        arrays = np.ones(200, dtype=int), right.astype(int)
        draws = bootstrap({"a": (scoring.accuracy, *arrays)}, 200, resamples=200, seed=seed)
        score = draws["a"].score()
        assert score.low <= score.value <= score.high
        held += score.low <= 0.7 <= score.high
    assert 0.90 <= held / 200 <= 0.99


def test_a_metric_without_a_quick_twin_is_resampled_as_it_is():
    draw = np.random.default_rng(0)
    arrays = draw.normal(size=80), draw.normal(size=80)
    by_hand = [
        scoring.r2(arrays[0][index], arrays[1][index])
        for index in _indices(seed=3, num_records=80, resamples=20)
    ]
    draws = bootstrap({"r2": (scoring.r2, *arrays)}, 80, resamples=20, seed=3)
    assert draws["r2"].resampled.tolist() == by_hand
    assert draws["r2"].value == scoring.r2(*arrays)


def _indices(seed, num_records, resamples):
    draw = np.random.default_rng(seed)
    return [draw.integers(0, num_records, num_records) for _ in range(resamples)]


@pytest.mark.parametrize("kind", KINDS)
def test_one_seed_gives_one_report(make, kind):
    judged = make(kind, n=60)
    assert judge(judged, resamples=40, seed=7) == judge(judged, resamples=40, seed=7)


def test_another_seed_gives_other_intervals(make):
    judged = make("multiclass", n=60)
    reports = [judge(judged, resamples=40, seed=seed) for seed in (1, 2)]
    assert reports[0].deciding.after.low != reports[1].deciding.after.low
    assert reports[0].deciding.after.value == reports[1].deciding.after.value


@pytest.mark.parametrize("kind", KINDS)
def test_a_model_gains_exactly_nothing_over_itself(make, kind):
    judged = make(kind, n=60)
    judged.before = judged.decoded
    for found in judge(judged, resamples=40).metrics.values():
        assert (found.gain.value, found.gain.low, found.gain.high) == (0.0, 0.0, 0.0)


def test_a_smaller_error_is_a_gain_above_zero(make):
    found = judge(make("regression"), resamples=40).metrics["mean_absolute_error"]
    assert found.after.value < found.before.value
    assert found.gain.value == pytest.approx(found.before.value - found.after.value)
    assert found.gain.low > 0


def test_pairing_makes_the_interval_of_a_gain_narrower_than_the_score(make):
    judged = make("multiclass", n=300)
    judged.before = list(judged.decoded)
    judged.before[0] = next(x for x in judged.labels() if x != judged.decoded[0])
    found = judge(judged, resamples=100).deciding
    assert found.gain.high - found.gain.low < (found.after.high - found.after.low) / 3


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("n", [1, 2])
def test_a_resample_of_one_class_neither_fails_nor_warns(make, kind, n):
    report = judge(make(kind, n=n), resamples=30)
    for found in report.metrics.values():
        assert np.isfinite([found.after.value, found.after.low, found.after.high]).all()


@pytest.mark.parametrize("kind", ["multiclass", "ordinal", "regression"])
def test_truths_that_are_all_alike_neither_fail_nor_warn(make, kind):
    judged = make(kind, n=40)
    judged.truths = [judged.truths[0]] * 40
    assert judge(judged, resamples=30).num_records == 40


def test_many_records_get_fewer_resamples():
    assert affordable(3_500, 500) == 500
    assert affordable(20_000, 500) == 100
    assert affordable(10_000_000, 500) == FEWEST
    assert affordable(10, 20) == 20
