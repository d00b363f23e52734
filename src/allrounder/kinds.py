"""Turn ``{kind: ..., **fields}`` into the object it names, and back.

A kind is looked up in three places, in this order: the visible table of its family, the entry
points other packages publish under ``allrounder.<family>``, and a ``module:Class`` path. There is
no decorator and nothing happens at import time. A class is its own schema: a keyword-only
dataclass, checked by pydantic.
"""

import dataclasses
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, Generic, TypeVar

from pydantic import BeforeValidator, TypeAdapter, ValidationError

from allrounder.errors import Error, ProjectError, did_you_mean, listed

T = TypeVar("T")

CLOSED = {"extra": "forbid", "strict": False, "arbitrary_types_allowed": True}
"""The pydantic configuration of every class whose fields are keys of the project file."""


def build(cls: type[T], fields: Any, *, at: str) -> T:
    """Return `cls(**fields)`, checked; `at` is the dotted place in the project file."""
    if isinstance(fields, cls):
        return fields
    if not isinstance(fields, Mapping):
        raise ProjectError(f"`{at}` must be a mapping of keys to values. Got {fields!r}.")
    try:
        return TypeAdapter(cls).validate_python(dict(fields))
    except ValidationError as error:
        raise ProjectError(_sentence(error, cls, at)) from None


def _sentence(error: ValidationError, cls: type, at: str) -> str:
    strange = {"unexpected_keyword_argument", "extra_forbidden"}
    # A misspelt key is worth more than the word that the right one is missing.
    first = min(error.errors(), key=lambda found: found["type"] not in strange)
    place = ".".join([at, *map(str, first["loc"])])
    if first["type"] in strange:
        known = sorted(field.name for field in dataclasses.fields(cls) if field.init)
        word = str(first["loc"][-1])
        return (
            f"`{place}` is not a known key.{did_you_mean(word, known)} Known: {listed(known, 40)}."
        )
    if first["type"] in {"missing", "missing_argument", "missing_keyword_only_argument"}:
        return f"`{place}` is missing: {cls.__name__.lower()} cannot do without it."
    cause = first.get("ctx", {}).get("error")
    if isinstance(cause, Error):
        return str(cause)
    if isinstance(cause, ValueError):
        return f"`{place}` {cause}"
    return f"`{place}`: {first['msg'][0].lower()}{first['msg'][1:]}. Got {first['input']!r}."


def switched(cls: type, at: str) -> BeforeValidator:
    """Return the annotation of a section that `true` fills with its defaults."""

    def built(spec: Any) -> Any:
        spec = {True: {}, False: None}[spec] if isinstance(spec, bool) else spec
        return None if spec is None else build(cls, spec, at=at)

    return BeforeValidator(built)


def dump(thing: Any) -> Any:
    """Return plain data that `build` turns back into `thing`, every default written out."""
    if dataclasses.is_dataclass(thing) and not isinstance(thing, type):
        fields = {f.name: dump(getattr(thing, f.name)) for f in dataclasses.fields(thing) if f.init}
        name = getattr(type(thing), "kind_name", None)
        return {"kind": name(), **fields} if name else fields
    if isinstance(thing, Mapping):
        return {key: dump(value) for key, value in thing.items()}
    if isinstance(thing, list | tuple):
        return [dump(value) for value in thing]
    return thing


@contextmanager
def importable(folder: Path) -> Iterator[None]:
    """Let modules that lie in `folder` be imported for a while, after all others."""
    path = str(folder.absolute())
    sys.path.append(path)
    try:
        yield
    finally:
        sys.path.remove(path)


class Kind:
    """Mixed into the base class of every family: an object that knows the name of its kind."""

    __pydantic_config__ = CLOSED

    @classmethod
    def kind_name(cls) -> str:
        """Return what stands behind ``kind:`` in the project file."""
        return cls.__dict__.get("_kind") or f"{cls.__module__}:{cls.__qualname__}"


class Kinds(Generic[T]):
    """The kinds of one family, such as the tasks or the encoders."""

    def __init__(self, family: str, **builtin: type[T]) -> None:
        self.family = family
        self.builtin = builtin
        for name, kind in builtin.items():
            kind._kind = name  # type: ignore[attr-defined]

    def find(self, kind: str, *, at: str) -> type[T]:
        """Return the class named `kind`."""
        if kind in self.builtin:
            return self.builtin[kind]
        for point in entry_points(group=f"allrounder.{self.family}", name=kind):
            return point.load()
        if ":" in kind:
            return self._imported(kind, at)
        hint = did_you_mean(kind, self.builtin)
        raise ProjectError(
            f"`{at}`: there is no {self.family} kind {kind!r}.{hint} Known kinds: "
            f"{listed(sorted(self.builtin), 40)}; your own class is written 'module:Class'."
        )

    def build(self, spec: Any, *, at: str) -> T:
        """Return the object that `spec` describes; a bare name stands for ``{kind: name}``."""
        if isinstance(spec, str):
            spec = {"kind": spec}
        if not isinstance(spec, Mapping):
            if isinstance(spec, Kind):
                return spec  # type: ignore[return-value]
            raise ProjectError(f"`{at}` must name a kind: {{kind: …}}. Got {spec!r}.")
        if "kind" not in spec:
            raise ProjectError(
                f"`{at}` needs a `kind`. Known kinds: {listed(sorted(self.builtin), 40)}."
            )
        fields = {name: value for name, value in spec.items() if name != "kind"}
        return build(self.find(str(spec["kind"]), at=f"{at}.kind"), fields, at=at)

    def field(self, at: str) -> BeforeValidator:
        """Return the annotation that lets a dataclass field hold a kind of this family."""
        return BeforeValidator(lambda spec: self.build(spec, at=at))

    def _imported(self, kind: str, at: str) -> type[T]:
        module, _, name = kind.partition(":")
        try:
            found = getattr(import_module(module), name)
        except (ImportError, AttributeError) as error:
            raise ProjectError(f"`{at}`: {kind!r} cannot be imported: {error}.") from error
        if not (isinstance(found, type) and issubclass(found, self.base)):
            raise ProjectError(
                f"`{at}`: {kind!r} is no kind of {self.family}: it does not derive from "
                f"{self.base.__module__}.{self.base.__name__}."
            )
        return found

    @property
    def base(self) -> type:
        """The class that every kind of the family derives from."""
        first = next(iter(self.builtin.values()))
        return next(cls for cls in first.__mro__ if Kind in cls.__bases__)
