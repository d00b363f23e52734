"""Judging rules: joint answers to records, held against what tasks say alone and against labels."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from allrounder.evaluation.rules import RuledTask, RuleReport, RulesReport
from allrounder.evaluation.said import Calibration, Passes
from allrounder.model import Decided, Prepared, decided, scored
from allrounder.records import Records
from allrounder.rules import Decoder, Rule, World
from allrounder.rules.syntax import condition_of
from allrounder.tasks import Task


@dataclass(frozen=True)
class Ruled:
    """Joint answers to some records.

    Args:
        decoder: the rules.
        rows: by row, the joint answer.
        milliseconds: what that took a record.
    """

    decoder: Decoder
    rows: Mapping[int, Decided]
    milliseconds: float


def under_rules(
    passes: Passes,
    prepared: Prepared,
    rows: np.ndarray,
    *,
    calibration: Calibration,
    decoder: Decoder,
) -> Ruled:
    """Return the joint answers to records, every task asked of each that has what it reads."""
    named = set(decoder.tasks)
    parts = [
        (model, part)
        for model, tasks in passes
        if (mine := [name for name in tasks if name in named])
        for part in scored(model, prepared, rows, tasks=mine)
    ]
    began = time.perf_counter()
    found = decided(decoder, parts, prepared, calibration, reasons=False)
    seconds = time.perf_counter() - began
    return Ruled(decoder, found, round(1000 * seconds / max(len(found), 1), 3))


def rules_report(
    ruled: Ruled, prepared: Prepared, records: Records, tasks: Mapping[str, Task]
) -> RulesReport:
    """Judge rules on the records that they were laid under, labelled or not."""
    rows = sorted(ruled.rows)
    every = [ruled.rows[row] for row in rows]
    inputs = [{n: prepared.values[n][row].as_py() for n in ruled.decoder.fields} for row in rows]
    named = {name: tasks[name] for name in ruled.decoder.tasks}
    gold = _gold(named, prepared, records, rows)
    said = [[World(mentioned(one, prepared, named, row), given)
             for one, row, given in zip(labels, rows, inputs, strict=True)]
            for labels in ([one.own for one in every], [one.labels for one in every])]  # fmt: skip
    truths = [World(mentioned(labels, prepared, named, row), given)
              for labels, row, given in zip(gold, rows, inputs, strict=True)]  # fmt: skip
    return RulesReport(
        num_records=len(rows),
        before=_broken(ruled.decoder, said[0]),
        after=_broken(ruled.decoder, said[1]),
        changed=float(np.mean([bool(one.outcome.changed) for one in every])) if every else 0.0,
        relaxed=sum(bool(one.outcome.relaxed) for one in every),
        milliseconds=ruled.milliseconds,
        rules=[_rule(ruled.decoder, rule, *said, truths) for rule in ruled.decoder.rules.rules],
        tasks={name: one for name, task in named.items()
               if (one := _task(name, task, every, gold)) is not None},
        version=ruled.decoder.rules.version,
    )  # fmt: skip


def _broken(decoder: Decoder, worlds: Sequence[World]) -> float:
    """Return the share of records that break a hard rule."""
    trees = [rule.tree for rule in decoder.rules.rules if rule.is_hard]
    found = [any(decoder.meaning.truth(tree, world) is False for tree in trees) for world in worlds]
    return round(float(np.mean(found or [0.0])), 6)


def _gold(
    tasks: Mapping[str, Task], prepared: Prepared, records: Records, rows: Sequence[int]
) -> list[dict[str, Any]]:
    """Return the labels of each row, of those tasks that it is labelled for."""
    found: list[dict[str, Any]] = [{} for _ in rows]
    for name in tasks:
        at = [p for p, row in enumerate(rows) if prepared.targets[name].known(np.array([row]))[0]]
        for place, label in zip(at, records.take(name, [rows[p] for p in at]), strict=True):
            found[place][name] = label
    return found


def mentioned(
    labels: Mapping[str, Any], prepared: Prepared, tasks: Mapping[str, Task], row: int
) -> dict[str, Any]:
    """Return labels with the text of each span beside it."""
    found = dict(labels)
    for name, spans in labels.items():
        if tasks[name].speaks == "spans":
            source = prepared.model.reads(tasks[name]) or ""
            fields = prepared.model.inputs[source].fields or [source]
            text = prepared.values[fields[0]][row].as_py()
            found[name] = [{**span, "text": text[span["start"] : span["end"]]} for span in spans]
    return found


def _rule(
    decoder: Decoder,
    rule: Rule,
    before: Sequence[World],
    after: Sequence[World],
    gold: Sequence[World],
) -> RuleReport:
    truth, condition = decoder.meaning.truth, condition_of(rule.tree)

    def speaks(world: World) -> bool:
        return condition is None or truth(condition, world) is True

    def broken(worlds: Sequence[World]) -> float:
        return float(np.mean([truth(rule.tree, world) is False for world in worlds] or [0.0]))

    held = [truth(rule.tree, world) for world in gold if speaks(world)]
    known = [one for one in held if one is not None]
    return RuleReport(
        id=rule.id,
        version=rule.version,
        says=rule.says,
        soft=rule.soft,
        coverage=round(float(np.mean([speaks(world) for world in before] or [0.0])), 6),
        num_gold=len(known),
        precision=round(float(np.mean(known)), 6) if known else None,
        before=round(broken(before), 6),
        after=round(broken(after), 6),
    )


def _task(
    name: str, task: Task, every: Sequence[Decided], gold: Sequence[Mapping[str, Any]]
) -> RuledTask | None:
    both = [(one, labels[name]) for one, labels in zip(every, gold, strict=True)
            if name in labels and name in one.labels]  # fmt: skip
    if not both:
        return None
    metric, truths = task.metrics()[task.decides], task.array([label for _, label in both])
    before, after = (
        metric.score(truths, task.array([labels[name] for labels in some]))
        for some in ([one.own for one, _ in both], [one.labels for one, _ in both])
    )
    return RuledTask(
        metric=task.decides,
        num_records=len(both),
        before=round(before, 6),
        after=round(after, 6),
    )
