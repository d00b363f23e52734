"""What asking has come to, task by task: whether choosing pays, and whether to go on.

Looked at anew after every `STEP` answers, and kept beside the cache; each look is a point of the
curve of chosen labels against drawn ones.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from allrounder.active.audit import Court, Gain
from allrounder.active.planning import TRAIN
from allrounder.active.stopping import STEP as COMPARED
from allrounder.active.stopping import Outlook, outlook
from allrounder.asking.inquiry import Inquiry
from allrounder.ledger import Answer, Question, remaining
from allrounder.records import SPLITS
from allrounder.runs import write_text
from allrounder.tasks import Task

STEP = 25
"""Answers from one look to the next."""

VALIDATION = SPLITS.index("validation")


@dataclass(frozen=True)
class TaskReview:
    """What asking has come to for one task.

    Args:
        metric: what is scored.
        gain: what chosen labels gain over drawn ones, once there are enough of both.
        outlook: what further labels would change and gain.
    """

    metric: str
    gain: Gain | None
    outlook: Outlook

    def told(self, name: str) -> list[str]:
        """Return sentences on it."""
        return [*_of_gain(name, self.gain), *_of_outlook(name, self.metric, self.outlook)]


@dataclass(frozen=True)
class Review:
    """What asking has come to.

    Args:
        answers: how many there were.
        tasks: what came of each.
        curve: by task, the gains of earlier looks and this one, each with its number of answers.
    """

    answers: int
    tasks: Mapping[str, TaskReview]
    curve: Mapping[str, Sequence[Mapping[str, float]]] = field(default_factory=dict)

    @property
    def lost(self) -> frozenset[str]:
        """The tasks for which choosing is worse than chance beyond noise."""
        found = {name: one.gain for name, one in self.tasks.items()}
        return frozenset(name for name, gain in found.items() if gain and gain.loses)

    @property
    def notes(self) -> list[str]:
        """Sentences on all tasks."""
        return [line for name, one in self.tasks.items() for line in one.told(name)]

    def to_dict(self) -> dict[str, Any]:
        """Return plain data, ready for JSON."""
        tasks = {
            name: {"metric": one.metric, "gain": one.gain and one.gain.to_dict(),
                   "outlook": asdict(one.outlook)}
            for name, one in self.tasks.items()
        }  # fmt: skip
        return {"answers": self.answers, "tasks": tasks, "curve": dict(self.curve)}

    @classmethod
    def from_dict(cls, kept: Mapping[str, Any]) -> "Review":
        """Return what `to_dict` said."""
        tasks = {
            name: TaskReview(one["metric"], one["gain"] and Gain(**one["gain"]),
                             Outlook(**one["outlook"]))
            for name, one in kept["tasks"].items()
        }  # fmt: skip
        return cls(kept["answers"], tasks, kept["curve"])


def review(
    inquiry: Inquiry, questions: Iterable[Question], events: Sequence[Answer], *, path: Path
) -> Review | None:
    """Return what asking has come to, looked at anew where there are `STEP` answers more.

    Args:
        inquiry: the pool, with all labels.
        questions: all that were ever asked.
        events: all answers.
        path: where the last look is kept.
    """
    labels = [one for one in remaining(events) if one.act == "label"]
    old = _kept(path)
    if not labels or (old and old.answers <= len(labels) < old.answers + STEP):
        return old if labels else None
    arms = {(one.key, one.task): one.arm for one in questions if one.arm != "repeat"}
    tasks = {
        name: _looked_at(inquiry, name, task, arms, labels)
        for name, task in inquiry.pool.tasks.items()
        if task.reads == "record"
    }
    found = Review(len(labels), tasks, _longer(old, tasks, len(labels)))
    write_text(path, json.dumps(found.to_dict()))
    return found


def _kept(path: Path) -> Review | None:
    with suppress(OSError, ValueError, KeyError, TypeError):
        return Review.from_dict(json.loads(path.read_text(encoding="utf-8")))
    return None


def _longer(
    old: Review | None, tasks: Mapping[str, TaskReview], answers: int
) -> dict[str, list[Mapping[str, float]]]:
    """Return the curves with one point more."""
    curve = {name: list(points) for name, points in (old.curve if old else {}).items()}
    for name, one in tasks.items():
        if one.gain is not None:
            curve.setdefault(name, []).append({"answers": answers, **one.gain.to_dict()})
    return curve


def _looked_at(
    inquiry: Inquiry,
    name: str,
    task: Task,
    arms: Mapping[tuple[str, str], str],
    labels: Sequence[Answer],
) -> TaskReview:
    known = inquiry.known.labels[name]
    mine = [one for one in labels if one.task == name]
    keys = np.array([int(one.key, 16) for one in mine], dtype=np.uint64)
    at = inquiry.gathered.places(keys)
    drawn = {arm: [] for arm in ("chosen", "random", None)}
    history: dict[int, None] = {}
    for one, place in zip(mine, at.tolist(), strict=True):
        if place >= 0 and place in known and inquiry.pool.splits[place] == TRAIN:
            history.pop(place, None)
            history[place] = None
            drawn[arms.get((one.key, name))].append(place)
    places = inquiry.known.places(name)
    earlier = [place for place in inquiry.planner.trained(name).tolist() if place not in history]
    court = Court(
        task=task,
        vectors=inquiry.pool.vectors[name],
        labels=known,
        judged=places[inquiry.pool.splits[places] == VALIDATION],
        judge=_judge(task, list(known.values())),
    )
    free = inquiry.known.open(inquiry.pool, name, inquiry.pool.order(inquiry.strategy.seed), TRAIN)
    chosen, random = (np.unique(drawn[arm]).astype(np.int64) for arm in ("chosen", "random"))
    return TaskReview(
        metric=task.decides,
        gain=court.gain(chosen, random),
        outlook=outlook(court, [*earlier, *history], free),
    )


def _judge(task: Task, labels: Sequence[Any]) -> Any:
    """Return the deciding metric of a task, higher is better."""
    column = pa.chunked_array([pa.array(labels, task.type)])
    learned = task.learn(column, column) if labels else task
    metric = learned.metrics()[learned.decides]

    def judge(truths: Sequence[Any], answers: Sequence[Any]) -> float:
        found = metric.score(learned.array(truths), learned.array(answers))
        return found if metric.higher_is_better else -found

    return judge


def _of_gain(name: str, gain: Gain | None) -> list[str]:
    if gain is None:
        return []
    told = f"{100 * gain.gain:+.1f} points [{100 * gain.low:+.1f}, {100 * gain.high:+.1f}]"
    both = f"{gain.n} labels that were chosen beside {gain.n} that chance drew"
    if gain.loses:
        return [f"{name}: {both}: {told}. Choosing loses, so {name} is asked at random now."]
    return [f"{name}: {both}: {told} on {gain.judged} validation labels."]


def _of_outlook(name: str, metric: str, found: Outlook) -> list[str]:
    lines = []
    if found.bound is not None:
        lines.append(
            f"{name}: the last {COMPARED} labels changed F by at most {min(1.0, found.bound):.2f} "
            f"(kappa {found.kappa:.2f}); another {COMPARED} will hardly change it by more."
        )
    if found.doubled is not None:
        lines.append(
            f"{name}: {metric} {found.score:.3f} now; with twice as many labels "
            f"{found.doubled:.3f} [{found.low:.3f}, {found.high:.3f}] is expected."
        )
    return lines
