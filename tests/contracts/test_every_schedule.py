"""What every learning-rate schedule promises. A kind without a row in GOLDEN fails."""

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from allrounder.kinds import dump
from allrounder.training.schedules import SCHEDULES

AT = (0.0, 0.1, 0.2, 0.4, 0.6, 0.8, 1.0)
GOLDEN = {
    "linear": (0.0, 0.5, 1.0, 0.75, 0.5, 0.25, 0.0),
    "cosine": (0.0, 0.5, 1.0, (1 + math.sqrt(0.5)) / 2, 0.5, (1 - math.sqrt(0.5)) / 2, 0.0),
    "constant": (0.0, 0.5, 1.0, 1.0, 1.0, 1.0, 1.0),
}
KINDS = pytest.mark.parametrize("kind", sorted(SCHEDULES.builtin))


def built(kind, **fields):
    assert kind in GOLDEN, f"give the schedule {kind!r} a row in GOLDEN"
    return SCHEDULES.build({"kind": kind, **fields}, at="training.schedule")


@KINDS
def test_the_rate_is_what_the_formula_says(kind):
    schedule = built(kind, warmup=0.2)
    assert [schedule.factor(done) for done in AT] == pytest.approx(GOLDEN[kind], abs=1e-9)


@KINDS
@given(done=st.floats(0, 1.001), warmup=st.floats(0, 1))
def test_the_rate_lies_between_nothing_and_the_full_rate(kind, done, warmup):
    assert 0 <= built(kind, warmup=warmup).factor(done) <= 1


@KINDS
def test_without_warm_up_the_first_step_has_the_full_rate(kind):
    assert built(kind, warmup=0.0).factor(0.0) == 1


@KINDS
def test_the_settings_survive_being_written_out(kind):
    schedule = built(kind, warmup=0.3)
    plain = json.loads(json.dumps(dump(schedule)))
    assert SCHEDULES.build(plain, at="training.schedule") == schedule
