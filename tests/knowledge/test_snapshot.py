from datetime import date

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from allrounder.errors import RunError
from allrounder.knowledge import Fact, Snapshot

FACTS = [
    Fact("acme", "name", "Acme Corp", confidence=0.5),
    Fact("acme", "name", "Acme"),
    Fact("acme", "alias", "ACM", confidence=0.3),
    Fact("acme", "type", "company", True),
    Fact("acme", "led_by", "ada", True, date(2020, 1, 1), date(2024, 1, 1)),
    Fact("acme", "led_by", "bob", True, date(2024, 1, 1), None),
    Fact("ada", "type", "人"),
    Fact("company", "is_a", "organisation", True),
    Fact("organisation", "name", "Organisation"),
]


def shown(snapshot, id):
    rows = snapshot.facts_of(snapshot.number(id))
    return {
        (snapshot.predicates[p], snapshot.value(o, e))
        for p, o, e in zip(rows.predicates, rows.objects, rows.is_entity, strict=True)
    }


def test_all_facts_of_an_entity_are_one_slice():
    snapshot = Snapshot.of(FACTS)
    assert shown(snapshot, "ada") == {("type", "人")}
    assert ("led_by", "bob") in shown(snapshot, "acme")
    assert len(snapshot.facts_of(snapshot.number("acme")).ids) == 6
    assert len(snapshot.facts_of(snapshot.number("bob")).ids) == 0


def test_an_unknown_id_has_no_number():
    assert Snapshot.of(FACTS).number("nobody") is None
    assert Snapshot.of([]).number("nobody") is None


def test_the_order_of_the_facts_does_not_matter():
    one, other = Snapshot.of(FACTS), Snapshot.of(FACTS[::-1])
    assert one.fingerprint == other.fingerprint
    assert one.fingerprint != Snapshot.of(FACTS[1:]).fingerprint


def test_the_same_statement_twice_counts_once_and_the_surer_one():
    twice = [Fact("a", "p", "b", confidence=0.2, source="x"), Fact("a", "p", "b", source="y")]
    snapshot = Snapshot.of(twice)
    assert len(snapshot) == 1
    assert snapshot.facts_of(0).confidence.tolist() == [1.0]


def test_a_name_is_the_surest_one_and_else_the_id():
    snapshot = Snapshot.of([*FACTS, Fact("http://kb.example/term#Fever", "type", "symptom")])
    names = dict(zip(snapshot.entities, snapshot.names(), strict=True))
    assert names["acme"] == "Acme"
    assert names["bob"] == "bob"
    assert names["http://kb.example/term#Fever"] == "Fever"


def test_nameless_are_those_of_which_something_else_is_known():
    snapshot = Snapshot.of([*FACTS, Fact("_:a.ttl#1", "part", "head")])
    assert [snapshot.entities[i] for i in snapshot.nameless()] == ["ada", "company"]


def test_types_are_followed_upwards():
    snapshot = Snapshot.of(FACTS)
    types = snapshot.types()
    assert types.names == ["Organisation", "company", "人"]
    assert types.of(snapshot.number("acme")) == ["Organisation", "company"]
    assert types.of(snapshot.number("ada")) == ["人"]
    assert types.of(snapshot.number("bob")) == []


def test_a_cycle_of_types_ends():
    snapshot = Snapshot.of(
        [
            Fact("x", "type", "a", True),
            Fact("a", "is_a", "b", True),
            Fact("b", "is_a", "a", True),
            Fact("b", "is_a", "top"),
        ]
    )
    assert snapshot.types().of(snapshot.number("x")) == ["a", "b", "top"]


def test_pairs_are_all_facts_with_a_predicate():
    snapshot = Snapshot.of(FACTS)
    pairs = snapshot.pairs("led_by")
    assert [snapshot.entities[i] for i in pairs.subjects] == ["acme", "acme"]
    assert {snapshot.entities[i] for i in pairs.objects} == {"ada", "bob"}
    assert pairs.is_entity.all()
    assert len(snapshot.pairs("unknown").subjects) == 0


