"""Whether the parts of a project file go together."""

import math
from typing import TYPE_CHECKING

from allrounder.errors import ProjectError, did_you_mean, listed
from allrounder.records import TextField
from allrounder.tasks import Task
from allrounder.training.weighting import Aggregation

if TYPE_CHECKING:
    from allrounder.plan import Plan


def check(plan: "Plan") -> None:
    """Refuse a plan of which one part forbids another.

    Raises:
        ProjectError: at the first that does.
    """
    _check_names(plan)
    _check_head_start(plan)
    _check_r_drop(plan)
    _check_lift(plan)
    _check_weighting(plan)
    if plan.training.pretraining is not None:
        plan.training.pretraining.chosen(plan.inputs)


def _check_names(plan: "Plan") -> None:
    for section in ("inputs", "tasks"):
        for name in getattr(plan, section):
            if not str(name).isidentifier():
                raise ProjectError(
                    f"`{section}.{name}`: a name is letters, digits and _, not a digit first."
                )
    for name, task in plan.tasks.items():
        if name in plan.fields:
            raise ProjectError(
                f"`{name}` names both a task and an input column. Rename one of them."
            )
        for source in task.reading(plan.inputs):
            if source not in plan.inputs:
                hint = did_you_mean(source, plan.inputs)
                raise ProjectError(
                    f"`tasks.{name}.of` is {source!r}, which is no input.{hint} "
                    f"Inputs: {listed(plan.inputs)}."
                )
        if task.reads == "inputs" and len(task.reading(plan.inputs)) < 2:
            raise ProjectError(
                f"`tasks.{name}` matches two inputs or more, and the project has one: "
                f"{listed(plan.inputs)}. Add an input, or remove the task."
            )
        if task.metric is not None and task.metric not in task.metrics():
            hint = did_you_mean(task.metric, task.metrics())
            raise ProjectError(
                f"`tasks.{name}.metric` is {task.metric!r}.{hint} Known: {listed(task.metrics())}."
            )
        _check_tokens(plan, name, task)
    _check_fields(plan)
    _check_ruled(plan)
    _check_first(plan)
    _check_weights(plan)


def _check_ruled(plan: "Plan") -> None:
    """Refuse a task whose answer would stand where rules tell what they did."""
    if plan.knowledge is not None and plan.knowledge.rules and "rules" in plan.tasks:
        raise ProjectError(
            "`tasks.rules`: in answers `rules` stands for what rules did. Rename the task."
        )


def _check_fields(plan: "Plan") -> None:
    """Refuse inputs that would read one column in two ways."""
    readers: dict[str, str] = {}
    for name, encoder in plan.inputs.items():
        for column in encoder.fields or []:
            other = readers.setdefault(column, name)
            if plan.inputs[other].field != encoder.field:
                raise ProjectError(
                    f"`inputs.{other}` and `inputs.{name}` read the column `{column}` in two ways. "
                    "Hold it twice in the source, under two names, and give each input its own "
                    "`fields`."
                )


def _check_first(plan: "Plan") -> None:
    for name in plan.training.first:
        if name not in plan.tasks:
            raise ProjectError(
                f"`training.first` names {name!r}, which is no task."
                f"{did_you_mean(name, plan.tasks)} Tasks: {listed(plan.tasks)}."
            )
    if plan.training.first and not set(plan.tasks) - set(plan.training.first):
        raise ProjectError("`training.first` names every task: leave it out, to train together.")


def _check_weights(plan: "Plan") -> None:
    for name, task in plan.tasks.items():
        if not 0 <= task.weight < math.inf:
            raise ProjectError(f"`tasks.{name}.weight` is {task.weight}. Expected 0 or more.")
    if not any(task.weight for task in plan.tasks.values()):
        raise ProjectError(
            "The tasks have weights that sum to zero, so nothing would be learned. Give at least "
            "one of them a `weight` above 0."
        )


def _check_tokens(plan: "Plan", name: str, task: Task) -> None:
    if task.reads != "tokens":
        return
    source = plan.reads(task)
    if source is None or len(plan.inputs[source].fields or []) != 1:
        raise ProjectError(
            f"`tasks.{name}` marks stretches of one text: say which with `of: <input>`, an input "
            f"that reads a single field. Inputs: {listed(plan.inputs)}."
        )
    if not isinstance(plan.inputs[source].field, TextField):
        raise ProjectError(
            f"`tasks.{name}` marks stretches of a text, and the input `{source}` that it reads is "
            "none. Name one that is with `of`."
        )


def _check_head_start(plan: "Plan") -> None:
    """Refuse a head start that no task can take."""
    grouping = [task for task in plan.tasks.values() if type(task).groups is not Task.groups]
    if plan.training.head_start is not None and not grouping:
        raise ProjectError(
            "`training.head_start` pulls records of one label together, and no task has labels "
            "for that: it is for multiclass, multilabel and ordinal tasks. Remove it."
        )


def _check_r_drop(plan: "Plan") -> None:
    """Refuse to compare two passes that no dropout makes different."""
    inside = [
        encoder
        for encoder in plan.inputs.values()
        if getattr(encoder, "dropout", 0) and getattr(encoder, "tune", None) != "frozen"
    ]
    if plan.training.r_drop and not plan.training.dropout and not inside:
        raise ProjectError(
            "`training.r_drop` compares two passes under different dropout, and there is none: set "
            "`training.dropout` or the `dropout` of an input above 0."
        )


def _check_lift(plan: "Plan") -> None:
    """Refuse to ask what a knowledge base adds where there is none."""
    if plan.training.lift and not (plan.knowledge and plan.knowledge.facts):
        raise ProjectError(
            "`training.lift` asks what the knowledge base adds, and the project has none: name one "
            "as `knowledge.facts`, or remove `lift`."
        )


def _check_weighting(plan: "Plan") -> None:
    """Refuse to weigh tasks by gradients of what heads read where a head reads no vectors."""
    weighting, writing = plan.training.weighting, [
        name for name, task in plan.tasks.items() if task.reads == "states"
    ]  # fmt: skip
    if writing and isinstance(weighting, Aggregation):
        raise ProjectError(
            f"`training.weighting: {weighting.kind_name()}` compares the gradients of what heads "
            f"read, and `tasks.{writing[0]}` writes from all that its model keeps. Choose `sum`, "
            "or another kind that weighs losses."
        )
