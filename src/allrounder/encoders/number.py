"""Numbers, one or several, each by the bins that it has passed."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
import pyarrow as pa

from allrounder.encoders.base import Encoder
from allrounder.encoders.table import Table
from allrounder.lazy import lazy
from allrounder.records import Field, NumberField

if TYPE_CHECKING:
    from allrounder.encoders import cells, modules
else:
    cells = lazy("allrounder.encoders.cells")

FAR = 10.0
"""Numbers are read no farther outside the bins than this many times their whole width."""


@dataclass(kw_only=True)
class Number(Encoder):
    """One or several numbers, piecewise linear (Gorishniy, Rubachev and Babenko 2022, section 3.2).

    Training records cut the range of each field at its quantiles. A number is then one value per
    bin: 1 where it lies above, 0 where below, in between the part of the bin that it has passed;
    the first and the last bin go on beyond their outer ends. A linear layer and a ReLU per field
    follow (PLE-LR). Where a field among several is missing, a learned vector stands for it.

    Args:
        fields: the columns that the input reads, one or more; by default the input's own name.
        width: width of the vectors.
        num_bins: the most bins of a field.
        bins: per field the edges of its bins; by default learned from training records.
    """

    learned: ClassVar[tuple[str, ...]] = ("bins",)
    values: ClassVar[str] = "numbers"

    width: int = 32
    num_bins: int = 16
    bins: list[list[float]] | None = None

    def __post_init__(self) -> None:
        if self.num_bins < 1:
            raise ValueError(f"has `num_bins: {self.num_bins}`. Expected 1 or more.")
        for edges in self.bins or []:
            if len(edges) < 2 or (np.diff(edges) <= 0).any():
                raise ValueError(
                    f"has the edges {edges} in `bins`. Expected two or more, each above the last."
                )
        if self.bins and self.fields and len(self.bins) != len(self.fields):
            raise ValueError(
                f"has `bins` for {len(self.bins)} of {len(self.fields)} `fields`. Expected edges "
                "for each of them."
            )

    @property
    def field(self) -> Field:
        """Numbers."""
        return NumberField()

    @property
    def sample(self) -> float:
        """Nothing."""
        return 0.0

    def learn(self, values: Sequence[pa.ChunkedArray]) -> Self:
        """Return the encoder with the quantiles of every field as edges of its bins."""
        if self.bins is not None:
            return self
        return replace(self, bins=[edges(_floats(column), self.num_bins) for column in values])

    @property
    def reach(self) -> int:
        """One token per field."""
        return len(self.fields or [""])

    def prepare(self, values: Sequence[pa.Array], *, cache: Path | None = None) -> Table:
        """Return the numbers."""
        found = np.stack([_floats(column) for column in values], 1)
        return Table(np.nan_to_num(found), ~np.isnan(found))

    def length(self, tokens: Table, whole: np.ndarray) -> np.ndarray:
        """Return one token per field, where any is filled."""
        return tokens.lengths

    def collate(self, tokens: Table, rows: Sequence[int], whole: Sequence[bool]) -> Any:
        """Return the numbers of some rows, piecewise linear."""
        numbers = tokens.cells[rows].T
        parts = [piecewise(column, np.array(found))
                 for column, found in zip(numbers, self.known, strict=True)]  # fmt: skip
        return cells.numbers(parts, tokens.there[rows])

    @property
    def known(self) -> list[list[float]]:
        """The edges of the bins of every field, once they were learned."""
        if self.bins is None:
            raise AssertionError("the bins were not learned")
        return self.bins

    def module(self) -> "modules.Encoding":
        """Build one linear layer per field."""
        return cells.Numbers(self)


def _floats(column: pa.Array | pa.ChunkedArray) -> np.ndarray:
    """Return numbers with NaN for what is missing."""
    whole = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    return whole.cast(pa.float64()).to_numpy(zero_copy_only=False)


def edges(numbers: np.ndarray, num_bins: int) -> list[float]:
    """Return the quantiles of numbers, each once; two ends at least."""
    known = numbers[~np.isnan(numbers)]
    if not len(known):
        return [0.0, 1.0]
    found = np.unique(np.quantile(known, np.linspace(0, 1, num_bins + 1)))
    return (found if len(found) > 1 else np.array([found[0], found[0] + 1])).tolist()


def piecewise(numbers: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """Return the part of each bin that lies below each number: [n] → [n, bins].

    Equation 1 of Gorishniy et al. (2022). Numbers from far outside are drawn in to `FAR` widths,
    so that one slip of a key does not drown a record.
    """
    width = FAR * (edges[-1] - edges[0])
    numbers = np.clip(numbers, edges[0] - width, edges[-1] + width)
    parts = (numbers[:, None] - edges[:-1]) / np.diff(edges)
    parts[:, 1:] = np.maximum(parts[:, 1:], 0)
    parts[:, :-1] = np.minimum(parts[:, :-1], 1)
    return parts.astype(np.float32)
