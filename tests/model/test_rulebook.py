"""Which rules answer on which day."""

from datetime import date, timedelta

import numpy as np
import pytest
from making import made

from allrounder.errors import ProjectError
from allrounder.model import Answerer, Rulebook, decoder_of
from allrounder.rules import Rules
from allrounder.tasks import Multiclass

TASKS = {"intent": Multiclass(labels=["refund", "praise"])}
TODAY = date.today()
ENDED, BEGINS = TODAY - timedelta(3), TODAY + timedelta(3)
"""Far enough from today for a run of the tests that goes past midnight."""
DAYS = {"before": TODAY - timedelta(9), "now": TODAY, "after": TODAY + timedelta(9)}
RULES = Rules.of(
    [
        {"id": "old", "says": "intent = refund", "valid_to": ENDED},
        {"id": "new", "says": "intent = praise", "valid_from": BEGINS},
        {"id": "votes", "says": "text has a => intent = refund", "decodes": False},
    ]
)


@pytest.fixture
def prepared():
    return made(TASKS, [{"text": "a refund"}])


@pytest.fixture
def fields(prepared):
    return {n: e.field for e in prepared.model.inputs.values() for n in e.fields}


def test_the_rules_of_a_day_are_those_in_force_on_it(fields):
    book = Rulebook(RULES, TASKS, fields)
    found = {name: [r.id for r in book.on(day).rules.rules] for name, day in DAYS.items()}
    assert found == {"before": ["old"], "now": [], "after": ["new"]}
    assert book.on() is book.on(DAYS["now"])
    assert book.on(DAYS["after"]) is book.on(DAYS["after"] + timedelta(1))


def test_the_first_and_the_last_day_count(fields):
    book = Rulebook(RULES, TASKS, fields)
    assert [r.id for r in book.on(ENDED).rules.rules] == ["old"]
    assert [r.id for r in book.on(BEGINS).rules.rules] == ["new"]


def test_an_answer_follows_the_rules_of_the_day(prepared, fields):
    book = Rulebook(RULES, TASKS, fields)
    answerer = Answerer([(prepared.model, ["intent"])], {}, decoder=book.on())
    (own,) = answerer.answers(prepared, np.arange(1))
    assert "rules" not in own
    for name, label in (("before", "refund"), ("after", "praise")):
        (then,) = answerer.answers(prepared, np.arange(1), decoder=book.on(DAYS[name]))
        assert then["intent"]["label"] == label


def test_rules_that_contradict_one_another_on_a_day_do_not_answer_on_it(fields):
    both = [{"says": "intent = refund"}, {"says": "intent = praise", "valid_from": DAYS["after"]}]
    rules = Rules.of(both)
    book = Rulebook(rules, TASKS, fields)
    assert len(book.on().rules) == 1
    sentence = (
        f"The rules of {DAYS['after']} contradict one another, so that no answer follows all of "
        "them: rule_1: intent = refund; rule_2: intent = praise. Change one of these, or make one "
        "soft."
    )
    for asked in (lambda: book.on(DAYS["after"]), lambda: decoder_of(rules, TASKS, fields)):
        with pytest.raises(ProjectError) as error:
            asked()
        assert str(error.value) == sentence


def test_the_days_on_which_rules_change_are_known():
    assert RULES.changes(TODAY) == [BEGINS]
    assert RULES.changes(DAYS["before"]) == [ENDED + timedelta(1), BEGINS]
    for_ever = Rules.of([{"says": "intent = refund", "valid_to": date.max}])
    assert for_ever.changes(TODAY) == []
