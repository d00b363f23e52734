"""The study: what is drawn, what is remembered, and what a kill cannot undo."""

from collections import Counter

import numpy as np
import pytest

from allrounder.tuning import study
from allrounder.tuning.space import read_spaces
from allrounder.tuning.study import COMPARES_WITH, PRUNES_AFTER, STARTUP, Study
from allrounder.tuning.trials import best_of, ended

SPACES = read_spaces(["a.x=log(1e-4,1)", "a.n=int(1,9)", "a.c=choice(red,{kind: green},3)"])
AS_IT_STANDS = {"a.x": 0.01, "a.n": 3, "a.c": 1}


@pytest.fixture
def opened(tmp_path):
    """Open the study anew, as a process that starts does: ``opened()``."""

    def opened_study(seed: int = 0, drawn=AS_IT_STANDS) -> Study:
        found = Study(tmp_path / "study ?{1}.db", SPACES, seed=seed)
        found.mend()
        found.begin(drawn)
        return found

    return opened_study


def worth(values) -> float:
    """Return what a trial of these values comes to."""
    return -abs(np.log10(values.get("a.x", 1)) + 2) - 0.1 * values.get("a.n", 0)


def go_on(study, n: int) -> list[dict]:
    """Let `n` trials come to their end; return what they tried."""
    tried = []
    for _ in range(n):
        trial = study.ask()
        study.finish(trial.number, worth(trial.values), scores={"topic": 0.5}, seconds=1.0)
        tried.append(trial.values)
    return tried


def test_the_first_trial_is_the_project_file_as_it_stands(opened):
    first = opened().ask()
    assert first.as_it_stands
    assert first.values == {"a.x": 0.01, "a.n": 3, "a.c": {"kind": "green"}}


def test_a_file_outside_the_spaces_is_tried_all_the_same(opened):
    study = opened(drawn=None)
    first = study.ask()
    assert (first.as_it_stands, first.values) == (True, {})
    study.finish(first.number, 0.4)
    others = go_on(study, STARTUP + 4)
    assert all(values.keys() == AS_IT_STANDS.keys() for values in others)
    assert study.importances().keys() <= AS_IT_STANDS.keys()


def test_what_is_tried_lies_in_the_spaces(opened):
    for values in go_on(opened(), STARTUP + 8):
        assert 1e-4 <= values["a.x"] <= 1
        assert values["a.n"] in range(1, 10)
        assert values["a.c"] in ("red", {"kind": "green"}, 3)


def test_the_seed_decides_what_is_tried(tmp_path):
    tried = []
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        study = Study(tmp_path / name, SPACES, seed=seed)
        study.begin(AS_IT_STANDS)
        tried.append(go_on(study, STARTUP + 4))
    assert tried[0] == tried[1] != tried[2]


@pytest.mark.parametrize("moment", [0, 1, 5, STARTUP + 2])
def test_a_killed_search_tries_what_it_would_have_tried(tmp_path, moment):
    whole, cut = (Study(tmp_path / name, SPACES, seed=3) for name in ("whole", "cut"))
    whole.begin(AS_IT_STANDS)
    cut.begin(AS_IT_STANDS)
    expected = go_on(whole, STARTUP + 6)
    before = go_on(cut, moment)
    cut.ask()  # and then it is killed
    resumed = Study(tmp_path / "cut", SPACES, seed=3)
    assert resumed.mend() == 1
    resumed.begin(AS_IT_STANDS)
    after = go_on(resumed, STARTUP + 6 - moment)
    assert before + after == expected
    counts = Counter(trial.state for trial in resumed.trials)
    assert counts == {"complete": STARTUP + 6, "killed": 1}


def test_a_search_killed_while_it_draws_draws_the_same_again(tmp_path, monkeypatch):
    whole, cut = (Study(tmp_path / name, SPACES, seed=3) for name in ("whole", "cut"))
    whole.begin(AS_IT_STANDS)
    cut.begin(AS_IT_STANDS)
    expected = go_on(whole, 6)
    before = go_on(cut, 2)

    def draw(trial, space):
        if space.key == "a.n":
            raise KeyboardInterrupt
        drawn(trial, space)

    drawn = study._draw
    monkeypatch.setattr(study, "_draw", draw)
    with pytest.raises(KeyboardInterrupt):
        cut.ask()
    monkeypatch.undo()
    resumed = Study(tmp_path / "cut", SPACES, seed=3)
    resumed.mend()
    assert before + go_on(resumed, 4) == expected


