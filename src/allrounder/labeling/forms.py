"""What the page is told of a task, and whether what it sends back is a label of it."""

from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from allrounder.errors import DataError, ProjectError, listed
from allrounder.labeling.pool import Pool
from allrounder.plan import LabelColumn, Plan
from allrounder.records import Records
from allrounder.tasks import Generation, Task
from allrounder.tasks.base import replaced
from allrounder.tasks.columns import class_names

FORMS = {"label": "one", "rank": "one", "labels": "several", "number": "number", "spans": "spans"}
"""How a kind speaks → how it is asked."""

MISFITS = (ValueError, TypeError, LookupError, AttributeError, pa.ArrowException)


@dataclass(frozen=True, kw_only=True)
class Form:
    """A task as it is asked.

    Args:
        name: of the task.
        task: with all labels that are declared or that some record carries.
        form: `one`, `several`, `number`, `spans` or `text`.
        column: what knows whether a value is a label.
    """

    name: str
    task: Task
    form: str
    column: LabelColumn

    def to_dict(self) -> dict[str, Any]:
        """Return what the page needs."""
        task = self.task
        return {
            "name": self.name,
            "form": self.form,
            "ordered": task.speaks == "rank",
            "labels": getattr(task, "labels", None) or [],
            "range": getattr(task, "range", None),
            "of": self.column.of,
            "renames": hasattr(task, "renamed"),
            "whole_words": not getattr(task, "split_words", False),
        }

    def now(self, value: Any) -> Any:
        """Return a label, kept at some time, by the names that labels have now."""
        names = getattr(self.task, "renamed", None)
        if not names:
            return value
        if isinstance(value, str):
            return names.get(value, value)
        if not isinstance(value, list):
            return value
        found = [
            {**one, "label": names.get(one.get("label"), one.get("label"))}
            if isinstance(one, dict)
            else names.get(one, one)
            for one in value
        ]
        return [one for at, one in enumerate(found) if one not in found[:at]]

    def checked(self, value: Any, key: str, pool: Pool) -> Any:
        """Return a label as it is kept.

        Raises:
            DataError: it is none of this task.
        """
        field = self.column.of
        text = None if field is None else pool.text(key, field)
        texts = None if field is None else pa.array([text], pa.string())
        try:
            found = self.column.read(pa.array([value], self.task.type), texts)[0].as_py()
        except MISFITS as error:
            raise DataError(f"{self.name}: {' '.join(str(error).split())[:300]}") from None
        if found is None:
            raise DataError(f"{self.name}: expected a label, found {value!r:.80}.")
        return sorted(set(found), key=found.index) if self.form == "several" else found


def forms(plan: Plan, records: Records) -> tuple[dict[str, Form], list[str]]:
    """Return the tasks that can be asked, and the names of those that cannot.

    Raises:
        ProjectError: a task has no labels to choose from, or none can be asked.
    """
    columns = plan.columns()
    found = {name: _form(name, columns[name], records) for name in plan.tasks}
    asked = {name: form for name, form in found.items() if form is not None}
    out = [name for name in found if name not in asked]
    if not asked:
        raise ProjectError(f"There is nothing that people could label: {listed(out)}.")
    return asked, out


def _form(name: str, column: LabelColumn, records: Records) -> Form | None:
    task = column.task
    form = "text" if isinstance(task, Generation) else FORMS.get(task.speaks or "")
    if form is None or task.makes_labels:
        return None
    if hasattr(task, "labels"):
        task = replaced(task, labels=_labels(name, task, records))
    return Form(name=name, task=task, form=form, column=LabelColumn(task, column.of))


def _labels(name: str, task: Any, records: Records) -> list[str]:
    if task.labels:
        return list(task.labels)
    flat = records.labels(name).drop_null()
    if pa.types.is_list(flat.type):
        flat = pc.list_flatten(flat)
    if pa.types.is_struct(flat.type):
        flat = pc.struct_field(flat, "label")
    least = 1 if task.speaks == "spans" else 2
    found = class_names(flat)
    if len(found) < least:
        raise ProjectError(
            f"`tasks.{name}` has no labels to choose from: no record carries any. Declare them: "
            f"`labels: [a, b]`."
        )
    return found
