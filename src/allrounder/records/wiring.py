"""Which column of a file fills which input field, task or id."""

from collections.abc import Mapping, Sequence

from allrounder.errors import ProjectError, did_you_mean, listed
from allrounder.records.column import Column
from allrounder.records.source import Source
from allrounder.records.sources import FILLS

TAKEN = ("id", "source", "row", "split", "key")
"""Columns of the table of records that no field and no task may be called."""


def check_names(fields: Sequence[str], tasks: Sequence[str]) -> None:
    """Refuse inputs and tasks that would share a column of the table.

    Raises:
        ProjectError: naming the first one.
    """
    for section, names, taken in (("inputs", fields, TAKEN), ("tasks", tasks, (*TAKEN, *fields))):
        for name in names:
            if name in taken:
                kind = "an input" if name in fields and section == "tasks" else "a column of ours"
                raise ProjectError(
                    f"`{section}.{name}`: expected a name of its own, found that of {kind}. Choose "
                    f"a name other than {listed(taken)}."
                )


def wired(source: Source, format_name: str, fields: Sequence[str], columns: Mapping) -> dict:
    """Return which column of the file fills which field, task or `id`.

    Raises:
        ProjectError: where `map`, `input` or `task` names nothing in the project.
    """
    wires = dict(source.map)
    if source.id is not None:
        wires[source.id] = "id"
    if format_name in FILLS:
        text, label = FILLS[format_name]
        if text not in wires:
            wires[text] = _input(source, fields)
        if label is None:
            _check_unlabelled(source)
        elif source.task or format_name == "conll":
            task = _task(source, wires[text], columns)
            wires |= {label: task} if task else {}
    _check_targets(source, wires, [*fields, *columns, "id"])
    _check_made(source, wires, columns)
    return wires


def _input(source: Source, fields: Sequence[str]) -> str:
    if source.input is not None:
        return source.input
    if len(fields) == 1:
        return fields[0]
    raise ProjectError(
        f"{source.path}: the source needs `input`, the text field that the file fills: "
        f"{listed(fields)}."
    )


def _check_unlabelled(source: Source) -> None:
    if source.task is not None:
        raise ProjectError(
            f"{source.path}: the source has `task: {source.task}`, but its lines are texts without "
            "labels. Leave `task` out, or give labels in CSV or JSON lines."
        )


def _task(source: Source, text: str, columns: Mapping[str, Column]) -> str | None:
    """Return the task named, else the only one whose labels point into the text."""
    if source.task is not None:
        return source.task
    names = [name for name, column in columns.items() if column.of == text]
    if len(names) > 1:
        raise ProjectError(
            f"{source.path}: the source needs `task`, the one whose labels the file holds: "
            f"{listed(names)}."
        )
    return names[0] if names else None


def _check_made(source: Source, wires: Mapping[str, str], columns: Mapping[str, Column]) -> None:
    for column, target in wires.items():
        if target in columns and columns[target].made_of is not None:
            raise ProjectError(
                f"{source.path}: column {column!r} is to fill {target!r}, whose labels are made "
                f"from the inputs {listed(columns[target].made_of)}. Leave it out."
            )


def _check_targets(source: Source, wires: Mapping[str, str], known: Sequence[str]) -> None:
    targets = list(wires.values())
    for column, target in wires.items():
        if target not in known:
            raise ProjectError(
                f"{source.path}: column {column!r} is to fill {target!r}, which is neither an "
                f"input nor a task.{did_you_mean(target, known)} Known: {listed(known)}."
            )
        if targets.count(target) > 1:
            twice = [name for name, other in wires.items() if other == target]
            raise ProjectError(
                f"{source.path}: the columns {listed(twice)} are all to fill {target!r}. Keep one."
            )
