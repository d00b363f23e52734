"""What is said of sharing: in numbers, in words, in percent."""

import math

import numpy as np
import pytest

from allrounder.evaluation import Report, Score, Sharing
from allrounder.evaluation.page import render_html
from allrounder.evaluation.sharing import Cost, TaskSharing, over_seeds, relative
from allrounder.evaluation.views import shared, shared_scale


def score(value, low, high):
    return Score(value=value, low=low, high=high)


def task(difference, *, validation=None, after=None, origin="shared snapshot"):
    return TaskSharing(
        metric="accuracy",
        joint=[0.8, 0.82],
        twin=[0.78, 0.80],
        shipped=[0.8, 0.82],
        validation=validation or difference,
        difference=difference,
        after=after or difference,
        origin=origin,
    )


def sharing(**tasks):
    cost = Cost(seconds=61.0, megabytes=91.0, parameters=22_700_000, milliseconds=1.5)
    delta = score(1.0, -0.5, 2.5)
    return Sharing(
        tasks=tasks,
        seeds=2,
        budget=1.0,
        delta=delta,
        delta_after=delta,
        costs={"one model": cost, "2 twins": cost},
    )


BETTER, WORSE, NOISE = score(0.02, 0.01, 0.03), score(-0.02, -0.03, -0.01), score(0.0, -0.01, 0.01)


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (task(BETTER), "Sharing helped topic: +0.020 accuracy over its twin."),
        (task(NOISE), "Sharing changed topic within noise: 0.000 [-0.010, +0.010] accuracy."),
        (
            task(WORSE, validation=NOISE),
            "Sharing hurt topic on the records judged (-0.020 accuracy against its twin), which "
            "validation records did not show (0.000 [-0.010, +0.010]).",
        ),
        (
            task(WORSE, after=NOISE, origin="own snapshot"),
            "Sharing hurt topic on validation records (-0.020 [-0.030, -0.010] accuracy against "
            "its twin): its own snapshot answers it, 0.000 [-0.010, +0.010] on the records judged.",
        ),
        (
            task(NOISE, origin="twin"),
            "Its twin answers topic: 0.000 [-0.010, +0.010] against its twin.",
        ),
    ],
)
def test_each_finding_has_its_sentence(found, words):
    assert sharing(topic=found).sentences == [words]


def test_the_interval_over_seeds_is_students():
    found = over_seeds([0.01, 0.03, 0.02])
    half = 4.302653 * 0.01 / math.sqrt(3)
    assert (found.value, found.low, found.high) == pytest.approx(
        (0.02, 0.02 - half, 0.02 + half), abs=1e-6
    )


def test_delta_m_is_the_mean_relative_gain_in_percent():
    gains = {"a": np.array([0.1, 0.0]), "b": np.array([-0.02, 0.04])}
    assert relative(gains, {"a": 0.5, "b": -0.4}).tolist() == pytest.approx(
        [(20 - 5) / 2, (0 + 10) / 2]
    )


def test_the_table_names_twin_joint_difference_and_cost():
    text = str(sharing(topic=task(BETTER), mood=task(NOISE)))
    assert text.startswith("Did sharing help? Intervals over 2 seeds.")
    assert "+0.020 [+0.010, +0.030]" in text
    assert "Δm, %" in text
    assert "22.7 M" in text
    assert "1.50 ms" in text


def test_gains_are_drawn_on_one_scale_with_zero_in_its_middle():
    rows = shared(sharing(topic=task(BETTER), mood=task(WORSE)))
    scale = shared_scale(rows)
    assert scale.at(0) == 50
    assert scale.high == 4, "3.8 percent is the farthest end"
    assert [row.value for row in rows] == pytest.approx([2 / 0.79, -2 / 0.79])


def test_the_report_carries_it_to_json_and_back_and_to_the_page():
    report = Report(tasks={}, sharing=sharing(topic=task(BETTER)))
    again = Report.from_dict(report.to_dict())
    assert again.sharing == report.sharing
    assert "Sharing helped topic" in str(again)
    page = render_html(report)
    assert "Did sharing help?" in page
    assert 'id="sharing"' in page
    assert 'id="sharing"' not in render_html(Report(tasks={}))
