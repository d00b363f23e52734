"""What a transformer reads beside a text: tokens that are none of the text's own."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np


@dataclass(frozen=True)
class Branch:
    """Tokens beside a text.

    Args:
        ids: the tokens: [e].
        anchor: the first token of the text that they belong to, and the one behind the last: these
            alone see them, and they see these alone. None where they go on behind the text, and
            all see all.
    """

    ids: np.ndarray
    anchor: tuple[int, int] | None = None


def fitting(branches: Sequence[Branch], length: int, *, reach: int, room: int) -> list[Branch]:
    """Return of some branches what is read.

    Args:
        branches: those of one text.
        length: how many tokens of the text are read.
        reach: the most tokens of branches: a text is not to cost more than twice.
        room: how many tokens there may be behind special ones where they lie in one row.
    """
    return list(_fitting(branches, length, reach, max(0, room - length)))


def _fitting(branches: Sequence[Branch], length: int, reach: int, behind: int) -> Iterator[Branch]:
    for branch in branches:
        if branch.anchor and not branch.anchor[0] < branch.anchor[1] <= length:
            continue  # its tokens are not read, or it has none
        most = reach if branch.anchor else min(reach, behind)
        ids = branch.ids[:most]
        if len(ids):
            yield replace(branch, ids=ids)
        reach -= len(ids)
        behind -= 0 if branch.anchor else len(ids)
