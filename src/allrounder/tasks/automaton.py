"""The best legal tags for every set of kinds that a text may be said to hold.

Viterbi over an automaton: a state is a tag and how often each counted kind was seen so far, up to
the number it is counted to. So a classifier and a tagger can be tied exactly: for every
combination of "a span of kind k exists" the likeliest tags are known, and what they cost.

Shapes: n records, T tokens, C combinations of counts, G tags (O, then B and I of every label).
Imports torch: kinds reach it lazily.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product
from typing import NamedTuple

import torch
from torch import Tensor

from allrounder.tasks.tagging import NEVER, Lattice, Run, runs_of

LEAST = -1e9
"""The log-weight of what no path reaches: finite, as infinities have no gradient."""


class Way(NamedTuple):
    """The likeliest spans of one combination of counts, and the log-probability of their tags."""

    runs: list[Run]
    log: float


@dataclass(frozen=True)
class Counts:
    """Every combination of counts, and where a span of each label comes from.

    Cells are counted through combinations and tags: combination · G + tag.

    Args:
        size: how many combinations there are; the first is nothing seen.
        sources: for each label and combination [L, C, 2], from which combinations a span that
            begins leads there.
        never: where from none [L, C, 2].
        cells: the number of every cell [C, G].
    """

    size: int
    sources: Tensor
    never: Tensor
    cells: Tensor


def counts(counted: Mapping[int, int], num_labels: int) -> Counts:
    """Return the combinations of counts, given up to which number each label is counted."""
    names = list(counted)
    every = list(product(*(range(counted[label] + 1) for label in names)))
    number = {seen: place for place, seen in enumerate(every)}
    sources = torch.full((num_labels, len(every), 2), -1)
    sources[..., 0] = torch.arange(len(every))
    for at, label in enumerate(names):
        sources[label] = -1
        for seen, place in number.items():
            more = (*seen[:at], min(seen[at] + 1, counted[label]), *seen[at + 1 :])
            sources[label, number[more], int(more == seen)] = place
    cells = torch.arange(len(every) * (1 + 2 * num_labels)).view(len(every), -1)
    return Counts(len(every), sources.clamp(min=0), sources < 0, cells)


def best_by_count(paths: Lattice, counted: Mapping[int, int]) -> list[list[Way]]:
    """Return for each record the best way of every combination of counts that it can have."""
    num_records, num_tokens, num_labels = paths.size
    every = counts(counted, num_labels)
    state = paths.o.new_full((num_records, every.size, 1 + 2 * num_labels), NEVER)  # [n, C, G]
    state[:, 0, 0] = 0.0
    back = []
    for t in range(num_tokens):
        state, came = _step(paths, every, state, t)
        back.append(came)
    logs, ends = state.max(-1)
    tags = _followed(ends, back)
    tags = tags.masked_fill(~paths.live[:, None, :, 0], 0).tolist()
    return [
        [Way(runs_of(path, num_labels), log) for path, log in zip(*row, strict=True) if log > NEVER]
        for row in zip(tags, logs.tolist(), strict=True)
    ]


def mass_by_count(paths: Lattice, counted: Mapping[int, int]) -> Tensor:
    """Return the log-weight of all legal paths of every combination of counts: [n, C].

    The forward algorithm over the same automaton; combinations stand in the order of `counts`, and
    one that a record cannot have weighs next to nothing. Gradients flow to the scores.
    """
    num_records, num_tokens, num_labels = paths.size
    every = counts(counted, num_labels)
    state = paths.o.new_full((num_records, every.size, 1 + 2 * num_labels), LEAST)  # [n, C, G]
    state[:, 0, 0] = 0.0
    for t in range(num_tokens):
        state = _summed(paths, every, state, t)
    return state.logsumexp(-1)


def _summed(paths: Lattice, every: Counts, state: Tensor, t: int) -> Tensor:
    """Return the log-weights after one more token: [n, C, G]."""
    num_labels = paths.size[2]
    inside, live = paths.inside[:, t, None], paths.live[:, t, None]
    whole = state.logsumexp(-1)
    opened, ongoing = state[..., 1 : 1 + num_labels], state[..., 1 + num_labels :]
    begun = whole[:, every.sources].masked_fill(every.never, LEAST).logsumexp(-1)  # [n, L, C]
    o = torch.where(inside, state[..., :1], whole[..., None]) + paths.o[:, t, None]
    b = torch.where(inside, LEAST, begun.transpose(1, 2)) + paths.b[:, t, None]
    i = torch.logaddexp(opened, ongoing) + paths.i[:, t, None]
    return torch.where(live, torch.cat([o, b, i], -1), state)


def _step(paths: Lattice, every: Counts, state: Tensor, t: int) -> tuple[Tensor, Tensor]:
    """Return the state after one more token, and where each of its cells came from: [n, C, G]."""
    num_labels, own = paths.size[2], every.cells[:, :1]
    inside, live = paths.inside[:, t, None], paths.live[:, t, None]
    top, best = state.max(-1)
    opened, ongoing = state[..., 1 : 1 + num_labels], state[..., 1 + num_labels :]
    o = torch.where(inside, state[..., :1], top[..., None]) + paths.o[:, t, None]
    from_o = torch.where(inside, own, own + best[..., None])
    begun, from_b = _begun(every, top, own[:, 0] + best)
    b = torch.where(inside, NEVER, begun) + paths.b[:, t, None]
    i = torch.maximum(opened, ongoing) + paths.i[:, t, None]
    begin, go_on = every.cells[:, 1 : 1 + num_labels], every.cells[:, 1 + num_labels :]
    from_i = torch.where(ongoing > opened, go_on, begin)
    new = torch.where(live, torch.cat([o, b, i], -1), state)
    return new, torch.where(live, torch.cat([from_o, from_b, from_i], -1), every.cells)


def _begun(every: Counts, top: Tensor, best: Tensor) -> tuple[Tensor, Tensor]:
    """Return what leads best to a span that begins now, by combination and label: [n, C, L]."""
    found = top[:, every.sources].masked_fill(every.never, NEVER)  # [n, L, C, 2]
    value, which = found.max(-1)
    came = best[:, every.sources].gather(-1, which[..., None])[..., 0]
    return value.transpose(1, 2), came.transpose(1, 2)


def _followed(ends: Tensor, back: list[Tensor]) -> Tensor:
    """Return the tags of the best path of each combination: [n, C, T]."""
    num_tags = back[0].shape[-1]
    cell = torch.arange(ends.shape[1]) * num_tags + ends
    tags = []
    for came in reversed(back):
        tags.append(cell % num_tags)
        cell = came.flatten(1).gather(1, cell)
    return torch.stack(tags[::-1], -1)
