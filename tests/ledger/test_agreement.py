"""Agreement: golden values of published examples, and of independent implementations."""

from dataclasses import replace
from itertools import permutations

import numpy as np
import pytest
from asking import answer, undo
from sklearn.metrics import cohen_kappa_score

from allrounder.ledger import agreement as module
from allrounder.ledger.agreement import (
    agreement,
    alpha,
    kappa,
    masi,
    measure_of,
    overlap,
    self_agreement,
)

FOUR = """
1 2 3 3 2 1 4 1 2 . . .
1 2 3 3 2 2 4 1 2 5 . 3
. 3 3 3 2 3 4 2 2 5 1 .
1 2 3 3 2 4 4 1 2 5 1 .
"""
"""Four observers and twelve units with missing data (Krippendorff, 2011, example C)."""


def units(text, read=str):
    rows = [line.split() for line in text.strip().splitlines()]
    return [[read(v) for v in column if v != "."] for column in zip(*rows, strict=True)]


def test_alpha_of_two_observers_and_binary_data():  # Krippendorff (2011), example A
    assert alpha(units("0 1 0 0 0 0 0 0 1 0\n1 1 1 0 0 1 0 0 0 0")) == pytest.approx(
        0.095, abs=5e-4
    )


def test_alpha_of_two_observers_and_names():  # Krippendorff (2011), example B
    text = "a a b b d c c c e d d a\nb a b b b c c c e d d d"
    assert alpha(units(text)) == pytest.approx(0.692, abs=5e-4)


def test_alpha_of_any_number_of_observers_with_missing_data():  # Krippendorff (2011), C and D
    assert alpha(units(FOUR)) == pytest.approx(0.743, abs=5e-4)
    assert alpha(units(FOUR, float), "interval") == pytest.approx(0.849, abs=5e-4)


def test_alpha_of_numbers_does_not_depend_on_where_zero_is():
    far = [[value + 1e9 for value in values] for values in units(FOUR, float)]
    assert alpha(far, "interval") == pytest.approx(alpha(units(FOUR, float), "interval"))


def naive(values, distance):
    """Alpha as its definition says, over ordered pairs."""
    known = [unit for unit in values if len(unit) > 1]
    flat = [value for unit in known for value in unit]
    found = sum(
        sum(distance(a, b) for a, b in permutations(unit, 2)) / (len(unit) - 1) for unit in known
    )
    expected = sum(distance(a, b) for a, b in permutations(flat, 2)) / (len(flat) - 1)
    return 1 - found / expected


def test_alpha_of_sets_and_spans_is_as_its_definition_says(rng):
    sets = [
        [[name for name in "abc" if rng.random() < 0.5] for _ in range(rng.integers(1, 4))]
        for _ in range(40)
    ]
    assert alpha(sets, "sets") == pytest.approx(
        naive([[frozenset(v) for v in unit] for unit in sets], masi)
    )
    spans = [
        [[{"start": int(s), "end": int(s) + 3, "label": "P"}] for s in rng.integers(0, 4, 2)]
        for _ in range(40)
    ]
    read = [
        [frozenset((o["start"], o["end"], o["label"]) for o in v) for v in unit] for unit in spans
    ]
    assert alpha(spans, "spans") == pytest.approx(naive(read, overlap))


def test_of_many_sets_chance_is_taken_from_a_spread_of_them(monkeypatch, rng):
    sets = [[[str(n)] for n in rng.integers(0, 5, 2)] for _ in range(400)]
    exact = naive([[frozenset(v) for v in unit] for unit in sets], masi)
    monkeypatch.setattr(module, "COMPARED", 200)
    assert alpha(sets, "sets") == pytest.approx(exact, abs=0.05)


@pytest.mark.parametrize(
    ("a", "b", "distance"),
    [
        ("ab", "ab", 0),
        ("ab", "abcd", 1 - 1 / 2 * 2 / 3),
        ("ab", "bc", 1 - 1 / 3 * 1 / 3),
        ("a", "b", 1),
        ("", "a", 1),
        ("", "", 0),
    ],
)
def test_the_distance_of_sets_is_that_of_passonneau(a, b, distance):
    assert masi(frozenset(a), frozenset(b)) == pytest.approx(distance)
    assert masi(frozenset(b), frozenset(a)) == pytest.approx(distance)


