"""Which labels of a project are likely wrong, over all its tasks; kept for the page to show."""

import json
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from allrounder.active.doubts import LEAST, Doubted, doubted
from allrounder.asking.inquiry import Inquiry, chosen_strategy, open_inquiry
from allrounder.errors import ProjectError, did_you_mean, listed
from allrounder.evaluation.table import aligned
from allrounder.ledger import Answers, given
from allrounder.ledger.standing import canonical
from allrounder.plan import Plan
from allrounder.runs import write_text

KEPT = "doubts.json"
"""The file of the cache in which doubts are kept."""

MOST = 20_000
"""Labels of a task that are looked at; of more, so many by chance."""

AGREED = 0.8
"""Share of labels that heads have to give too, or they doubt more than is wrong."""

AGAIN = 25
"""New labels after which it is looked again beside the page; more where there are many."""

SHOWN = 60
"""Characters of a record that a table shows."""

Tell = Callable[[str, float, float, str], None]


@dataclass(frozen=True)
class Doubtful:
    """A label of a project that is likely wrong.

    Args:
        key: the hash of the record's content, in 16 hexadecimal digits.
        task: the task.
        given: the label.
        other: what heads that never saw the record say instead; None where records of the same
            content disagree.
        sure: how sure that is, from 0 to 1.
        record: the record, as a person would read it.
    """

    key: str
    task: str
    given: Any
    other: Any
    sure: float
    record: str = ""


@dataclass(frozen=True)
class TaskDoubts:
    """What was found in one task.

    Args:
        labels: how many labels were looked at.
        found: how many of them are doubtful.
        errors: how many are wrong by estimate; None of numbers and of sets of labels.
        agreed: the share of labels that heads give too; None of numbers.
    """

    labels: int
    found: int
    errors: float | None
    agreed: float | None


@dataclass(frozen=True)
class Doubts:
    """Labels that are likely wrong.

    A record comes the earlier the surer its doubts are in sum: one that is doubtful in several
    tasks is likely broken itself.

    Args:
        doubts: the first of them, those of one record side by side.
        tasks: what was found in each.
        notes: sentences on what a reader has to know.
    """

    doubts: Sequence[Doubtful]
    tasks: Mapping[str, TaskDoubts]
    notes: Sequence[str] = field(default_factory=list)

    def to_dict(self) -> dict[str, Any]:
        """Return plain data, ready for JSON."""
        return {
            "doubts": [asdict(one) for one in self.doubts],
            "tasks": {name: asdict(one) for name, one in self.tasks.items()},
            "notes": list(self.notes),
        }

    def __str__(self) -> str:
        rows, last = [["task", "label", "likelier", "sure", "record"]], None
        for one in self.doubts:
            text = "〃" if one.key == last else _cut(one.record)
            other = "there are two" if one.other is None else _said(one.other)
            rows.append([one.task, _said(one.given), other, f"{one.sure:.2f}", text])
            last = one.key
        table = aligned(rows, left=5) if self.doubts else "No label looks wrong."
        told = [_of_task(name, one) for name, one in self.tasks.items()]
        return "\n\n".join([table, "\n".join(f"- {line}" for line in [*told, *self.notes])])


def _of_task(name: str, one: TaskDoubts) -> str:
    by = "" if one.agreed is None else f", by heads that agree with {one.agreed:.0%} of them"
    weak = " Most of that are errors of the heads: read the surest." if _is_weak(one) else ""
    return f"{name}: {one.found:,} of {one.labels:,} labels are doubtful{by}.{weak}"


def _is_weak(one: TaskDoubts) -> bool:
    return one.agreed is not None and one.agreed < AGREED


