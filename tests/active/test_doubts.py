"""Labels that were made wrong are found, and others are left alone."""

import numpy as np
import pytest

from allrounder.active.doubts import FAR, confident, doubted
from allrounder.tasks import TASKS

COUNT, FLIPPED = 600, 30
NAMES = ["fall", "flat", "rise"]


@pytest.fixture(scope="module")
def cloud():
    """Vectors of three groups, the group of each, and which labels are made wrong."""
    rng = np.random.default_rng(0)
    groups = rng.integers(0, 3, COUNT)
    vectors = rng.normal(size=(3, 16))[groups] + 0.5 * rng.normal(size=(COUNT, 16))
    wrong = rng.choice(COUNT, FLIPPED, replace=False)
    return vectors.astype(np.float32), groups, wrong


def turned(groups: np.ndarray, wrong: np.ndarray) -> np.ndarray:
    found = groups.copy()
    found[wrong] = (found[wrong] + 1) % 3
    return found


def found_at(found) -> set[int]:
    return {one.at for one in found.doubts}


@pytest.mark.parametrize("kind", ["multiclass", {"kind": "ordinal", "labels": NAMES}])
def test_wrong_labels_are_found_with_what_they_should_be(kind, cloud):
    vectors, groups, wrong = cloud
    if kind != "multiclass":  # groups that have an order
        vectors = np.concatenate([vectors, groups[:, None]], axis=1).astype(np.float32)
    labels = [NAMES[at] for at in turned(groups, wrong)]
    found = doubted(TASKS.build(kind, at="tasks.trend"), vectors, labels)
    assert found.labels == COUNT
    at = found_at(found)
    assert len(at & set(wrong.tolist())) >= 0.75 * FLIPPED
    assert len(at) <= 2 * FLIPPED
    for one in found.doubts[:10]:
        assert one.given == labels[one.at]
        assert one.other == NAMES[groups[one.at]]
    sure = [one.sure for one in found.doubts]
    assert sure == sorted(sure, reverse=True)
    assert min(sure) >= 0 and max(sure) <= 1


def test_the_number_of_errors_is_estimated(cloud):
    vectors, groups, wrong = cloud
    task = TASKS.build("multiclass", at="tasks.trend")
    clean = doubted(task, vectors, [NAMES[at] for at in groups])
    noisy = doubted(task, vectors, [NAMES[at] for at in turned(groups, wrong)])
    assert clean.errors < FLIPPED / 3 < noisy.errors < 2 * FLIPPED
    assert clean.agreed > noisy.agreed > 0.85


def test_of_several_labels_the_set_comes_with_the_wrong_one_turned(cloud):
    vectors, groups, wrong = cloud
    labels = [["rise"] if at == 2 else [] for at in groups]
    for at in wrong:
        labels[at] = [] if labels[at] else ["rise"]
    labels = [[*one, "flat"] if at == 1 else one for one, at in zip(labels, groups, strict=True)]
    found = doubted(TASKS.build("multilabel", at="tasks.topics"), vectors, labels)
    right = [one for one in found.doubts if one.at in set(wrong.tolist())]
    assert len(right) >= 0.8 * FLIPPED
    assert all(("rise" in one.given) != ("rise" in one.other) for one in right)
    assert found.errors is None


def test_numbers_far_from_what_is_said_are_found(cloud):
    vectors, _, wrong = cloud
    values = vectors @ np.linspace(-1, 1, 16)
    values[wrong] += 8
    found = doubted(TASKS.build("regression", at="tasks.mood"), vectors, values.tolist())
    assert found_at(found) >= set(wrong.tolist())
    assert all(abs(one.given - one.other) > 3 for one in found.doubts[:FLIPPED])
    assert all(0 <= one.sure < 1 for one in found.doubts)
    assert found.errors is None


def test_a_label_that_few_records_carry_is_not_doubted(cloud):
    vectors, groups, _ = cloud
    labels = [NAMES[at] for at in groups]
    labels[3] = labels[7] = "rare"
    found = doubted(TASKS.build("multiclass", at="tasks.trend"), vectors, labels)
    assert not {3, 7} & found_at(found)


def test_the_same_labels_give_the_same_doubts(cloud):
    vectors, groups, wrong = cloud
    task = TASKS.build("multiclass", at="tasks.trend")
    labels = [NAMES[at] for at in turned(groups, wrong)]
    assert doubted(task, vectors, labels) == doubted(task, vectors, labels)


def test_the_confident_joint_by_hand():
    """Two options; the levels are the means of own chances: 0.7 for the first, 0.8 for the second.

    The third record carries the first and speaks for the second alone; the sixth and the last one
    speak for nothing, since they reach neither level. So one of five firsts is wrong, 1.2 of six:
    the record of which the second is likeliest by odds, not the last one, of which the first is.
    """
    first = np.array([0.9, 0.9, 0.1, 0.9, 0.8, 0.6, 0.1, 0.1, 0.1, 0.1, 0.6])
    given = np.array([0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1])
    other, sure, errors = confident(np.stack([first, 1 - first], axis=1), given)
    assert other.tolist() == [0, 0, 1, 0, 0, 0, 1, 1, 1, 1, 1]
    assert sure[2] == pytest.approx(0.9 / (0.9 + 0.1))
    assert errors == pytest.approx(6 * 1 / 5)


def test_odds_count_and_not_differences():
    """Among many labels no other one need be likely: that of the second is 101 times likelier.

    Of every four firsts that speak for a label one speaks for another: 7.5 of these 30 are wrong.
    """
    rows = [[0.9, 0.1, 0.0], [0.001, 0.101, 0.05], [0.9, 0.1, 0.0], [0.05, 0.95, 0.0],
            [0.3, 0.5, 0.2], [0.9, 0.1, 0.0], [0.1, 0.9, 0.0]]  # fmt: skip
    chances = np.array([[*row, *[0.02] * 7] for row in rows * 5])
    given = np.array([0, 0, 0, 0, 0, 0, 1] * 5)
    other, sure, errors = confident(chances, given)
    assert errors == pytest.approx(7.5)
    found = np.flatnonzero(other != given) % len(rows)
    assert sorted(found.tolist()) == [1, 1, 1, 1, 1, 3, 3, 3]
    assert sure[1] > sure[3] > sure[4] > sure[0]


def test_a_number_is_far_by_the_modified_z_score():
    assert FAR == 3.5
