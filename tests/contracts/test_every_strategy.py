"""What every way to choose questions promises."""

from typing import Any

import numpy as np
import pytest

from allrounder.active import STRATEGIES
from allrounder.active.planning import Planner
from allrounder.active.pool import Known, Pool
from allrounder.active.vectors import Vectors
from allrounder.records.keys import hashes, unit
from allrounder.tasks import TASKS

NUM = 120
GROUPS = 4

KINDS: dict[str, dict[str, Any]] = {
    "margin": {},
    "random": {},
    "least_confidence": {},
    "entropy": {},
    "bald": {},
    "badge": {},
    "core_set": {},
    "contrastive": {"neighbors": 5},
    "violations": {},
    "k_means": {},
    "typiclust": {"neighbors": 5},
    "prob_cover": {},
}

TASK_KINDS = ("multiclass", "ordinal", "multilabel", "regression")


def test_every_kind_is_in_the_table() -> None:
    assert set(KINDS) == set(STRATEGIES.builtin)


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(params=TASK_KINDS)
def task_kind(request: pytest.FixtureRequest) -> str:
    return request.param


def label(kind: str, group: int, number: float) -> Any:
    if kind == "regression":
        return float(number)
    return [f"g{group}"] * int(number > 0) if kind == "multilabel" else f"g{group}"


def made(task_kind: str, order: np.ndarray | None = None, known: int = 30) -> tuple[Pool, Known]:
    """Return a pool of four groups with some labels; `order` moves its records about."""
    rng = np.random.default_rng(0)
    order = np.arange(NUM) if order is None else order
    groups = rng.integers(GROUPS, size=NUM)
    middles = rng.normal(size=(GROUPS, 8))
    vectors = (middles[groups] + 0.5 * rng.normal(size=(NUM, 8))).astype(np.float16)
    numbers = vectors[:, 0].astype(float)
    spec = {"kind": task_kind}
    if task_kind != "regression":
        spec["labels"] = [f"g{i}" for i in range(GROUPS)]
    task = TASKS.build(spec, at="tasks.topic")
    pool = Pool(
        keys=hashes([f"record {i}" for i in range(NUM)])[order],
        splits=np.zeros(NUM, np.int8),
        tasks={"topic": task},
        has={"topic": np.ones(NUM, bool)},
        vectors={"topic": Vectors.of([vectors[order]])},
    )
    found = Known.nothing(pool)
    labels = [label(task_kind, int(groups[i]), numbers[i]) for i in range(NUM)]
    places = np.flatnonzero(order < known)
    found.tell("topic", places, [labels[i] for i in order[places]])
    return pool, found


class Echo:
    """A run whose answers break rules as often as the key of a record says."""

    def __init__(self, pool: Pool) -> None:
        self.pool = pool

    def broken(self, task: str, places: np.ndarray) -> np.ndarray:
        return np.floor(3 * unit(self.pool.keys[places], 1))

    def unsure(self, task: str, places: np.ndarray, measure: Any) -> np.ndarray:
        raise AssertionError("no task here reads tokens")


def planner(kind: str, pool: Pool, known: Known, **changes: Any) -> Planner:
    spec = {"kind": kind, "random_share": 0, **KINDS[kind], **changes}
    start = STRATEGIES.build("k_means", at="active.start")
    strategy = STRATEGIES.build(spec, at="active")
    return Planner(pool, known, strategy, start, voices={"topic": Echo(pool)})


def test_chosen_records_differ_and_have_no_label(kind: str, task_kind: str) -> None:
    pool, known = made(task_kind)
    found = planner(kind, pool, known).questions(20)
    places = [one.place for one in found]
    assert len(set(places)) == len(places) == 20
    assert not set(places) & set(known.labels["topic"])
    assert all(one.arm == "chosen" and np.isfinite(one.score) for one in found)


def test_there_are_never_more_than_may_be_asked(kind: str, task_kind: str) -> None:
    pool, known = made(task_kind, known=NUM - 7)
    found = planner(kind, pool, known).questions(20)
    assert len({one.place for one in found}) == len(found) == 7
    assert not planner(kind, *made(task_kind, known=NUM)).questions(20)


def test_the_same_seed_chooses_the_same(kind: str, task_kind: str) -> None:
    first, second = (planner(kind, *made(task_kind), seed=3).questions(10) for _ in range(2))
    assert first == second


def test_the_order_of_the_pool_makes_no_difference(kind: str) -> None:
    order = np.random.default_rng(1).permutation(NUM)
    pool, known = made("multiclass")
    moved, told = made("multiclass", order)
    here = [pool.keys[one.place] for one in planner(kind, pool, known).questions(10)]
    there = [moved.keys[one.place] for one in planner(kind, moved, told).questions(10)]
    assert here == there


def test_a_task_without_labels_is_asked_too(kind: str) -> None:
    pool, known = made("multiclass", known=0)
    found = planner(kind, pool, known).questions(10)
    assert len({one.place for one in found}) == 10


def test_a_task_with_one_label_so_far_is_asked_too(kind: str) -> None:
    pool, known = made("multiclass")
    known.labels["topic"] = dict.fromkeys(known.labels["topic"], "g0")
    found = planner(kind, pool, known).questions(10)
    assert len({one.place for one in found}) == 10
