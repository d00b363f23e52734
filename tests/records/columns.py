"""Small columns, and rows to fill files with."""

from dataclasses import dataclass

import pyarrow as pa

from allrounder.records import BadValue, FileField

SPAN = pa.struct([("start", pa.int32()), ("end", pa.int32()), ("label", pa.string())])


@dataclass
class Names:
    """A column of strings that takes everything but 'bad'."""

    type = pa.string()
    of = None
    made_of = None

    def read(self, values: pa.Array, texts: pa.Array | None) -> pa.Array:
        names = values.cast(pa.string())
        bad = names.index("bad").as_py()
        if bad >= 0:
            raise BadValue(bad, "expected one of good, fine, found 'bad'.")
        return names


@dataclass
class Numbers:
    """A column of numbers."""

    type = pa.float64()
    of = None
    made_of = None

    def read(self, values: pa.Array, texts: pa.Array | None) -> pa.Array:
        return values.cast(pa.float64())


@dataclass
class Sets:
    """A column of lists of strings."""

    type = pa.list_(pa.string())
    of = None
    made_of = None

    def read(self, values: pa.Array, texts: pa.Array | None) -> pa.Array:
        return values.cast(self.type)


@dataclass
class Spans:
    """A column of spans in the field `text`."""

    type = pa.list_(SPAN)
    of = "text"
    made_of = None

    def read(self, values: pa.Array, texts: pa.Array | None) -> pa.Array:
        assert len(values) == len(texts)
        return pa.array(values.to_pylist(), self.type)


def refuse_other(held: bytes) -> None:
    if not held.startswith(b"PIC"):
        raise ValueError(f"expected a picture, found the bytes {held[:3]!r}.")


PICTURE = FileField("a picture", refuse_other)


def rows(n: int, start: int = 0) -> str:
    """Return n distinct rows of a CSV file with the columns text and topic."""
    return "".join(f"text number {i},{'ab'[i % 2]}\n" for i in range(start, start + n))
