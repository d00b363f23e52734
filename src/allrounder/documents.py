"""Project and rule files as text: strict YAML, and places in it by their dotted names."""

import re
from collections.abc import Mapping
from copy import deepcopy
from typing import Any

import yaml

from allrounder.errors import ProjectError


def override(change: str) -> tuple[str, Any]:
    """Return the place and the value of one override such as `training.lr=1e-4`."""
    place, equals, value = change.partition("=")
    if not equals or not place:
        raise ProjectError(f"--set {change!r}: expected a dotted place and a value, as in a.b=1.")
    return place, _value(change, value)


def put(sections: dict[str, Any], place: str, value: Any, *, said: str) -> None:
    """Write `value` at a dotted place of a project file; `said` opens the sentence if it fails."""
    *way, last = place.split(".")
    at: Any = sections
    try:
        for step in way:
            at = at[int(step)] if isinstance(at, list) else at.setdefault(step, {})
        at[int(last) if isinstance(at, list) else last] = value
    except (AttributeError, IndexError, TypeError, ValueError):
        raise ProjectError(f"{said}: there is no place `{place}` in the project file.") from None


def _value(change: str, text: str) -> Any:
    try:
        return from_yaml(text)
    except yaml.YAMLError:
        raise ProjectError(f"--set {change!r}: expected a YAML value, found {text!r}.") from None


def from_yaml(text: str) -> Any:
    """Return what a project file means by `text`."""
    return yaml.load(text, Strict)


def to_yaml(sections: Mapping[str, Any]) -> str:
    """Return sections as a project file that `from_yaml` reads back the same, keys in order."""
    layout: dict[str, Any] = {"sort_keys": False, "allow_unicode": True, "width": 120}
    return yaml.dump(deepcopy(dict(sections)), Dumper=_Exact, default_flow_style=None, **layout)


class Strict(yaml.SafeLoader):
    """YAML in which a key may stand once, and 1e-4 is a number."""

    def construct_mapping(self, node: Any, deep: bool = False) -> Any:
        """Refuse a key that stands twice."""
        seen = set()
        for key, _ in node.value:
            if str(key.value) in seen:
                raise yaml.YAMLError(
                    f"line {key.start_mark.line + 1} names the key {key.value!r} a second time"
                )
            seen.add(str(key.value))
        return super().construct_mapping(node, deep)


class _Exact(yaml.SafeDumper):
    """Writes what `Strict` reads, without aliases."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


for _half in (Strict, _Exact):
    _half.add_implicit_resolver(
        "tag:yaml.org,2002:float",
        re.compile(r"^[-+]?[0-9]+(\.[0-9]*)?[eE][-+]?[0-9]+$"),
        list("-+0123456789"),
    )