def _said(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "none"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _cut(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= SHOWN else line[: SHOWN - 1] + "…"


def doubts(plan: Plan, *, runs: Path, n: int = 50, tasks: Sequence[str] = (), tell: Tell) -> Doubts:
    """Return the labels of a project that are likely wrong, and keep them for the page.

    Args:
        plan: the project file.
        runs: where its runs are, whose encoders tell what records are like.
        n: how many are returned; all that are found are kept.
        tasks: which tasks are looked at; by default all.
        tell: called as it goes on.
    """
    if n < 1:
        raise ProjectError(f"`n` must be 1 or more. Got {n}.")
    for name in tasks:
        if name not in plan.tasks:
            hint = did_you_mean(name, plan.tasks)
            raise ProjectError(f"There is no task {name!r}.{hint} Tasks: {listed(plan.tasks)}.")
    inquiry = open_inquiry(plan, runs=runs, strategy=chosen_strategy(plan, None), tell=tell)
    return look(inquiry, plan, n=n, tasks=tasks, tell=tell)


def refresh(plan: Plan, *, runs: Path, tell: Tell) -> None:
    """Look for doubtful labels anew, if there are enough more answers than at the last look."""
    name, number = _mark(plan)
    with suppress(OSError, ValueError, KeyError, TypeError):
        kept = json.loads((plan.cache / KEPT).read_text(encoding="utf-8"))
        (old, before), labels = kept["answers"], int(kept["labels"])
        if old == name and number < int(before) + max(AGAIN, labels // 10):
            return
    strategy = chosen_strategy(plan, None)
    look(open_inquiry(plan, runs=runs, strategy=strategy, tell=tell, waits=False), plan, tell=tell)


def _mark(plan: Plan) -> tuple[str, int]:
    """Return the name of the ledger and the number of its latest answer."""
    if not given(plan.where):
        return "", 0
    with Answers(plan.where, read_only=True) as ledger:
        return ledger.mark


def look(
    inquiry: Inquiry, plan: Plan, *, n: int = 50, tasks: Sequence[str] = (), tell: Tell
) -> Doubts:
    """Return the doubtful labels of a pool that is open, and keep them; arguments as `doubts`."""
    mark, settled = _mark(plan), _settled(plan)
    found: list[Doubtful] = []
    told: dict[str, TaskDoubts] = {}
    notes: list[str] = []
    for name in tasks or plan.tasks:
        if name not in inquiry.pool.tasks or inquiry.pool.tasks[name].reads != "record":
            notes.append(f"{name} is left out: no head of it can be fitted on one vector a record.")
            continue
        tell("doubt", len(told), len(plan.tasks), name)
        own, one = _in_task(inquiry, name, notes)
        own = [each for each in own if (each.key, name) not in settled]
        found += own
        if one is not None:
            told[name] = TaskDoubts(one.labels, len(own), one.errors, one.agreed)
    ordered = list(_by_record(found))
    kept = {
        "answers": mark,
        "labels": sum(map(len, inquiry.known.labels.values())),
        "tasks": {name: asdict(one) for name, one in told.items()},
        "doubts": [[one.key, one.task, one.given, one.other, one.sure] for one in ordered],
    }
    write_text(plan.cache / KEPT, json.dumps(kept, ensure_ascii=False))
    return Doubts(_shown(inquiry, ordered[:n]), told, notes)


def _in_task(
    inquiry: Inquiry, name: str, notes: list[str]
) -> tuple[list[Doubtful], Doubted | None]:
    """Return what is doubtful in a task; what is to be told of it goes into the notes."""
    known = inquiry.known.labels[name]
    split = list(_disagreeing(inquiry, name))
    apart = {one.key for one in split}
    places = [at for at in inquiry.known.places(name).tolist() if _key(inquiry, at) not in apart]
    if len(places) < LEAST or len({str(known[at]) for at in places}) < 2:
        notes.append(
            f"{name} has {len(places):,} labels: too few to doubt any. From {LEAST}, with two "
            "different ones, it can be told."
        )
        return split, None
    if len(places) > MOST:
        notes.append(f"{name}: {MOST:,} of {len(places):,} labels were looked at, by chance.")
        rng = np.random.default_rng(inquiry.strategy.seed)
        places = np.sort(rng.choice(places, MOST, replace=False)).tolist()
    vectors = inquiry.pool.vectors[name][np.array(places)]
    labels = [known[at] for at in places]
    found = doubted(inquiry.pool.tasks[name], vectors, labels, seed=inquiry.strategy.seed)
    mine = [
        Doubtful(_key(inquiry, places[one.at]), name, one.given, one.other, round(one.sure, 6))
        for one in found.doubts
    ]
    return [*split, *mine], found


def _disagreeing(inquiry: Inquiry, name: str) -> Iterator[Doubtful]:
    """Yield records of which others with the same content have another label."""
    rows = inquiry.records.indices(task=name)
    places = inquiry.gathered.place[rows]
    often = np.bincount(places, minlength=len(inquiry.pool)) > 1
    rows = rows[often[places]]
    labels: dict[int, dict[str, Any]] = defaultdict(dict)
    values = inquiry.records.take(name, rows) if len(rows) else []
    for place, value in zip(inquiry.gathered.place[rows].tolist(), values, strict=True):
        labels[place].setdefault(canonical(value), value)
    for place, different in labels.items():
        if len(different) > 1:
            given = inquiry.known.labels[name][place]
            yield Doubtful(_key(inquiry, place), name, given, None, 1.0)


def _key(inquiry: Inquiry, place: int) -> str:
    return format(int(inquiry.pool.keys[place]), "016x")


def _settled(plan: Plan) -> set[tuple[str, str]]:
    """Return the records and tasks of which a reviewer had the last word."""
    if not given(plan.where):
        return set()
    with Answers(plan.where, read_only=True) as ledger:
        return {pair for pair, one in ledger.standing().items() if one.settled}


def _by_record(found: Sequence[Doubtful]) -> Iterator[Doubtful]:
    sums: dict[str, float] = defaultdict(float)
    for one in found:
        sums[one.key] += one.sure
    yield from sorted(found, key=lambda one: (-sums[one.key], one.key, -one.sure))


def _shown(inquiry: Inquiry, found: Sequence[Doubtful]) -> list[Doubtful]:
    """Return doubts with their records as a person would read them."""
    keys = np.array([int(one.key, 16) for one in found], dtype=np.uint64)
    rows = [int(inquiry.gathered.rows[place]) for place in inquiry.gathered.places(keys)]
    texts = inquiry.records.legible(inquiry.records.fields, rows) if rows else []
    return [
        Doubtful(**{**asdict(one), "record": text}) for one, text in zip(found, texts, strict=True)
    ]
