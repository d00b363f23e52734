"""Whether choosing pays, and when to stop, on pools whose answer is known."""

import numpy as np
import pytest
from sklearn.metrics import accuracy_score

from allrounder.active.audit import Court
from allrounder.active.stopping import agreement, kappa, law, outlook
from allrounder.active.vectors import Vectors
from allrounder.tasks import TASKS

NUM = 400


@pytest.fixture
def court(rng):
    """Two classes along one axis; the last hundred records judge."""
    groups = rng.integers(2, size=NUM)
    table = rng.normal(size=(NUM, 8))
    table[:, 0] += 2.0 * groups
    return Court(
        task=TASKS.build("multiclass", at="tasks.topic"),
        vectors=Vectors.of([table.astype(np.float16)]),
        labels={place: f"g{group}" for place, group in enumerate(groups)},
        judged=np.arange(300, NUM),
        judge=lambda truths, answers: float(accuracy_score(truths, answers)),
    )


def test_labels_from_the_same_hat_gain_nothing(court):
    found = court.gain(np.arange(0, 60), np.arange(60, 120))
    assert found.n == 60 and found.judged == 100
    assert found.low < 0 < found.high
    assert not found.loses


def test_labels_of_one_class_lose_to_chance(court):
    only = np.array([p for p in range(200) if court.labels[p] == "g0"])[:60]
    found = court.gain(only, np.arange(200, 260))
    assert found.gain < -0.1
    assert found.loses


def test_too_few_labels_say_nothing(court):
    assert court.gain(np.arange(10), np.arange(10, 200)) is None


def test_kappa_is_that_of_cohen():
    one = ["a"] * 25 + ["b"] * 25
    other = ["a"] * 20 + ["b"] * 5 + ["a"] * 10 + ["b"] * 15
    assert kappa(one, other) == pytest.approx(0.4)  # .7 observed, .5 by chance
    assert kappa(["a"], ["a"]) == 1.0


def test_the_bound_follows_from_kappa_and_falls_as_labels_come(court):
    free = np.arange(200, 300)
    early = agreement(court, np.arange(75), free)
    late = agreement(court, np.arange(200), free)
    for found, bound in (early, late):
        assert bound == pytest.approx(4 * (1 - found) / found, abs=1e-5)
    assert late[1] <= early[1]
    assert agreement(court, np.arange(60), free) == (None, None)  # too few to compare


def test_numbers_have_no_kappa(court):
    numbers = Court(
        task=TASKS.build("regression", at="tasks.mood"),
        vectors=court.vectors,
        labels={place: float(place % 7) for place in range(NUM)},
        judged=court.judged,
        judge=court.judge,
    )
    assert agreement(numbers, np.arange(200), np.arange(200, 300)) == (None, None)


def test_a_power_law_is_found_again():
    sizes = np.array([25, 50, 100, 150, 200])
    assert law(sizes, 0.9 - 2 * sizes**-0.6, 400) == pytest.approx(0.9 - 2 * 400**-0.6, abs=1e-3)
    assert law(sizes, np.full(5, 0.5), 400) == pytest.approx(0.5, abs=1e-3)


def test_the_forecast_is_no_worse_than_now(court):
    found = outlook(court, range(200), np.arange(200, 300))
    assert found.labels == 200
    assert found.score <= found.low <= found.doubled <= found.high
    assert outlook(court, range(30), np.arange(200, 300)).doubled is None