def test_the_distance_of_spans_counts_labelled_characters():
    one, other = {(0, 4, "P")}, {(0, 6, "P"), (8, 10, "O")}
    assert overlap(frozenset(one), frozenset(other)) == pytest.approx(1 - 4 / 8)
    assert overlap(frozenset(one), frozenset({(0, 4, "O")})) == 1
    assert overlap(frozenset(), frozenset(one)) == 1
    assert overlap(frozenset(), frozenset()) == 0


@pytest.mark.parametrize(
    ("table", "value"),
    [((20, 5, 10, 15), 0.4), ((45, 15, 25, 15), 0.1304), ((25, 35, 5, 35), 0.2593)],
)
def test_kappa_of_two_persons(table, value):  # worked tables of yes and no
    both = [
        (a, b) for (a, b), n in zip(["yy", "yn", "ny", "nn"], table, strict=True) for _ in range(n)
    ]
    assert kappa(*zip(*both, strict=True)) == pytest.approx(value, abs=5e-5)


def test_kappa_is_that_of_an_independent_implementation(rng):
    first, second = rng.integers(0, 4, 200), rng.integers(0, 4, 200)
    second = np.where(rng.random(200) < 0.6, first, second)
    expected = cohen_kappa_score(first, second)
    assert kappa(first.tolist(), second.tolist()) == pytest.approx(expected)


def test_what_is_not_defined_is_none():
    assert alpha([]) is None
    assert alpha([["a"], ["b"]]) is None
    assert alpha([["a", "a"], ["a", "a"]]) is None
    assert alpha([[1.0, 1.0]], "interval") is None
    assert kappa([], []) is None
    assert kappa("aa", "aa") is None


@pytest.mark.parametrize(
    ("values", "measure"),
    [
        (["a", "b"], "nominal"),
        ([1, 2.5], "interval"),
        ([True, False], "nominal"),
        ([["a"], []], "sets"),
        ([[], [{"start": 0, "end": 1, "label": "P"}]], "spans"),
        (["a", 1], "nominal"),
        ([["a"], "a"], "nominal"),
    ],
)
def test_values_tell_how_they_are_compared(values, measure):
    assert measure_of(values) == measure


def numbered(*events):
    return [replace(one, number=number) for number, one in enumerate(events, start=1)]


def test_people_are_compared_by_what_each_says_now():
    said = [
        answer("1", "a", who="ada"), answer("2", "b", who="ben"), answer("3", "a", who="ben"),
        answer("4", "b", who="ada", key="k2"), answer("5", "b", who="ben", key="k2"),
        answer("6", "a", who="cy", key="k2"), answer("7", "a", key="k3"),
        answer("8", "c", who="rex", key="k2", act="settle"),
    ]  # fmt: skip
    found = agreement(numbered(*said), "topic")
    assert (found.num_records, found.measure) == (2, "nominal")
    assert found.same == pytest.approx(2 / 4)
    assert found.alpha == pytest.approx(alpha([["a", "a"], ["b", "b", "a"]]))
    assert found.pairs == {
        ("ada", "ben"): (2, 1.0),
        ("ada", "cy"): (1, 0.0),
        ("ben", "cy"): (1, 0.0),
    }
    assert agreement(numbered(*said), "mood").alpha is None


def test_a_person_is_compared_with_what_the_same_person_said_when_asked_again():
    said = [
        answer("1", "a", question=1), answer("2", "b", question=1),
        answer("3", "b", question=9),
        answer("4", "a", key="k2", question=2), answer("5", "b", key="k2", question=8),
        answer("6", "a", key="k3", question=3), answer("7", "b", key="k3", question=3),
        answer("8", "a", key="k4", question=4), answer("9", "b", key="k4", question=7),
        undo("10", "9", key="k4"),
    ]  # fmt: skip
    found = self_agreement(numbered(*said), "topic")
    assert list(found) == ["ada"]
    assert (found["ada"].num_records, found["ada"].same) == (2, 0.5)
    assert found["ada"].alpha == pytest.approx(alpha([["b", "b"], ["a", "b"]]))
