"""What every kind of sampling promises. A kind without a row in EXAMPLES fails."""

import json
from collections import Counter
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from allrounder.errors import ProjectError
from allrounder.kinds import dump
from allrounder.training.sampling import SAMPLINGS, Annealed, Proportional, Smoothed, Uniform, draw

EXAMPLES = {
    "proportional": Proportional(),
    "smoothed": Smoothed(alpha=0.5),
    "uniform": Uniform(cap=50),
    "annealed": Annealed(start=0.9, end=0.1),
}
KINDS = pytest.mark.parametrize("kind", sorted(SAMPLINGS.builtin))
SIZES = st.lists(st.integers(1, 400), min_size=1, max_size=6)


def sampling(kind):
    assert kind in EXAMPLES, f"give the sampling kind {kind!r} a row in EXAMPLES"
    return EXAMPLES[kind]


def groups_of(sizes):
    ends = np.cumsum([0, *sizes])
    return [np.arange(a, b) for a, b in pairwise(ends)]


@KINDS
@given(sizes=SIZES)
def test_shares_add_up_to_one_and_none_is_negative(kind, sizes):
    shares = sampling(kind).shares(np.array(sizes))
    assert shares.shape == (len(sizes),)
    assert shares.sum() == pytest.approx(1)
    assert (shares > 0).all()


@KINDS
@given(sizes=SIZES)
def test_a_larger_group_never_has_a_smaller_share(kind, sizes):
    shares = sampling(kind).shares(np.array(sorted(sizes)))
    assert (np.diff(shares) >= -1e-12).all()


@KINDS
@given(sizes=SIZES, seed=st.integers(0, 99))
def test_an_epoch_has_as_many_records_as_there_are(kind, sizes, seed):
    groups = groups_of(sizes)
    counts = sampling(kind).counts(np.array(sizes))
    rows = draw(groups, counts, np.random.default_rng(seed))
    assert abs(len(rows) - sum(sizes)) <= len(sizes) / 2, "each group is rounded by itself"
    again = draw(groups, counts, np.random.default_rng(seed))
    assert rows.tolist() == again.tolist(), "the same seed gives the same draw"


@KINDS
@given(sizes=SIZES)
def test_within_a_group_no_record_is_drawn_twice_more_than_another(kind, sizes):
    groups = groups_of(sizes)
    drawn = sampling(kind).counts(np.array(sizes))
    counts = Counter(draw(groups, drawn, np.random.default_rng(0)).tolist())
    for rows in groups:
        seen = [counts[row] for row in rows.tolist()]
        assert max(seen) - min(seen) <= 1


@KINDS
def test_another_seed_gives_another_order(kind):
    counts = sampling(kind).counts(np.array([50, 50]))
    one, other = (draw(groups_of([50, 50]), counts, np.random.default_rng(s)) for s in (1, 2))
    assert one.tolist() != other.tolist()


@KINDS
def test_the_settings_survive_being_written_out(kind):
    plain = json.loads(json.dumps(dump(sampling(kind))))
    assert SAMPLINGS.build(plain, at="training.sampling") == sampling(kind)


def test_proportional_visits_every_record_once():
    sizes = np.array([3, 90, 7])
    rows = draw(groups_of(sizes), Proportional().counts(sizes), np.random.default_rng(0))
    assert sorted(rows.tolist()) == list(range(100))


@pytest.mark.parametrize(
    ("alpha", "shares"), [(1.0, [0.1, 0.9]), (0.0, [0.5, 0.5]), (0.5, [0.25, 0.75])]
)
def test_smoothing_raises_counts_to_alpha(alpha, shares):
    assert Smoothed(alpha=alpha).shares(np.array([10, 90])).tolist() == pytest.approx(shares)


def test_smoothing_repeats_small_groups_and_thins_large_ones():
    sizes = np.array([10, 90])
    rows = draw(groups_of(sizes), Smoothed(alpha=0.0).counts(sizes), np.random.default_rng(0))
    small = rows[rows < 10]
    assert len(small) == 50
    assert set(small.tolist()) == set(range(10))
    assert len(set(rows[rows >= 10].tolist())) == 50


def test_annealing_moves_alpha_in_a_straight_line():
    sizes, annealed = np.array([10, 90]), Annealed(start=1.0, end=0.0)
    for done in (0.0, 0.3, 1.0):
        assert annealed.shares(sizes, done).tolist() == pytest.approx(
            Smoothed(alpha=1 - done).shares(sizes).tolist()
        )


def test_a_cap_bounds_what_a_group_counts_for():
    assert Proportional(cap=30).shares(np.array([10, 90])).tolist() == [0.25, 0.75]
    assert Proportional(cap=30).counts(np.array([10, 90])).tolist() == [25, 75]


def test_repeats_bound_how_often_a_record_is_shown_and_the_epoch_is_shorter():
    assert Uniform(repeats=2).counts(np.array([10, 90])).tolist() == [20, 50]


@pytest.mark.parametrize("key", ["cap", "repeats"])
def test_a_limit_of_nothing_is_refused(key):
    with pytest.raises(ProjectError, match=f"`s` has `{key}: 0.*`. Expected more than 0."):
        SAMPLINGS.build({"kind": "uniform", key: 0}, at="s")
