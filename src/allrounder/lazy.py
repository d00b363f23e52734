"""Modules that are imported when something in them is first used.

Every kind declares its fields, checks its labels and builds torch modules in one class. `check`
needs the first two and must start in a blink, so kinds name torch through this door instead of
importing it.
"""

from importlib import import_module
from types import ModuleType
from typing import Any


class _Lazy(ModuleType):
    def __getattr__(self, name: str) -> Any:
        return getattr(import_module(self.__name__), name)


def lazy(name: str) -> Any:
    """Return a stand-in for the module `name` that imports it on first use."""
    return _Lazy(name)
