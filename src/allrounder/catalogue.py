"""Every kind that a project file can name, with its settings, read from the classes themselves."""

import dataclasses
import inspect
from typing import Any

from allrounder.encoders import ENCODERS
from allrounder.errors import ProjectError, did_you_mean, listed
from allrounder.fusion import FUSIONS
from allrounder.kinds import Kinds, dump
from allrounder.tasks import TASKS
from allrounder.training.optimizers import OPTIMIZERS
from allrounder.training.sampling import SAMPLINGS
from allrounder.training.schedules import SCHEDULES

FAMILIES: dict[str, Kinds[Any]] = {
    "encoders": ENCODERS,
    "tasks": TASKS,
    "fusion": FUSIONS,
    "optimizers": OPTIMIZERS,
    "schedules": SCHEDULES,
    "sampling": SAMPLINGS,
}


def kinds(family: str | None = None) -> dict[str, dict[str, dict[str, Any]]]:
    """Return family → kind → its summary and settings with their defaults."""
    if family is not None and family not in FAMILIES:
        hint = did_you_mean(family, FAMILIES)
        raise ProjectError(f"There is no family {family!r}.{hint} Families: {listed(FAMILIES)}.")
    return {
        name: {kind: _described(cls) for kind, cls in found.builtin.items()}
        for name, found in FAMILIES.items()
        if family in (None, name)
    }


def _described(cls: type) -> dict[str, Any]:
    settings = {field.name: _default(field) for field in dataclasses.fields(cls)}
    return {"summary": (inspect.getdoc(cls) or "").split("\n")[0], "settings": settings}


def _default(field: dataclasses.Field) -> Any:
    if field.default is not dataclasses.MISSING:
        return field.default
    if field.default_factory is not dataclasses.MISSING:
        return dump(field.default_factory())
    return "needed"


def shown(found: dict[str, dict[str, dict[str, Any]]]) -> str:
    """Return the kinds as text."""
    lines = []
    for family, kinds_ in found.items():
        lines += ["", family]
        for kind, about in kinds_.items():
            lines += [f"  {kind:<14}{about['summary']}"]
            lines += [
                " " * 16 + ", ".join(f"{k}: {_short(v)}" for k, v in about["settings"].items())
            ]
    return "\n".join(lines[1:])


def _short(value: Any) -> str:
    return (
        {None: "–", True: "yes", False: "no"}.get(value, str(value))
        if not isinstance(value, list | dict)
        else str(value)
    )
