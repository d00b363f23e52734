"""Where a search looks: `training.lr=log(1e-5,1e-3)`, read and checked before the first trial.

log(low,high)      floats, each factor as likely as another
uniform(low,high)  floats, each difference as likely as another
int(low,high)      whole numbers, both ends included
choice(a,b,…)      any YAML values
"""

import math
import re
from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import yaml

from allrounder.documents import from_yaml, put
from allrounder.errors import ProjectError, did_you_mean, listed
from allrounder.kinds import dump
from allrounder.plan import Plan, make_plan

KINDS = ("log", "uniform", "int", "choice")
SHAPE = re.compile(r"([^=]+)=(\w+)\((.*)\)", re.DOTALL)
EXAMPLE = "training.lr=log(1e-5,1e-3)"
DIGITS = 4
"""Digits of the floats that are tried: a project file with 0.0002371 can be read by people."""


@dataclass(frozen=True)
class Space:
    """Where one key is searched.

    Args:
        text: the space as it was written.
        key: the dotted place in the project file.
        kind: `log`, `uniform`, `int` or `choice`.
        values: low and high, or the choices.
    """

    text: str
    key: str
    kind: str
    values: tuple[Any, ...]

    def value(self, drawn: float | int) -> Any:
        """Return the value that a number drawn from the space, or the place of a choice, means."""
        if self.kind == "choice":
            return self.values[int(drawn)]
        if self.kind == "int":
            return int(drawn)
        low, high = self.values
        return min(max(float(f"{drawn:.{DIGITS}g}"), low), high)

    @property
    def probes(self) -> list[Any]:
        """The values at which the key is checked: every choice, or the ends and one between."""
        if self.kind == "choice":
            return list(self.values)
        low, high = self.values
        middle = math.sqrt(low * high) if self.kind == "log" else low + 0.382 * (high - low)
        return [low, self.value(middle), high]


def read_spaces(search: Sequence[str]) -> list[Space]:
    """Return the spaces that `search` describes.

    Raises:
        ProjectError: one cannot be read, or two overlap.
    """
    if isinstance(search, str):
        search = [search]
    if not search:
        raise ProjectError(f"Say what to search, as in --search '{EXAMPLE}'.")
    spaces = [_read(text) for text in search]
    for at, space in enumerate(spaces):
        for other in spaces[:at]:
            if f"{space.key}.".startswith(f"{other.key}.") or other.key.startswith(f"{space.key}."):
                raise ProjectError(
                    f"--search {space.text!r}: `{other.key}` is searched already, and both cannot "
                    "be. Drop one of them."
                )
    return spaces


def _read(text: str) -> Space:
    found = SHAPE.fullmatch(text.strip())
    if not found:
        raise ProjectError(
            f"--search {text!r}: expected KEY=KIND(…), as in {EXAMPLE}. Kinds: {listed(KINDS)}."
        )
    key, kind, inner = found.groups()
    if kind not in KINDS:
        raise ProjectError(
            f"--search {text!r}: there is no kind of space {kind!r}.{did_you_mean(kind, KINDS)} "
            f"Known: {listed(KINDS)}."
        )
    try:
        values = from_yaml(f"[{inner}]")
    except yaml.YAMLError:
        raise ProjectError(
            f"--search {text!r}: expected YAML values between the brackets, found {inner!r}."
        ) from None
    (_check_choices if kind == "choice" else _check_ends)(text, kind, values)
    return Space(text=text.strip(), key=key.strip(), kind=kind, values=tuple(values))


def _check_choices(text: str, kind: str, values: list[Any]) -> None:
    if len(values) < 2 or any(value in values[:at] for at, value in enumerate(values)):
        raise ProjectError(
            f"--search {text!r}: expected two or more different choices, found {values!r}."
        )


def _check_ends(text: str, kind: str, values: list[Any]) -> None:
    types = int if kind == "int" else int | float
    wanted = "two whole numbers" if kind == "int" else "two numbers"
    fit = [isinstance(v, types) and not isinstance(v, bool) and math.isfinite(v) for v in values]
    if len(values) != 2 or not all(fit):
        raise ProjectError(
            f"--search {text!r}: expected {wanted}, the low end and the high end, found {values!r}."
        )
    low, high = values
    if low >= high:
        raise ProjectError(
            f"--search {text!r}: expected the low end first, found {low!r} and {high!r}."
        )
    if kind == "log" and low <= 0:
        raise ProjectError(
            f"--search {text!r}: a logarithm needs ends above 0, found {low!r}. Take uniform(…)."
        )


def changed(plan: Plan, values: Mapping[str, Any]) -> Plan:
    """Return the plan whose project file holds other values at some dotted keys."""
    sections = deepcopy(dict(plan.sections))
    for key, value in values.items():
        put(sections, key, deepcopy(value), said=f"--search {key!r}")
    return make_plan(sections, folder=plan.folder, name=plan.name)


def check_spaces(plan: Plan, spaces: Sequence[Space]) -> None:
    """Build the plan at the ends of every space, and refuse what no trial could be trained on.

    Raises:
        ProjectError: a key is unknown, a value is of the wrong type, or trials with different
            values could not be compared.
    """
    for space in spaces:
        _check_name(plan, space)
        for value in space.probes:
            _check_comparable(plan, changed(plan, {space.key: value}), space)
    for end in (0, -1):
        changed(plan, {space.key: space.probes[end] for space in spaces}).located()


def _check_name(plan: Plan, space: Space) -> None:
    """Name what was meant where a task or an input is misspelt."""
    section, *rest = space.key.split(".")
    if section in ("tasks", "inputs") and rest and rest[0] not in getattr(plan, section):
        known = getattr(plan, section)
        raise ProjectError(
            f"--search {space.text!r}: `{section}.{rest[0]}` is not in the project file."
            f"{did_you_mean(rest[0], known)} Known: {listed(known)}."
        )


def _check_comparable(plan: Plan, other: Plan, space: Space) -> None:
    if _judged_on(plan) != _judged_on(other):
        raise ProjectError(
            f"`{space.key}` cannot be searched: its trials would not be judged on the same records "
            "by the same metrics."
        )
    if space.key.startswith("inputs"):
        other.located()


def _judged_on(plan: Plan) -> list[Any]:
    """Return what has to be the same for two plans to be compared."""
    tasks = {
        name: [
            task.kind_name(),
            task.decides,
            *(dump(getattr(task, key, None)) for key in ("labels", "range")),
        ]
        for name, task in plan.tasks.items()
    }
    return [dump(plan.sources), sorted(plan.fields), tasks]


def as_it_stands(plan: Plan, spaces: Sequence[Space]) -> dict[str, float | int] | None:
    """Return the numbers that, drawn, mean the project file as it stands; None outside a space."""
    drawn: dict[str, float | int] = {}
    for space in spaces:
        if space.kind == "choice":
            same = [
                at
                for at, value in enumerate(space.values)
                if changed(plan, {space.key: value}).to_dict() == plan.to_dict()
            ]
            found: Any = same[0] if same else None
        else:
            found = _number_at(plan, space)
        if found is None:
            return None
        drawn[space.key] = found
    return drawn


def _number_at(plan: Plan, space: Space) -> float | int | None:
    at: Any = plan.to_dict()
    for step in space.key.split("."):
        at = at.get(step) if isinstance(at, Mapping) else None
    low, high = space.values
    whole = space.kind != "int" or at == int(at or 0)
    inside = isinstance(at, int | float) and not isinstance(at, bool) and low <= at <= high
    return (int(at) if space.kind == "int" else float(at)) if inside and whole else None
