"""How questions are spread over tasks, splits and chance."""

from collections import Counter
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from allrounder.active import STRATEGIES
from allrounder.active.cost import Cost
from allrounder.active.planning import Asked, Planner
from allrounder.active.pool import Known, Pool
from allrounder.active.vectors import Vectors
from allrounder.ledger import Answer
from allrounder.records.keys import hashes
from allrounder.tasks import TASKS

NUM = 300


@pytest.fixture
def pool(rng):
    """Two tasks about 300 records, 40 each of validation and test."""
    vectors = Vectors.of([rng.normal(size=(NUM, 6)).astype(np.float16)])
    tasks = {name: TASKS.build("multiclass", at=f"tasks.{name}") for name in ("topic", "mood")}
    return Pool(
        keys=hashes([str(i) for i in range(NUM)]),
        splits=np.repeat([0, 1, 2], [NUM - 80, 40, 40]).astype(np.int8),
        tasks=tasks,
        has={name: np.ones(NUM, bool) for name in tasks},
        vectors=dict.fromkeys(tasks, vectors),
    )


def planner(pool, known, **options):
    strategy = STRATEGIES.build({"kind": "margin", **options}, at="active")
    return Planner(pool, known, strategy, STRATEGIES.build("k_means", at="active.start"))


def labeled(pool, places, tasks=("topic", "mood")):
    known = Known.nothing(pool)
    for name in tasks:
        known.tell(name, places, [f"g{place % 2}" for place in places])
    return known


def test_without_labels_the_same_records_are_asked_of_all_tasks(pool):
    found = planner(pool, Known.nothing(pool), random_share=0).questions(20)
    assert Counter(one.task for one in found) == {"topic": 10, "mood": 10}
    assert len({one.place for one in found}) == 10
    assert {one.strategy for one in found} == {"k_means"}


def test_questions_of_one_record_stand_side_by_side(pool):
    found = planner(pool, labeled(pool, np.arange(40)), bonus=2.0).questions(30)
    places = [one.place for one in found]
    runs = sum(a != b for a, b in pairwise(places)) + 1
    assert runs == len(set(places))


def test_strategies_choose_training_records_only(pool):
    found = planner(pool, labeled(pool, np.arange(40)), random_share=0).questions(40)
    assert all(pool.splits[one.place] == 0 for one in found)
    assert {one.strategy for one in found} == {"margin"}


def test_the_random_share_fills_the_split_with_the_fewest_labels_and_says_how_likely_it_was(pool):
    known = labeled(pool, np.arange(40))
    found = planner(pool, known, random_share=1).questions(60)
    assert {one.arm for one in found} == {"random"}
    assert Counter((one.task, int(pool.splits[one.place])) for one in found) == {
        ("topic", 1): 15, ("topic", 2): 15, ("mood", 1): 15, ("mood", 2): 15,
    }  # fmt: skip
    assert all(one.probability == pytest.approx(15 / 40) for one in found)


def test_where_a_split_has_no_more_to_ask_chance_goes_on_in_the_others(pool):
    known = labeled(pool, np.concatenate([np.arange(100), np.arange(220, NUM)]))
    found = planner(pool, known, random_share=1).questions(20)
    assert len(found) == 20
    assert {(one.arm, int(pool.splits[one.place])) for one in found} == {("random", 0)}


def test_every_record_is_as_likely_to_be_drawn(pool):
    counts = np.zeros(NUM)
    for seed in range(300):
        found = planner(pool, Known.nothing(pool), random_share=1, seed=seed).questions(12)
        counts[[one.place for one in found if one.task == "topic"]] += 1
    drawn = counts[220:260]  # validation: two of forty a time
    assert drawn.mean() == pytest.approx(300 * 2 / 40, rel=0.05)
    assert drawn.std() < 1.6 * np.sqrt(drawn.mean())


def test_another_turn_draws_anew(pool):
    first, second = (planner(pool, Known.nothing(pool), random_share=1).questions(12, turn=turn)
                     for turn in (0, 12))  # fmt: skip
    assert {one.place for one in first} != {one.place for one in second}


def test_what_was_passed_over_is_not_asked_again(pool):
    known = labeled(pool, np.arange(40))
    known.closed = {"topic": set(range(40, 220))}
    found = planner(pool, known, random_share=0).questions(20)
    assert {one.task for one in found} == {"mood"}


def test_a_task_that_lost_to_chance_is_asked_at_random(pool):
    known = labeled(pool, np.arange(40))
    found = replace(planner(pool, known, random_share=0), switched_off=frozenset({"mood"}))
    kinds = {(one.task, one.strategy) for one in found.questions(20)}
    assert kinds == {("topic", "margin"), ("mood", "random")}


def test_a_record_without_what_a_task_reads_is_not_asked(pool):
    has = np.zeros(NUM, bool)
    has[:5] = True
    found = planner(replace(pool, has={**pool.has, "mood": has}), Known.nothing(pool),
                    random_share=0).questions(40)  # fmt: skip
    assert all(one.place < 5 for one in found if one.task == "mood")


def timed(number, key, task, seconds):
    return Answer(id=str(number), who="ann", key=key, task=task, act="label", value="x",
                  seconds=seconds)  # fmt: skip


def test_costs_are_the_medians_of_what_people_took():
    strategy = STRATEGIES.build("margin", at="active")
    events = [
        one
        for number in range(12)
        for one in (
            timed(2 * number, f"{number}", "topic", 11.0),
            timed(2 * number + 1, f"{number}", "mood", 3.0),
        )
    ]
    found = Cost.measured(events, strategy)
    assert (found.reading, found.by_task) == (9.0, {"mood": 3.0})  # 11 s less the 2 s assumed
    assert Cost.measured(events[:4], strategy) == Cost(strategy.reading, strategy.answering)
    asked = [Asked(0, "topic", "chosen", "margin"), Asked(0, "mood", "chosen", "margin")]
    assert found.of(asked) == 9 + 2 + 3
    assert found.within([*asked, Asked(1, "mood", "chosen", "margin")], 15 / 60) == asked
