"""An input of files for tests: what stands behind the bytes `PIC` is read as words."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from allrounder.encoders import Hashing, Tokens
from allrounder.records import Field, FileField, NumberField, content


def refuse_other(held: bytes) -> None:
    if not held.startswith(b"PIC"):
        raise ValueError(f"expected a picture, found the bytes {held[:3]!r}.")


@dataclass(kw_only=True)
class Pictures(Hashing):
    """Files that open with `PIC`."""

    @property
    def field(self) -> Field:
        return FileField("a picture", refuse_other)

    @property
    def sample(self) -> bytes:
        return b"PIC a"

    def prepare(self, values: Sequence[pa.Array], *, cache: Path | None = None) -> Tokens:
        return super().prepare([_words(column) for column in values], cache=cache)


@dataclass(kw_only=True)
class Numbers(Hashing):
    """Numbers, read as words."""

    @property
    def field(self) -> Field:
        return NumberField()

    @property
    def sample(self) -> int:
        return 0

    def prepare(self, values: Sequence[pa.Array], *, cache: Path | None = None) -> Tokens:
        return super().prepare([column.cast(pa.string()) for column in values], cache=cache)


def _words(files: pa.Array | pa.ChunkedArray) -> pa.Array | pa.ChunkedArray:
    words = [None if one is None else content(one)[3:].decode() for one in files.to_pylist()]
    found = pa.array(words, pa.string())
    return pa.chunked_array([found]) if isinstance(files, pa.ChunkedArray) else found
