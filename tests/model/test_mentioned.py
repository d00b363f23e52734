"""Rules ask a knowledge base by what texts say."""

import pytest

from allrounder.knowledge import Base, Fact, Snapshot
from allrounder.model.mentioned import MentionFacts

FACTS = MentionFacts(
    Base(
        Snapshot.of(
            [
                Fact("d1", "name", "Aspirin"),
                Fact("d1", "alias", "ASA"),
                Fact("c1", "name", "ulcer"),
                Fact("d1", "http://kb.org/drugs#contraindicated", "c1", is_entity=True),
                Fact("d1", "unit", "mg"),
            ]
        )
    )
)


@pytest.mark.parametrize(
    ("subject", "predicate", "object", "holds"),
    [
        ("Aspirin", "contraindicated", "ulcer", True),
        ("asa", "http://kb.org/drugs#contraindicated", "Ulcer", True),
        ("ulcer", "contraindicated", "Aspirin", False),
        ("Aspirin", "treats", "ulcer", False),
        ("Aspirin tablets", "contraindicated", "ulcer", False),
        ("Aspirin", "unit", "MG", True),
        ("nothing", "unit", "mg", False),
    ],
)
def test_a_fact_holds_between_what_two_texts_name(subject, predicate, object, holds):
    assert FACTS.holds(subject, predicate, object) is holds


def test_predicates_are_known_by_their_last_part_too():
    assert {"contraindicated", "http://kb.org/drugs#contraindicated", "unit"} <= {*FACTS.predicates}
