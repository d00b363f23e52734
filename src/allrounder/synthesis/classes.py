"""Tasks whose records have one label each, and what there is of every label."""

from collections.abc import Sequence

from allrounder.synthesis.base import Parent
from allrounder.synthesis.material import Material


def fields_of(material: Material, task: str) -> list[str]:
    """Return the fields that a task reads, or none where some hold no text."""
    names = [name for one in material.tasks[task].reading(material.inputs)
             for name in material.inputs[one].fields or [one]]  # fmt: skip
    return names if all(name in material.texts for name in names) else []


def single(material: Material, names: Sequence[str] | None, *, of: str = "texts") -> list[str]:
    """Return the tasks with one label a record that read texts.

    Args:
        material: what is made from.
        names: what the project file says.
        of: `texts`, or `one text` for tasks that read no pair.
    """
    able = [
        name
        for name, task in material.tasks.items()
        if task.speaks in ("label", "rank") and _fits(len(fields_of(material, name)), of)
    ]
    return material.chosen(names, able, f"with one label, of {of}")


def _fits(count: int, of: str) -> bool:
    return count == 1 if of == "one text" else count > 0


def classes(material: Material, tasks: Sequence[str]) -> list[tuple[str, str]]:
    """Return some tasks with each of their labels."""
    return [(task, label) for task in tasks for label in material.tasks[task].labels or []]  # type: ignore[attr-defined]


def known_of(material: Material, task: str, label: str) -> list[Parent]:
    """Return the training records of a label."""
    rows = material.labelled([task])
    labels = material.records.take(task, rows)
    return material.read(rows[[one == label for one in labels]])
