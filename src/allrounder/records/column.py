"""What a task promises about its column of labels."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

import pyarrow as pa


class BadValue(ValueError):
    """One value of a column cannot be a label.

    `index` is its place in the array that was read, so that the source can name file and line.
    The text says what was found, what was expected and what to do, without file and line.
    """

    def __init__(self, index: int, why: str) -> None:
        super().__init__(why)
        self.index = index


class Made(NamedTuple):
    """An input that labels are made from.

    Args:
        fields: its columns.
        whole: whether a record that lacks one of them lacks the input.
    """

    fields: Sequence[str]
    whole: bool = False


class Column(Protocol):
    """The labels of one task, as they lie on disk."""

    @property
    def type(self) -> pa.DataType:
        """The Arrow type of a label; a missing label is null."""
        ...

    @property
    def of(self) -> str | None:
        """The text field that the label points into (spans), else None."""
        ...

    @property
    def made_of(self) -> Mapping[str, Made] | None:
        """Input → its columns, where labels are made from inputs and none is read, else None."""
        ...

    def read(self, values: pa.Array, texts: pa.Array | None) -> pa.Array:
        """Turn raw values of any Arrow type into labels of `type`.

        Args:
            values: one raw value per row: strings from text formats, anything from JSONL/Parquet.
                Where labels are made from inputs, a hash of each one's value, 0 where missing.
            texts: the text field named by `of`, one string per row; None where `of` is None.

        Raises:
            BadValue: at the first value that cannot be a label.
        """
        ...
