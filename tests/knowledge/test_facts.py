from datetime import date

import pytest

from allrounder.knowledge import Fact
from allrounder.knowledge.facts import SCHEMA, as_table, identities, local_name

FACT = Fact("acme", "led_by", "ada", True, date(2020, 1, 1), date(2024, 1, 1))


def test_columns_have_the_names_of_the_fields():
    assert tuple(SCHEMA.names) == Fact._fields
    assert as_table([]).num_rows == 0


def test_a_fact_is_shown_as_a_person_would_write_it():
    assert str(FACT) == "acme led_by ada from 2020-01-01 to 2024-01-01"
    assert str(Fact("acme", "name", "Acme")) == "acme name “Acme”"


@pytest.mark.parametrize("same", [{"source": "web"}, {"confidence": 0.5}])
def test_who_says_it_and_how_surely_is_no_part_of_what_is_said(same):
    one, other = identities(as_table([FACT, FACT._replace(**same)]))
    assert one == other


@pytest.mark.parametrize(
    "changed",
    [
        {"subject": "acm"},
        {"predicate": "led"},
        {"object": "adb"},
        {"is_entity": False},
        {"valid_from": None},
        {"valid_from": date(2020, 1, 2)},
        {"valid_to": None},
        {"subject": "ada", "object": "acme"},
    ],
)
def test_everything_else_is(changed):
    one, other = identities(as_table([FACT, FACT._replace(**changed)]))
    assert one != other


def test_the_number_of_a_fact_never_changes():
    assert identities(as_table([Fact("a", "b", "维生素C")])).tolist() == [-6388971096117878091]


def test_an_iri_is_short_where_it_ends_in_a_name():
    assert local_name("http://purl.example/HP_0001250") == "HP_0001250"
    assert local_name("https://a.example/x#Drug") == "Drug"
    assert local_name("https://a.example/") == "a.example"
    assert local_name("urn:isbn:123") == "123"
    assert local_name("9/11") == "9/11"
