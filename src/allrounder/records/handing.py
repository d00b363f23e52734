"""Values that a caller hands in, rather than a file."""

import math
import os
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

from allrounder.errors import DataError
from allrounder.records.column import BadValue
from allrounder.records.field import Field, TextField

FILES = (str, os.PathLike, bytes, Mapping, type(None))
"""What a caller may hand in for a file."""


def handed(name: str, field: Field, values: Sequence[Any]) -> pa.Array:
    """Return values that a caller hands in as the input reads them.

    Raises:
        DataError: at the first that it cannot read.
    """
    files = pa.types.is_struct(field.type)
    for number, value in enumerate(values):
        if isinstance(field, TextField) and not _is_text(value):
            raise DataError(f"Record {number}: `{name}` must be a text, found {value!r}.")
        if files and not isinstance(value, FILES):
            found = repr(value)[:80]
            raise DataError(
                f"Record {number}: `{name}` must be a path, a data URI or bytes, found {found}."
            )
    try:
        read = field.read(_raw(values, files=files), None)
        bad = min(read.aside.items(), default=None)
    except BadValue as error:
        bad = error.index, str(error)
    if bad is not None:
        raise DataError(f"Record {bad[0]}: `{name}`: {bad[1]}")
    return read.values


def _is_text(value: Any) -> bool:
    """Return whether a value is a text, a number that can be written out, or missing."""
    if isinstance(value, str):
        return bool(value.strip())
    return value is None or (isinstance(value, int | float) and not math.isnan(value))


def _raw(values: Sequence[Any], *, files: bool) -> pa.Array:
    """Return values of mixed Python types as one column."""
    if files:
        kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
        return pa.array(list(map(_file, values)), kind)
    return pa.array([None if value is None else _written(value) for value in values], pa.string())


def _file(value: Any) -> Any:
    if value is None or isinstance(value, Mapping):
        return value
    return {"bytes": value} if isinstance(value, bytes) else {"path": os.fspath(value)}


def _written(value: Any) -> str:
    """Return a value as it would be written from a column of a file."""
    if isinstance(value, bool | float):
        return pa.scalar(value).cast(pa.string()).as_py()
    return str(value)
