"""Labels out of a set, one or several, such as a country or the name of a shop."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
import pyarrow as pa

from allrounder.encoders.base import Encoder
from allrounder.encoders.table import Table
from allrounder.lazy import lazy

if TYPE_CHECKING:
    from allrounder.encoders import cells, modules
else:
    cells = lazy("allrounder.encoders.cells")

MISSING, OTHER, FIRST = 0, 1, 2
"""Rows of a field's table: a missing label, one that was never seen, and the first known one."""


@dataclass(kw_only=True)
class Category(Encoder):
    """One label out of a set per field, each a learned vector.

    A label that training records do not have is read as "other"; so that this vector learns too,
    training now and then takes a known label for it. Where a field among several is missing,
    another learned vector stands for it.

    Args:
        fields: the columns that the input reads, one or more; by default the input's own name.
        width: width of the vectors.
        max_labels: the most labels of a field that are told apart, the commonest ones.
        unseen: the share of known labels that training takes for "other".
        labels: per field its labels; by default learned from training records.
    """

    learned: ClassVar[tuple[str, ...]] = ("labels",)
    values: ClassVar[str] = "labels"

    width: int = 32
    max_labels: int = 1000
    unseen: float = 0.02
    labels: list[list[str]] | None = None

    def __post_init__(self) -> None:
        if self.max_labels < 1:
            raise ValueError(f"has `max_labels: {self.max_labels}`. Expected 1 or more.")
        if not 0 <= self.unseen < 1:
            raise ValueError(f"has `unseen: {self.unseen}`. Expected a share from 0 to below 1.")
        if self.labels and self.fields and len(self.labels) != len(self.fields):
            raise ValueError(
                f"has `labels` for {len(self.labels)} of {len(self.fields)} `fields`. Expected a "
                "list for each of them."
            )

    def learn(self, values: Sequence[pa.ChunkedArray]) -> Self:
        """Return the encoder with the labels of every field, the commonest first."""
        if self.labels is not None:
            return self
        return replace(self, labels=[commonest(column, self.max_labels) for column in values])

    @property
    def known(self) -> list[list[str]]:
        """The labels of every field, once they were learned."""
        if self.labels is None:
            raise AssertionError("the labels were not learned")
        return self.labels

    @property
    def reach(self) -> int:
        """One token per field."""
        return len(self.fields or [""])

    def prepare(self, values: Sequence[pa.Array], *, cache: Path | None = None) -> Table:
        """Return the number of every label."""
        found = [_numbered(column, labels)
                 for column, labels in zip(values, self.known, strict=True)]  # fmt: skip
        numbers = np.stack(found, 1)
        return Table(numbers, numbers != MISSING)

    def length(self, tokens: Table, whole: np.ndarray) -> np.ndarray:
        """Return one token per field, where any is filled."""
        return tokens.lengths

    def collate(self, tokens: Table, rows: Sequence[int], whole: Sequence[bool]) -> Any:
        """Return the numbers of the labels of some rows."""
        return cells.labels(tokens.cells[rows])

    def module(self) -> "modules.Encoding":
        """Build one table of vectors per field."""
        return cells.Categories(self)


def commonest(column: pa.ChunkedArray, most: int) -> list[str]:
    """Return the labels of a column by how often they stand there, equals by name."""
    counts = Counter(label for label in column.to_pylist() if label is not None)
    ranked = sorted(counts.items(), key=lambda found: (-found[1], found[0]))
    return [label for label, _ in ranked[:most]]


def _numbered(column: pa.Array | pa.ChunkedArray, labels: Sequence[str]) -> np.ndarray:
    numbers = {None: MISSING, **{label: FIRST + at for at, label in enumerate(labels)}}
    return np.array([numbers.get(label, OTHER) for label in column.to_pylist()], np.int64)