def test_nothing_is_tried_twice_and_small_spaces_are_used_up(tmp_path):
    spaces = read_spaces(["a.n=int(1,3)", "a.c=choice(red,green)"])
    small = Study(tmp_path / "small", spaces, seed=0)
    small.begin({"a.n": 1, "a.c": 0})
    tried = go_on(small, 6)
    assert len({(values["a.n"], values["a.c"]) for values in tried}) == 6
    assert small.ask() is None
    assert len(ended(small.trials)) == 6


def test_trials_that_ended_are_there_for_the_next_process_as_they_were(opened):
    study = opened()
    go_on(study, 4)
    failed, dead = study.ask(), study.ask()
    study.fail(failed.number, "no room", seconds=2.0)
    before = ended(study.trials)
    again = opened()
    assert ended(again.trials) == before
    assert [t.state for t in again.trials if t.number == dead.number] == ["killed"]
    assert before[-1].error == "no room"


def test_a_trial_that_was_killed_is_enqueued_once_however_often_mending_is_interrupted(opened):
    study = opened()
    go_on(study, 2)
    dead = study.ask()
    for _ in range(3):
        opened()
    again = opened().ask()
    assert again.values == dead.values
    assert opened().ask().values == dead.values, "killed twice, it is tried a third time"


def test_the_file_as_it_stands_stays_what_it_is_when_it_is_tried_again(opened):
    opened().ask()
    again = opened().ask()
    assert again.as_it_stands
    assert again.number == 1


def test_a_trial_whose_workers_keep_dying_has_failed(opened):
    study = opened()
    go_on(study, 1)
    first = study.ask()
    study.lose(first.number, "its worker was killed by signal 9")
    second = study.ask()
    assert second.values == first.values
    study.lose(second.number, "its worker was killed by signal 9")
    states = [trial.state for trial in study.trials]
    assert states == ["complete", "killed", "failed"]
    assert study.ask().values != first.values


def test_a_trial_below_the_median_is_given_up_and_never_the_file_as_it_stands(opened):
    study = opened()
    for number in range(PRUNES_AFTER):
        trial = study.ask()
        pruned = [study.heard(trial.number, epoch, 0.5 + number / 10) for epoch in (1.0, 2.0)]
        assert not any(pruned), "too few trials to compare with"
        study.finish(trial.number, 0.5)
    good, bad = study.ask(), study.ask()
    assert study.heard(good.number, 1.0, 0.9) is False
    assert study.heard(bad.number, 1.0, 0.1) is True
    study.prune(bad.number, seconds=1.0)
    assert study.trials[bad.number].state == "pruned"
    assert study.trials[bad.number].curve == [(1.0, 0.1)]


def test_no_trial_is_given_up_at_its_end_or_where_few_have_come(opened):
    study = opened()
    for number in range(PRUNES_AFTER):
        trial = study.ask()
        study.heard(trial.number, 1.0, 0.9)
        if number < COMPARES_WITH - 1:
            study.heard(trial.number, 2.0, 0.9)
        study.finish(trial.number, 0.9)
    first, second = study.ask(), study.ask()
    assert study.heard(first.number, 1.0, 0.1, last=True) is False
    assert study.heard(second.number, 2.0, 0.1) is False


def test_the_file_as_it_stands_is_never_given_up(opened):
    study = opened()
    go_on(study, 0)
    stands = study.ask()
    for _ in range(PRUNES_AFTER + 1):
        trial = study.ask()
        study.heard(trial.number, 1.0, 0.9)
        study.finish(trial.number, 0.9)
    assert study.heard(stands.number, 1.0, 0.1) is False


def test_the_best_is_the_first_of_the_highest(opened):
    study = opened()
    for value in (0.3, 0.9, 0.9, 0.1):
        study.finish(study.ask().number, value)
    assert best_of(study.trials).number == 1
    assert best_of([]) is None


def test_importances_need_some_trials_and_add_up_to_one(opened):
    study = opened()
    go_on(study, 3)
    assert study.importances() == {}
    go_on(study, 20)
    shares = study.importances()
    assert sum(shares.values()) == pytest.approx(1)
    assert max(shares, key=shares.get) == "a.x"
