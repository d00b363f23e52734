"""Allrounder: one language model, many jobs."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from allrounder.errors import DataError, Error, MissingExtra, ProjectError, RunError
    from allrounder.project import Project
    from allrounder.types import Span

__all__ = [
    "DataError",
    "Error",
    "MissingExtra",
    "Project",
    "ProjectError",
    "RunError",
    "Span",
]

_HOMES = {
    "DataError": "allrounder.errors",
    "Error": "allrounder.errors",
    "MissingExtra": "allrounder.errors",
    "Project": "allrounder.project",
    "ProjectError": "allrounder.errors",
    "RunError": "allrounder.errors",
    "Span": "allrounder.types",
}


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used, so that `import allrounder` stays quick."""
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'allrounder' has no attribute {name!r}")
