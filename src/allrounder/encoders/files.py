"""Rows that are files: pictures and sounds, decoded when a batch asks for them."""

import hashlib
import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from allrounder.errors import DataError
from allrounder.records import content

T = TypeVar("T")

WORKERS = min(8, os.cpu_count() or 1)
"""Threads that decode one batch; Pillow and libsndfile let go of the interpreter's lock."""


class Files:
    """The files of every row.

    Args:
        values: one value of a `FileField` per row, null where missing.
        lengths: how many tokens each row has.
        mark: how files are read; another reading of the same files is other content.
        full: how many it would have, had nothing been cut off; by default as many.
    """

    def __init__(
        self,
        values: pa.Array | pa.ChunkedArray,
        lengths: np.ndarray,
        mark: str,
        full: np.ndarray | None = None,
    ) -> None:
        self.values = values
        self.lengths = lengths
        self.mark = mark
        self.full = lengths if full is None else full

    def __len__(self) -> int:
        return len(self.values)

    def keys(self, rows: np.ndarray) -> list[bytes]:
        """Return a hash of the content of each of some rows, and of how it is read."""
        found = pc.struct_field(self.values, "digest").take(pa.array(rows, pa.int64()))
        return [_key(f"{self.mark} {digest or ''}") for digest in found.to_pylist()]

    def decoded(self, rows: Sequence[int], decode: Callable[[int, bytes], T]) -> list[T]:
        """Return what `decode` makes of some rows and their content, in their order."""
        return in_order(lambda row: _decoded(self.values[row].as_py(), partial(decode, row)), rows)


def _key(word: str) -> bytes:
    return hashlib.blake2b(word.encode(), digest_size=16).digest()


def in_order(make: Callable[[int], T], rows: Sequence[int]) -> list[T]:
    """Return what `make` makes of each row, made by a few threads."""
    if len(rows) < 2 or WORKERS < 2:
        return [make(row) for row in rows]
    with ThreadPoolExecutor(min(WORKERS, len(rows))) as pool:
        return list(pool.map(make, rows))


def _decoded(value: Mapping[str, Any], decode: Callable[[bytes], T]) -> T:
    try:
        return decode(content(value))
    except (ValueError, OSError) as error:
        place = value["path"] or "A file among the records"
        raise DataError(f"{place} could be read before, and no longer can: {error}") from error


def known(values: pa.Array | pa.ChunkedArray) -> np.ndarray:
    """Return which values are not missing."""
    return np.asarray(values.is_valid())


def one_file(fields: list[str] | None, what: str) -> None:
    """Refuse more columns than one."""
    if fields is not None and len(fields) != 1:
        raise ValueError(
            f"reads one {what}. Got {len(fields)} `fields`. Make each {what} an input of its own."
        )
