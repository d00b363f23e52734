"""Rules ask a knowledge base by what texts say."""

import pytest

from allrounder.knowledge import Base, Fact, MentionFacts, Snapshot, known_words

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


MEDICINE = MentionFacts(
    Base(
        Snapshot.of(
            [
                Fact("d1", "name", "Aspirin"),
                Fact("d1", "alias", "阿司匹林"),
                Fact("d1", "type", "nsaid", is_entity=True),
                Fact("nsaid", "name", "NSAID"),
                Fact("nsaid", "is_a", "drug", is_entity=True),
                Fact("drug", "name", "drug"),
                Fact("drug", "is_a", "物质"),
                Fact("g1", "name", "Aspirin", confidence=0.1),
                Fact("g1", "type", "game"),
                Fact("m1", "name", "Mercury"),
                Fact("m1", "type", "planet"),
                Fact("m2", "name", "Mercury"),
                Fact("m2", "type", "metal"),
                Fact("c1", "name", "胃溃疡"),
                Fact("c1", "type", "疾病"),
            ]
        )
    )
)


@pytest.mark.parametrize(
    ("text", "type", "holds"),
    [
        ("She took aspirin.", "NSAID", True),
        ("She took aspirin.", "drug", True),
        ("She took aspirin.", "物质", True),
        ("She took aspirins.", "drug", False),
        ("她服用阿司匹林后胃溃疡加重", "drug", True),
        ("她服用阿司匹林后胃溃疡加重", "疾病", True),
        ("她服用了药物", "疾病", False),
        ("An NSAID helps.", "drug", True),
        ("A drug helps.", "drug", False),  # the type itself is none of its kind
        ("She took aspirin.", "game", False),  # a less likely meaning
        ("Mercury is hot", "planet", True),
        ("Mercury is hot", "metal", True),
        ("", "drug", False),
    ],
)
def test_a_text_mentions_what_is_of_a_type_or_a_kind_of_it(text, type, holds):
    assert MEDICINE.mentions(text, type) is holds


def test_types_are_all_that_entities_are_instances_or_kinds_of():
    assert [*MEDICINE.types] == ["NSAID", "drug", "game", "metal", "planet", "物质", "疾病"]
    assert known_words(MEDICINE)["types"]
    assert known_words(None) == {"predicates": (), "types": ()}
