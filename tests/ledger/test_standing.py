"""What counts now of what people said."""

from dataclasses import replace
from functools import partial

import pytest
from asking import answer, undo
from hypothesis import given
from hypothesis import strategies as st

from allrounder.ledger import canonical, standing_of, standings


def numbered(*events):
    return [replace(one, number=number) for number, one in enumerate(events, start=1)]


def value(*events):
    found = standing_of(numbered(*events))
    return None if found is None else found.value


def test_of_each_person_the_latest_label_counts():
    events = numbered(answer("1", "a"), answer("2", "b"))
    found = standing_of(events)
    assert (found.value, found.who, found.numbers) == ("b", ["ada"], [2])
    assert found.agreed
    assert not found.settled


def test_skips_and_flags_are_no_labels_and_take_none_back():
    assert value(answer("1", act="skip"), answer("2", act="flag")) is None
    assert value(answer("1", "a"), answer("2", act="skip"), answer("3", act="flag")) == "a"


def test_what_most_say_counts_and_a_tie_goes_to_what_was_said_last():
    three = [answer("1", "a", who="ada"), answer("2", "b", who="ben"), answer("3", "b", who="cy")]
    assert value(*three) == "b"
    assert value(*reversed(three)) == "b"
    assert value(three[1], three[0]) == "a"
    assert value(three[0], three[1]) == "b"
    assert not standing_of(numbered(*three)).agreed


def test_a_tie_is_between_those_that_most_said():
    said = [answer(str(n), v, who=str(n)) for n, v in enumerate(["a", "a", "b", "b", "c"])]
    assert value(*said) == "b"


def test_the_last_word_of_a_reviewer_wins_over_what_is_said_before_and_after():
    said = [answer("1", "a"), answer("2", "b", act="settle", who="rex"), answer("3", "a", who="b")]
    found = standing_of(numbered(*said))
    assert (found.value, found.who, found.settled) == ("b", ["ada", "rex", "b"], True)
    assert found.agreed
    assert value(*said, answer("4", "c", act="settle", who="rex")) == "c"
    assert value(*said, undo("4", "2", who="rex")) == "a"


def test_an_undo_gives_back_what_was_there_before():
    said = [answer("1", "a"), answer("2", "b"), undo("3", "2")]
    assert value(*said) == "a"
    assert value(*said, undo("4", "1")) is None
    assert value(*said, undo("4", "3")) == "b"
    assert value(*said, undo("4", "3"), undo("5", "4")) == "a"


def test_an_undo_counts_though_it_comes_before_what_it_takes_back():
    assert value(undo("2", "1"), answer("1", "a")) is None


def test_order_is_by_number_and_not_by_clock():
    early, late = answer("1", "a", created="2030-01-01"), answer("2", "b", created="1999-01-01")
    assert value(early, late) == "b"
    assert standing_of(list(reversed(numbered(early, late)))).value == "b"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (["a", "b"], ["b", "a"]),
        (3, 3.0),
        (
            [{"start": 0, "end": 4, "label": "PER"}, {"start": 5, "end": 6, "label": "ORG"}],
            [{"label": "ORG", "start": 5, "end": 6}, {"label": "PER", "start": 0, "end": 4}],
        ),
    ],
)
def test_equal_labels_are_told_as_equal_however_they_are_written(one, other):
    assert canonical(one) == canonical(other)
    said = [answer("1", one, who="a"), answer("2", other, who="b"), answer("3", "x", who="c")]
    assert value(*said) == other


@given(st.randoms(use_true_random=False))
def test_what_counts_does_not_depend_on_the_order_in_which_events_are_told(random):
    acts = ["label", "label", "label", "skip", "settle", "undo"]
    events = []
    for number in range(1, 12):
        act, who = random.choice(acts), random.choice("abc")
        made = undo if act == "undo" else partial(answer, act=act)
        more = str(random.randint(1, 11)) if act == "undo" else random.choice("xyz")
        events.append(replace(made(str(number), more, who=who), number=number))
    mixed = random.sample(events, len(events))
    assert standing_of(mixed) == standing_of(events)


def test_every_record_and_task_has_its_own():
    events = numbered(
        answer("1", "a"), answer("2", "b", key="k2"), answer("3", act="skip", key="k3")
    )
    found = standings(events)
    assert {pair: one.value for pair, one in found.items()} == {
        (f"{1:016x}", "topic"): "a",
        (f"{2:016x}", "topic"): "b",
    }
    assert standings([]) == {}
