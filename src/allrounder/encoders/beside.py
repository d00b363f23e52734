"""Branches in a batch: other texts that are read beside those of records. Imports torch."""

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import torch

from allrounder.encoders.batches import Beside, Sequences, padded
from allrounder.encoders.branches import Branch


class _Spot(NamedTuple):
    """Where a branch is read: in which sequence, and which of its tokens it belongs to."""

    sequence: int
    first: int
    end: int


def placed(
    batch: Sequences, branches: Sequence[Sequence[Branch]], *, limit: int, pad: int
) -> Sequences:
    """Return a batch with branches behind the tokens of its texts.

    The order of tokens means nothing to a transformer: how they are numbered, and which sees which,
    is what says where a branch belongs.

    Args:
        batch: the texts.
        branches: of every record, those that are read beside it.
        limit: numbers of tokens end before it.
        pad: the token that fills up short sequences.
    """
    lengths = batch.mask.sum(1).tolist()
    num, width = batch.ids.shape
    spots = [
        (branch, _spot(batch, record, branch, lengths))
        for record, some in enumerate(branches)
        for branch in some
    ]
    flat = [np.concatenate([np.zeros(0, np.int64), *(b.ids for b, at in spots if at.sequence == s)])
            for s in range(num)]  # fmt: skip
    extra = padded(flat, pad)
    total = width + extra.shape[1]
    positions = np.tile(np.arange(total), (num, 1))
    visible = np.tile(np.eye(total, dtype=bool), (num, 1, 1))
    for sequence, length in enumerate(lengths):
        visible[sequence, :length, :length] = True
    free = [width] * num
    for branch, (sequence, first, end) in spots:
        start = free[sequence]
        own = free[sequence] = start + len(branch.ids)
        positions[sequence, start:own] = end + np.arange(len(branch.ids))
        for rows, columns in (((start, own), (start, own)), ((first, end), (start, own)),
                              ((start, own), (first, end))):  # fmt: skip
            visible[sequence, slice(*rows), slice(*columns)] = True
    there = torch.from_numpy(np.arange(extra.shape[1]) < np.array([*map(len, flat)])[:, None])
    return replace(
        batch,
        ids=torch.cat([batch.ids, torch.from_numpy(extra)], 1),
        mask=torch.cat([batch.mask, there], 1),
        beside=Beside(
            text=torch.cat([batch.mask, torch.zeros_like(there)], 1),
            positions=torch.from_numpy(positions.clip(max=limit - 1)),
            visible=torch.from_numpy(visible),
        ),
    )


def _spot(batch: Sequences, record: int, branch: Branch, lengths: Sequence[int]) -> _Spot:
    """Return where a branch is read: of several windows the one that its mention is taken from."""
    sequence = int(batch.first[record])
    if branch.anchor is None:
        return _Spot(sequence, 0, lengths[sequence])
    first, last = branch.anchor[0], branch.anchor[1] - 1
    if batch.stitch is None:
        return _Spot(sequence, batch.lead + first, batch.lead + last + 1)
    sequence = int(batch.stitch.sequence[record, first])
    start = int(batch.stitch.position[record, first])
    return _Spot(sequence, start, min(start + last + 1 - first, lengths[sequence]))
