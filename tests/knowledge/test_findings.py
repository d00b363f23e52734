from datetime import date

from allrounder.knowledge import Fact, Snapshot
from allrounder.knowledge.findings import Finding, repeated, stats_of

FACTS = [
    Fact("a", "is_a", "b", True),
    Fact("b", "is_a", "c", True),
    Fact("c", "is_a", "b", True),
    Fact("self", "is_a", "self", True),
    Fact("c", "is_a", "top", True),
    Fact("a", "name", "Apple"),
    Fact("b", "alias", "Apple"),
    Fact("b", "name", "Bee", False, date(2020, 1, 1)),
    Fact("a", "type", "fruit"),
]


def test_everything_is_counted():
    stats = stats_of(Snapshot.of(FACTS, version=3))
    assert (stats.version, stats.facts, stats.entities, stats.names, stats.dated) == (3, 9, 5, 3, 1)
    assert stats.predicates == {"is_a": 5, "name": 2, "alias": 1, "type": 1}
    assert stats.types == {"fruit": 1}


def test_what_is_odd_is_named_and_kept():
    stats = stats_of(Snapshot.of(FACTS))
    assert stats.dangling == Finding(1, ["top"])
    assert stats.cycles == Finding(3, ["b", "c", "self"])
    assert stats.ambiguous == Finding(1, ["Apple"])


def test_the_numbers_are_text_for_people():
    assert str(stats_of(Snapshot.of(FACTS, version=3))) == (
        "version 3: 9 facts about 5 entities, 3 names and aliases, 1 facts with dates\n"
        "predicates: is_a 5, name 2, alias 1, type 1\n"
        "types: fruit 1\n"
        "1 ids of which nothing is known: top\n"
        "3 entities that are a kind of themselves: b, c, self\n"
        "1 aliases of several entities: Apple"
    )


def test_nothing_known_is_nothing_odd():
    stats = stats_of(Snapshot.of([]))
    assert (stats.facts, stats.cycles.count, stats.ambiguous.count) == (0, 0, 0)


def test_a_long_way_up_is_no_cycle():
    chain = [Fact(f"n{i}", "is_a", f"n{i + 1}", True) for i in range(2000)]
    assert stats_of(Snapshot.of(chain)).cycles.count == 0


def test_statements_made_twice_are_named():
    twice = [FACTS[5], FACTS[0], FACTS[5]._replace(confidence=0.5)]
    assert repeated(twice) == Finding(1, ["a name “Apple”"])
    assert repeated(FACTS) == Finding()
