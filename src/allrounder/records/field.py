"""What an input promises about one of its columns."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import pyarrow as pa
import pyarrow.compute as pc

from allrounder.records.column import BadValue

SIMPLE = (
    pa.types.is_integer,
    pa.types.is_floating,
    pa.types.is_boolean,
    pa.types.is_temporal,
    pa.types.is_decimal,
    pa.types.is_string,
    pa.types.is_large_string,
    pa.types.is_string_view,
)
"""Values that can be written as text without a doubt."""


Stat = tuple[int, int]
"""Size in bytes and time of change in nanoseconds of a file."""


@dataclass(frozen=True)
class Read:
    """Values of one column, null where missing; `aside` says by place what is wrong with one.

    A value with something wrong is null. Its record is set aside, or refused. `files` holds what
    other files the values depend on, by absolute path.
    """

    values: pa.Array
    aside: Mapping[int, str] = field(default_factory=dict)
    files: Mapping[str, Stat] = field(default_factory=dict)


class Field(Protocol):
    """The values of one column of an input, as they lie on disk."""

    @property
    def type(self) -> pa.DataType:
        """The Arrow type of a value: a string, a number, or a struct with a `digest`."""
        ...

    def read(self, values: pa.Array, folder: Path | None) -> Read:
        """Turn raw values of any Arrow type into values of `type`.

        Args:
            values: one raw value per row: strings from text formats, anything from JSONL/Parquet.
            folder: what paths among them start from and must stay in; None where a caller hands
                the values in, and may name any file.

        Raises:
            BadValue: at the first value for which the source as a whole must be refused.
        """
        ...


@dataclass(frozen=True)
class TextField:
    """Text; numbers, dates and truth values are written out."""

    @property
    def type(self) -> pa.DataType:
        """A value is a string."""
        return pa.string()

    def read(self, values: pa.Array, folder: Path | None) -> Read:
        """Return the values as strings, null where blank; refuse lists, objects and NUL."""
        texts = as_strings(values)
        nul = pc.match_substring(texts, "\0")
        if pc.any(nul).as_py():
            at = pc.index(nul, True).as_py()
            raise BadValue(at, "expected text, found a NUL character. Remove it.")
        return Read(filled(texts))


def as_strings(values: pa.Array) -> pa.Array:
    """Return simple values as strings.

    Raises:
        BadValue: at the first list or object.
    """
    if pa.types.is_string(values.type):
        return values
    if pa.types.is_null(values.type) or any(is_simple(values.type) for is_simple in SIMPLE):
        return values.cast(pa.string())
    row = pc.index(values.is_valid(), True).as_py()
    found = repr(values[row].as_py()) if row >= 0 else str(values.type)
    raise BadValue(max(row, 0), f"expected text, found {found[:80]}.")


def filled(texts: pa.Array) -> pa.Array:
    """Return strings with null where there was nothing but whitespace."""
    blank = pc.equal(pc.binary_length(pc.utf8_trim_whitespace(texts)), 0)
    return (
        pc.if_else(blank, pa.scalar(None, pa.string()), texts) if pc.any(blank).as_py() else texts
    )


def keyed(values: pa.Array) -> list[str | None]:
    """Return what makes two values the same: their text, or the digest of their content."""
    if pa.types.is_struct(values.type):
        return pc.struct_field(values, "digest").to_pylist()
    return values.cast(pa.string()).to_pylist()


@dataclass(frozen=True)
class NumberField:
    """Numbers; NaN is a missing one."""

    @property
    def type(self) -> pa.DataType:
        """A value is a float64."""
        return pa.float64()

    def read(self, values: pa.Array, folder: Path | None) -> Read:
        """Return the values as numbers; what is no finite number is set aside."""
        found: list[float | None] = []
        aside: dict[int, str] = {}
        for index, value in enumerate(filled(as_strings(values)).to_pylist()):
            try:
                number = None if value is None else float(value)
            except ValueError:
                number = math.inf
            if number is not None and math.isinf(number):
                aside[index] = f"expected a number, found {value[:80]!r}."
            finite = number is not None and math.isfinite(number)
            found.append(number if finite else None)
        return Read(pa.array(found, pa.float64()), aside)
