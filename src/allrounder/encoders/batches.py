"""Padded tensors from ragged tokens. Imports torch: encoders reach it lazily."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from allrounder.encoders.tokens import Tokens
from allrounder.encoders.windows import windows


@dataclass(frozen=True)
class Stitch:
    """Where each token of a record is found among windows: sequence and position, [n, T]."""

    sequence: Tensor
    position: Tensor


@dataclass(frozen=True)
class Beside:
    """What of each sequence is read beside its text.

    `text` [S, T] says which tokens are the text's own, `positions` [S, T] how they are numbered
    from 0, and `visible` [S, T, T] which token sees which.
    """

    text: Tensor
    positions: Tensor
    visible: Tensor

    def to(self, device: Any) -> "Beside":
        """Return the same on another device."""
        return Beside(*(part.to(device) for part in vars(self).values()))


@dataclass(frozen=True)
class Sequences:
    """A batch of sequences.

    `ids` and `mask` are [S, T]. Record r is pooled from sequence `first[r]`; its tokens follow
    `lead` special ones there, `lengths[r]` in all, unless `stitch` gathers them from windows.
    Tokens `beside` the text, if any, stand behind all others.
    """

    ids: Tensor
    mask: Tensor
    types: Tensor | None
    first: Tensor
    lead: int
    lengths: Tensor
    stitch: Stitch | None = None
    beside: Beside | None = None

    @property
    def num_tokens(self) -> int:
        """Tokens that are not padding."""
        return int(self.mask.sum())

    @property
    def text(self) -> Tensor:
        """Which tokens are those of texts, special ones included: [S, T]."""
        return self.mask if self.beside is None else self.beside.text

    def to(self, device: Any) -> "Sequences":
        """Return the batch on another device."""
        moved = {
            name: value.to(device)
            for name, value in vars(self).items()
            if isinstance(value, Tensor)
        }
        stitch = self.stitch and Stitch(
            self.stitch.sequence.to(device), self.stitch.position.to(device)
        )
        beside = self.beside and self.beside.to(device)
        return Sequences(**{**vars(self), **moved, "stitch": stitch, "beside": beside})


def padded(rows: Sequence[np.ndarray], fill: int) -> np.ndarray:
    """Return rows of unequal length as one array, filled up to the longest."""
    table = np.full((len(rows), max(map(len, rows), default=0)), fill, dtype=np.int64)
    for line, row in zip(table, rows, strict=True):
        line[: len(row)] = row
    return table


def _mask(rows: Sequence[np.ndarray]) -> Tensor:
    lengths = torch.tensor([len(row) for row in rows])
    return torch.arange(int(lengths.max())) < lengths[:, None]


def pairs(tokens: Tokens, rows: Sequence[int], *, pad: int) -> Sequences:
    """Return one complete sequence per row."""
    ids = [tokens.ids(row) for row in rows]
    types = [kinds if (kinds := tokens.types(row)) is not None else ids[0][:0] for row in rows]
    return Sequences(
        ids=torch.from_numpy(padded(ids, pad)),
        mask=_mask(ids),
        types=torch.from_numpy(padded(types, 0)),
        first=torch.arange(len(rows)),
        lead=0,
        lengths=torch.tensor([len(row) for row in ids]),
    )


def singles(
    tokens: Tokens,
    rows: Sequence[int],
    whole: Sequence[bool],
    *,
    reach: int,
    around: tuple[tuple[int, ...], tuple[int, ...]],
    pad: int,
) -> Sequences:
    """Return each row between its special tokens; rows wanted whole take windows if too long."""
    room = reach - sum(map(len, around))
    cuts = [
        windows(len(tokens.ids(row)), room) if wanted else [(0, room)]
        for row, wanted in zip(rows, whole, strict=True)
    ]
    before, after = (np.array(part, dtype=np.int64) for part in around)
    sequences = [
        np.concatenate([before, tokens.ids(row)[start:end], after])
        for row, parts in zip(rows, cuts, strict=True)
        for start, end in parts
    ]
    first = np.cumsum([0, *map(len, cuts)])[:-1]
    ends = [min(len(tokens.ids(r)), parts[-1][1]) for r, parts in zip(rows, cuts, strict=True)]
    split = any(len(parts) > 1 for parts in cuts)
    return Sequences(
        ids=torch.from_numpy(padded(sequences, pad)),
        mask=_mask(sequences),
        types=None,
        first=torch.from_numpy(first),
        lead=len(before),
        lengths=torch.tensor(ends),
        stitch=stitched(cuts, first, ends, len(before)) if split else None,
    )


def stitched(
    cuts: Sequence[list[tuple[int, int]]], first: np.ndarray, ends: Sequence[int], lead: int
) -> Stitch:
    """Return for each token the window in which it stands farthest from an edge."""
    sequence = np.zeros((len(cuts), max(ends)), dtype=np.int64)
    position = np.zeros_like(sequence)
    for row, (parts, end) in enumerate(zip(cuts, ends, strict=True)):
        starts = np.array([start for start, _ in parts])
        stops = np.array([stop for _, stop in parts])
        at = np.arange(end)
        # The ends of the text are no edges: nothing is cut off there.
        left = np.where(starts == 0, end, at[:, None] - starts)
        right = np.where(stops >= end, end, stops - 1 - at[:, None])
        inside = (at[:, None] >= starts) & (at[:, None] < stops)
        best = np.where(inside, np.minimum(left, right), -1).argmax(1)
        sequence[row, :end] = first[row] + best
        position[row, :end] = lead + at - starts[best]
    return Stitch(torch.from_numpy(sequence), torch.from_numpy(position))
