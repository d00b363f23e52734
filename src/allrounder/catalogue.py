"""Every kind that a project file can name, with its settings, read from the classes themselves."""

import dataclasses
import inspect
import re
from typing import Any

from allrounder.active import STRATEGIES
from allrounder.encoders import ENCODERS
from allrounder.errors import ProjectError, did_you_mean, listed
from allrounder.fusion import FUSIONS
from allrounder.injection import INJECTIONS
from allrounder.kinds import Kinds, dump
from allrounder.pretraining import PRETRAININGS
from allrounder.synthesis import SYNTHESES
from allrounder.tasks import TASKS
from allrounder.training.optimizers import OPTIMIZERS
from allrounder.training.pretraining import ALONGSIDE
from allrounder.training.sampling import SAMPLINGS
from allrounder.training.schedules import SCHEDULES
from allrounder.training.weighting import WEIGHTINGS

ENTRY = re.compile(r"^    (\w+): (.*(?:\n     +.*)*)", re.MULTILINE)
"""One entry of an Args section: a name, and text that may go on, indented deeper."""

FAMILIES: dict[str, Kinds[Any]] = {
    "encoders": ENCODERS,
    "tasks": TASKS,
    "injection": INJECTIONS,
    "fusion": FUSIONS,
    "pretraining": PRETRAININGS,
    "synthesis": SYNTHESES,
    "active": STRATEGIES,
    "optimizers": OPTIMIZERS,
    "schedules": SCHEDULES,
    "sampling": SAMPLINGS,
    "training.pretraining": ALONGSIDE,
    "weighting": WEIGHTINGS,
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
    meanings = _meanings(cls)
    settings = {
        field.name: {"default": _default(field), "meaning": meanings.get(field.name, "")}
        for field in dataclasses.fields(cls)
    }
    return {"summary": (inspect.getdoc(cls) or "").split("\n")[0], "settings": settings}


def _meanings(cls: type) -> dict[str, str]:
    """Return what the docstrings of a class and its bases say of its fields."""
    found: dict[str, str] = {}
    for base in reversed(cls.__mro__):
        _, _, arguments = inspect.cleandoc(base.__doc__ or "").partition("Args:\n")
        for name, text in ENTRY.findall(arguments):
            found[name] = " ".join(text.split())
    return found


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
            lines += [_line(key, setting) for key, setting in about["settings"].items()]
    return "\n".join(lines[1:])


def _line(key: str, setting: dict[str, Any]) -> str:
    return f"    {key + ': ' + plain(setting['default']):<32}{setting['meaning']}"


def plain(value: Any) -> str:
    """Return a default as a project file would write it."""
    if value is None:
        return "–"
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if value != "" else "''"
