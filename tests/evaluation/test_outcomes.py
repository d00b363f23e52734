"""What came of the advice, beside what twins showed."""

import pytest

from allrounder.evaluation.advice import Advice, Foreseen, Outcome, checked, outcomes, sentences
from allrounder.evaluation.page import render_html
from allrounder.evaluation.report import Report
from allrounder.evaluation.score import Score
from allrounder.evaluation.sharing import Cost, Sharing, TaskSharing

BETTER = Score(value=0.02, low=0.01, high=0.03)
WORSE = Score(value=-0.02, low=-0.03, high=-0.01)
NOISE = Score(value=0.0, low=-0.01, high=0.01)


def report(onto, difference):
    """Return a report on one task, with advice before training and twins after."""
    task = TaskSharing(
        metric="accuracy",
        joint=[0.8],
        twin=[0.8],
        shipped=[0.8],
        validation=NOISE,
        difference=difference,
        after=difference,
        origin="shared snapshot",
    )
    cost = Cost(seconds=1.0, megabytes=1.0, parameters=1, milliseconds=1.0)
    sharing = Sharing(tasks={"topic": task}, seeds=1, budget=1.0, delta=NOISE, delta_after=NOISE,
                      costs={"one model": cost})  # fmt: skip
    advice = Advice(tasks={"topic": Foreseen(labels=9, onto=onto)}, cosines={}, affinities={},
                    groups=[["topic"]], hints=[])  # fmt: skip
    return Report(tasks={}, sharing=sharing, advice=advice)


@pytest.mark.parametrize(
    ("onto", "difference", "verdict"),
    [
        (BETTER, BETTER, "came true"),
        (WORSE, WORSE, "came true"),
        (BETTER, WORSE, "was wrong"),
        (BETTER, NOISE, "not seen beyond noise"),
        (NOISE, NOISE, "nothing to see"),
        (NOISE, WORSE, "missed it"),
        (None, BETTER, "missed it"),
    ],
)
def test_an_interval_decides_whether_advice_came_true(onto, difference, verdict):
    found = report(onto, difference).outcomes
    assert found["topic"].verdict == verdict
    assert checked(found).endswith(verdict)


def test_each_outcome_has_its_sentence():
    (said,) = sentences(report(BETTER, WORSE).outcomes)
    assert said == (
        "Before training, the probe foresaw that sharing would have helped topic (+0.020 [+0.010, "
        "+0.030] % of its loss); joint − twin is -0.020 [-0.030, -0.010] accuracy: it was wrong."
    )
    (said,) = sentences(report(None, WORSE).outcomes)
    assert said == (
        "Before training, the probe did not foresee that sharing hurt topic: joint − twin is "
        "-0.020 [-0.030, -0.010] accuracy."
    )
    assert not list(sentences(report(NOISE, NOISE).outcomes))


@pytest.mark.parametrize("onto", [BETTER, None])
def test_the_report_carries_advice_to_json_and_back_and_to_the_page(onto):
    first = report(onto, BETTER)
    again = Report.from_dict(first.to_dict())
    assert again.advice == first.advice
    assert "Did the advice come true?" in str(again)
    assert "Did the advice come true?" in render_html(again)


def test_without_advice_or_twins_there_is_nothing_to_compare():
    whole = report(BETTER, BETTER)
    assert Report(tasks={}, sharing=whole.sharing).outcomes == {}
    alone = Report(tasks={}, advice=whole.advice)
    assert alone.outcomes == {}
    assert "advice" not in render_html(alone)


def test_tasks_that_have_no_twin_are_left_out():
    whole = report(BETTER, BETTER)
    whole.advice.tasks["mood"] = Foreseen(labels=9, onto=BETTER)
    assert list(outcomes(whole.advice, whole.sharing)) == ["topic"]
    assert isinstance(whole.outcomes["topic"], Outcome)
