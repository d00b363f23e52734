from collections import Counter

import numpy as np

from allrounder.knowledge import Base, Fact, Snapshot
from allrounder.knowledge.controls import empty, renamed, shuffled, untyped

FACTS = [
    *(Fact(f"e{i}", "name", f"name {i}") for i in range(20)),
    *(Fact(f"e{i}", "type", "odd" if i % 2 else "even") for i in range(20)),
    *(Fact(f"e{i}", "next_to", f"e{(i + 1) % 20}", is_entity=True) for i in range(20)),
    Fact("nameless", "type", "odd"),
]
REAL = Snapshot.of(FACTS)


def told(snapshot, predicate):
    return {(f.subject, f.object) for f in snapshot.facts() if f.predicate == predicate}


def test_shuffled_facts_say_as_much_but_of_others():
    found = shuffled(REAL, np.random.default_rng(0))
    assert told(found, "name") == told(REAL, "name")
    for predicate in ("type", "next_to"):
        assert told(found, predicate) != told(REAL, predicate)
        counts = [Counter(o for _, o in told(one, predicate)) for one in (found, REAL)]
        assert counts[0] == counts[1]


def test_random_names_are_stretches_of_the_texts_as_long_as_the_true_ones():
    texts = ["a long text about nothing in particular", "short"]
    found = renamed(REAL, texts, np.random.default_rng(0))
    names = {f.subject: f.object for f in found.facts() if f.predicate == "name"}
    assert names.keys() == {*(f"e{i}" for i in range(20)), "nameless"}
    assert all(any(name in text for text in texts) for name in names.values())
    assert told(found, "type") == told(REAL, "type")


def test_without_types_only_the_names_are_left():
    found = Base(untyped(REAL))
    assert found.types.names == ["entity"]
    assert len(found.lexicon) == len(Base(REAL).lexicon)
    assert {f.predicate for f in found.snapshot.facts()} == {"name", "type"}


def test_the_same_chance_gives_the_same_control():
    one, other = (shuffled(REAL, np.random.default_rng(5)) for _ in range(2))
    assert one.fingerprint == other.fingerprint


def test_a_knowledge_base_without_facts_names_nothing():
    assert Base(empty()).find("name 1") == []