@pytest.mark.parametrize(
    ("day", "leader"),
    [
        (date(2019, 12, 31), None),
        (date(2020, 1, 1), "ada"),
        (date(2023, 12, 31), "ada"),
        (date(2024, 1, 1), "bob"),
    ],
)
def test_on_a_day_only_what_is_valid_is_known(day, leader):
    snapshot = Snapshot.of(FACTS).at(day)
    leaders = {object for predicate, object in shown(snapshot, "acme") if predicate == "led_by"}
    assert leaders == ({leader} if leader else set())
    assert ("name", "Acme") in shown(snapshot, "acme")


def test_numbers_stay_the_same_on_another_day():
    whole = Snapshot.of(FACTS)
    part = whole.at(date(2019, 1, 1))
    assert part.number("bob") == whole.number("bob")
    assert part.fingerprint != whole.fingerprint


def test_without_dates_every_day_is_the_same():
    snapshot = Snapshot.of(FACTS[:4])
    assert snapshot.at(date(2000, 1, 1)) is snapshot


def test_what_is_saved_is_what_is_loaded(tmp_path):
    snapshot = Snapshot.of(FACTS, version=7)
    snapshot.save(tmp_path / "kb")
    loaded = Snapshot.load(tmp_path / "kb")
    assert (loaded.version, loaded.fingerprint) == (7, snapshot.fingerprint)
    assert loaded.facts() == snapshot.facts()
    assert list(loaded.names()) == list(snapshot.names())
    del loaded.__dict__["fingerprint"]
    assert loaded.fingerprint == snapshot.fingerprint


def test_an_empty_snapshot_is_a_snapshot(tmp_path):
    Snapshot.of([]).save(tmp_path / "kb")
    loaded = Snapshot.load(tmp_path / "kb")
    assert len(loaded) == 0
    assert loaded.types().names == []
    assert list(loaded.names()) == []


def test_a_folder_that_is_no_snapshot_is_refused(tmp_path):
    with pytest.raises(RunError, match=r"is no snapshot: it holds no about\.json"):
        Snapshot.load(tmp_path)


def test_facts_come_back_as_they_were_said():
    assert set(Snapshot.of(FACTS[1:]).facts()) == {fact._replace() for fact in FACTS[1:]} - {
        FACTS[2]
    } | {FACTS[2]._replace(confidence=float(np.float32(0.3)))}


def test_a_fact_is_known_by_the_same_number_in_every_version():
    one, other = Snapshot.of(FACTS), Snapshot.of(FACTS[4:5])
    (id,) = other.facts_of(other.number("acme")).ids
    assert one.fact(id) == FACTS[4]
    assert other.fact(12345) is None


DAYS = st.sampled_from([None, date(2020, 1, 1), date(2021, 1, 1), date(2022, 1, 1)])
STATED = st.builds(
    Fact,
    st.sampled_from("ab"),
    st.sampled_from(["p", "q"]),
    st.sampled_from("abx"),
    st.booleans(),
    DAYS,
    DAYS,
    st.just(""),
    st.sampled_from([0.5, 1.0]),
)


def surest(facts):
    """Return each statement once, as sure as the surest."""
    found = {}
    for fact in facts:
        found[fact[:6]] = max(found.get(fact[:6], 0), fact.confidence)
    return {Fact(*words, confidence=sure) for words, sure in found.items()}


@given(st.lists(STATED, max_size=12), st.dates(date(2019, 6, 1), date(2022, 6, 1)))
def test_any_facts_on_any_day_are_what_a_plain_set_holds(facts, day):
    snapshot = Snapshot.of(facts)
    valid = {
        fact
        for fact in surest(facts)
        if (fact.valid_from or day) <= day and (fact.valid_to is None or day < fact.valid_to)
    }
    assert set(snapshot.facts()) == surest(facts)
    assert set(snapshot.at(day).facts()) == valid
    for predicate in ("p", "q"):
        pairs = snapshot.at(day).pairs(predicate)
        assert len(pairs.subjects) == sum(fact.predicate == predicate for fact in valid)
