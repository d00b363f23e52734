"""Changing a task's labels while records and answers stay as they are: add, rename, merge."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from allrounder.checking import load_records, ruled
from allrounder.editing import edit
from allrounder.errors import ProjectError, did_you_mean, listed
from allrounder.plan import Plan, make_plan
from allrounder.tasks.columns import class_names

SUFFIXES = (".yaml", ".yml")

Tell = Callable[[str, float, float, str], None]


@dataclass(frozen=True)
class Relabelled:
    """What became of the labels of a task.

    Args:
        task: the task.
        added: labels that are new.
        old: the label that was renamed, if one was.
        new: its name now.
        merged: whether that was a label already.
        records: how many records carry the old label, those that people labelled included.
        labels: the labels of the task now.
        dry_run: whether nothing was changed.
    """

    task: str
    added: Sequence[str] = ()
    old: str | None = None
    new: str | None = None
    merged: bool = False
    records: int = 0
    labels: Sequence[str] = ()
    dry_run: bool = False

    def to_dict(self) -> dict[str, Any]:
        """Return plain data, ready for JSON."""
        return asdict(self)

    def __str__(self) -> str:
        would = "would be" if self.dry_run else "is"
        if self.old is None:
            done = f"{listed(map(repr, self.added))} {would} added to {self.task}."
        else:
            how = "merged into" if self.merged else "renamed to"
            done = (
                f"{self.old!r} {would} {how} {self.new!r} in {self.task}; {self.records:,} records "
                "carry it. Files and ledger stay as they are: it is read by its new name."
            )
        return f"{done}\nLabels: {listed(self.labels)}."


def add_labels(
    plan: Plan, task: str, names: Sequence[str], *, dry_run: bool = False, tell: Tell
) -> Relabelled:
    """Add labels to a task; where its labels are not declared, those that records carry are.

    Args:
        plan: the project file.
        task: the task.
        names: the new labels.
        dry_run: only say what would be.
        tell: called as records are read.

    Raises:
        ProjectError: there is no such task, a label is there already, or the file cannot be
            changed.
    """
    known = _known(plan, task, tell)
    new = [_name(task, name) for name in names]
    for name in new:
        if name in known or new.count(name) > 1:
            raise ProjectError(f"tasks.{task}: {name!r} is a label already: {listed(known)}.")
    old_names = getattr(plan.tasks[task], "renamed", None) or {}
    if again := next((name for name in new if name in old_names), None):
        raise ProjectError(
            f"tasks.{task}: {again!r} is what {old_names[again]!r} was called once, in files and "
            f"answers. Choose another name, or take it out of `renamed`."
        )
    labels = [*known, *new]
    if not dry_run:
        _write(plan, task, lambda spec: spec.update(labels=labels), tell)
    return Relabelled(task, added=new, labels=labels, dry_run=dry_run)


def rename_label(
    plan: Plan, task: str, old: str, new: str, *, dry_run: bool = False, tell: Tell
) -> Relabelled:
    """Give a label another name; where that is a label already, both become one.

    Args:
        plan: the project file.
        task: the task.
        old: the label.
        new: its new name.
        dry_run: only say what it concerns.
        tell: called as records are read.

    Raises:
        ProjectError: there is no such task or label, or the file cannot be changed.
    """
    known, new = _known(plan, task, tell), _name(task, new)
    if old not in known:
        hint = did_you_mean(old, known)
        raise ProjectError(f"tasks.{task} has no label {old!r}.{hint} Labels: {listed(known)}.")
    if old == new:
        raise ProjectError(f"tasks.{task}: {old!r} is called so already.")
    merged = new in known
    labels = [new if name == old else name for name in known if not (merged and name == old)]
    if len(labels) < 2 and plan.tasks[task].speaks != "spans":
        raise ProjectError(f"tasks.{task} would have one label left, {labels[0]!r}: no task.")
    found = Relabelled(
        task,
        old=old,
        new=new,
        merged=merged,
        records=_carrying(plan, task, old, tell),
        labels=labels,
        dry_run=dry_run,
    )
    if not dry_run:
        _write(plan, task, lambda spec: _rename(spec, old, new, merged=merged), tell)
    return found


def _rename(spec: Any, old: str, new: str, *, merged: bool) -> None:
    """Change what the project file says of a task."""
    names = spec.setdefault("renamed", {})
    for before, now in list(names.items()):
        if now == old:
            names[before] = new
    names.pop(new, None)  # it was called so once, and is again
    names[old] = new
    labels = spec.get("labels")
    if labels is not None and old in labels:
        at = labels.index(old)
        if merged:
            labels.pop(at)
        else:
            labels[at] = new
    weights = spec.get("class_weights")
    if isinstance(weights, dict) and old in weights:
        weights.setdefault(new, weights.pop(old))


def _known(plan: Plan, task: str, tell: Tell) -> list[str]:
    """Return the labels of a task: those that are declared, or that records carry."""
    if task not in plan.tasks:
        hint = did_you_mean(task, plan.tasks)
        raise ProjectError(f"There is no task {task!r}.{hint} Tasks: {listed(plan.tasks)}.")
    found = plan.tasks[task]
    if not hasattr(found, "renamed"):
        raise ProjectError(f"tasks.{task} is of kind {found.kind_name()}, which has no labels.")
    return list(found.labels or class_names(_flat(plan, task, tell)))


def _carrying(plan: Plan, task: str, label: str, tell: Tell) -> int:
    """Return how many records carry a label."""
    records = load_records(plan, trains=False, tell=tell)
    column = records.labels(task)
    if not pa.types.is_list(column.type):
        return pc.sum(pc.equal(column, label)).as_py() or 0
    parents, names = pc.list_parent_indices(column), _names(column)
    return len(pc.unique(parents.filter(pc.equal(names, label))))


def _flat(plan: Plan, task: str, tell: Tell) -> pa.ChunkedArray:
    return _names(load_records(plan, trains=False, tell=tell).labels(task).drop_null())


def _names(column: pa.ChunkedArray) -> pa.ChunkedArray:
    flat = pc.list_flatten(column) if pa.types.is_list(column.type) else column
    return pc.struct_field(flat, "label") if pa.types.is_struct(flat.type) else flat


def _name(task: str, name: str) -> str:
    plain = " ".join(name.split())
    if not plain or len(plain) > 200 or not plain.isprintable():
        raise ProjectError(
            f"tasks.{task}: a label is a text of 1 to 200 characters. Got {name!r:.80}."
        )
    return plain


def project_file(plan: Plan) -> Path:
    """Return the file of a project.

    Raises:
        ProjectError: it is not where it should be.
    """
    for suffix in SUFFIXES:
        path = plan.folder / f"{plan.name}{suffix}"
        if path.exists():
            return path
    raise ProjectError(f"There is no project file {plan.name}.yaml in {plan.folder} to change.")


def _write(plan: Plan, task: str, change: Callable[[Any], None], tell: Tell) -> None:
    """Change what the project file says of a task, if all of it is right then."""
    path = project_file(plan)

    def changed(sections: Any) -> None:
        tasks = sections["tasks"]
        if isinstance(tasks[task], str):
            tasks[task] = {"kind": tasks[task]}
        change(tasks[task])

    def check(sections: Any) -> None:
        found = make_plan(sections, folder=plan.folder, name=plan.name)
        if found.rules() is not None:
            ruled(found, tell)

    edit(path, changed, check=check)
