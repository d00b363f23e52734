"""Exact reading of tag scores: the best legal path, and the probability of a span.

Tags are numbered O = 0, B-k = 1 + k, I-k = 1 + L + k. The legal paths: I-k follows only B-k or
I-k; and where words stay whole, a token inside a word continues what the token before it was.
Imports torch: kinds reach it lazily.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from allrounder.tasks.words import is_inside_word

NEVER = float("-inf")


class Run(NamedTuple):
    """Tokens `first` to `last`, both included, that carry label number `label`."""

    first: int
    last: int
    label: int


@dataclass(frozen=True)
class TokenRecord:
    """The text of one record and where its tokens lie: `offsets` [T, 2], empty for special ones."""

    text: str
    offsets: np.ndarray


@dataclass(frozen=True)
class TokenScores:
    """Scores of a batch, [n, T, tags], and the records they belong to."""

    values: Tensor
    records: Sequence[TokenRecord]

    def __getitem__(self, places: np.ndarray) -> "TokenScores":
        """Return the scores of some records of the batch."""
        return TokenScores(self.values[places], [self.records[at] for at in places])

    def cooled(self, temperature: float) -> "TokenScores":
        """Return the scores divided by a temperature."""
        return replace(self, values=self.values / temperature)


@dataclass(frozen=True)
class Lattice:
    """Log-probabilities of tags, and which paths through them are legal.

    `o` [n, T, 1], `b` and `i` [n, T, L]; `live` [n, T, 1] marks tokens of the text; `inside`
    [n, T, 1] marks tokens that continue a word.
    """

    o: Tensor
    b: Tensor
    i: Tensor
    live: Tensor
    inside: Tensor

    @property
    def size(self) -> tuple[int, int, int]:
        """Records, tokens, labels."""
        return self.b.shape  # type: ignore[return-value]

    def start(self) -> Tensor:
        """Return the state before the first token: O."""
        state = self.o.new_full((self.size[0], 1 + 2 * self.size[2]), NEVER)
        state[:, 0] = 0.0
        return state


def lattice(scores: TokenScores, *, split_words: bool) -> Lattice:
    """Return the lattice of legal paths through `scores`."""
    num_records, num_tokens, num_tags = scores.values.shape
    live = np.zeros((num_records, num_tokens, 1), dtype=bool)
    inside = np.zeros_like(live)
    for row, record in enumerate(scores.records):
        starts = record.offsets[:, 0]
        live[row, : len(starts), 0] = starts < record.offsets[:, 1]
        if not split_words:
            inside[row, : len(starts), 0] = [is_inside_word(record.text, at) for at in starts]
    logs = scores.values.double().cpu().log_softmax(-1)
    half = 1 + num_tags // 2
    return Lattice(
        o=logs[..., :1],
        b=logs[..., 1:half],
        i=logs[..., half:],
        live=torch.from_numpy(live),
        inside=torch.from_numpy(inside & live),
    )


def viterbi(paths: Lattice) -> list[list[Run]]:
    """Return the runs of the likeliest legal path of each record."""
    num_records, num_tokens, num_labels = paths.size
    state, back = paths.start(), []
    begin = torch.arange(1, 1 + num_labels).expand(num_records, -1)
    identity = torch.arange(1 + 2 * num_labels).expand(num_records, -1)
    for t in range(num_tokens):
        top, best = state.max(-1, keepdim=True)
        opened, ongoing = state[:, 1 : 1 + num_labels], state[:, 1 + num_labels :]
        came = [
            torch.where(paths.inside[:, t], 0, best),
            best.expand(-1, num_labels),
            torch.where(ongoing > opened, begin + num_labels, begin),
        ]
        o = torch.where(paths.inside[:, t], state[:, :1], top) + paths.o[:, t]
        b = torch.where(paths.inside[:, t], NEVER, top) + paths.b[:, t]
        i = torch.maximum(opened, ongoing) + paths.i[:, t]
        state = torch.where(paths.live[:, t], torch.cat([o, b, i], -1), state)
        back.append(torch.where(paths.live[:, t], torch.cat(came, -1), identity))
    return _followed(state, back, paths)


def _followed(state: Tensor, back: list[Tensor], paths: Lattice) -> list[list[Run]]:
    tag = state.argmax(-1, keepdim=True)
    tags = []
    for pointers in reversed(back):
        tags.append(tag)
        tag = pointers.gather(-1, tag)
    path = torch.cat(tags[::-1], -1).masked_fill(~paths.live[..., 0], 0)
    return [runs_of(row, paths.size[2]) for row in path.tolist()]


def runs_of(path: Sequence[int], num_labels: int) -> list[Run]:
    """Return the runs of a legal path of tags."""
    runs: list[Run] = []
    for at, tag in enumerate(path):
        if 1 <= tag <= num_labels:
            runs.append(Run(at, at, tag - 1))
        elif tag > num_labels:
            runs[-1] = runs[-1]._replace(last=at)
    return runs


def span(run: Run, record: TokenRecord, labels: Sequence[str]) -> dict[str, Any]:
    """Return a run of tokens as code point offsets and label."""
    start, end = int(record.offsets[run.first, 0]), int(record.offsets[run.last, 1])
    return {"start": start, "end": end, "label": labels[run.label]}


def mentions(
    ways: Sequence[Sequence[Run]], record: TokenRecord, labels: Sequence[str]
) -> list[list[dict[str, Any]]]:
    """Return several ways to read one record as spans with their texts; they share most spans."""
    found = {}
    for one in {one for runs in ways for one in runs}:
        at = span(one, record, labels)
        found[one] = {**at, "text": record.text[at["start"] : at["end"]]}
    return [[found[one] for one in runs] for runs in ways]


def run(span: Mapping[str, Any], record: TokenRecord, labels: Sequence[str]) -> Run:
    """Return the run of tokens that a span, as `span` made it, stands for."""
    starts, ends = record.offsets[:, 0], record.offsets[:, 1]
    first = int(np.flatnonzero((starts == span["start"]) & (starts < ends))[0])
    last = int(np.flatnonzero((ends == span["end"]) & (starts < ends))[-1])
    return Run(first, last, list(labels).index(span["label"]))


def probabilities(paths: Lattice, runs: Sequence[Sequence[Run]]) -> list[list[float]]:
    """Return for each run the exact probability that a legal path contains it.

    Forward-backward over the lattice: what leads up to the run, times the run, times what may
    follow once it ends there, over everything.
    """
    before, total = _forward(paths)
    leave = _backward(paths)
    return [
        [
            float((before[row][run.first] + _inner(paths, row, run) + leave[run.last][row]
                   - total[row]).exp().clamp(0, 1))
            for run in found
        ]
        for row, found in enumerate(runs)
    ]  # fmt: skip


def _inner(paths: Lattice, row: int, run: Run) -> Tensor:
    rest = slice(run.first + 1, run.last + 1)
    inner = paths.i[row, rest, run.label][paths.live[row, rest, 0]]
    return paths.b[row, run.first, run.label] + inner.sum()


def _forward(paths: Lattice) -> tuple[Tensor, Tensor]:
    """Return the log-weight of all paths before each token [n, T], and of all paths [n]."""
    state, sums = paths.start(), []
    num_labels = paths.size[2]
    for t in range(paths.size[1]):
        every = state.logsumexp(-1, keepdim=True)
        sums.append(every)
        opened, ongoing = state[:, 1 : 1 + num_labels], state[:, 1 + num_labels :]
        o = torch.where(paths.inside[:, t], state[:, :1], every) + paths.o[:, t]
        b = torch.where(paths.inside[:, t], NEVER, every) + paths.b[:, t]
        i = torch.logaddexp(opened, ongoing) + paths.i[:, t]
        state = torch.where(paths.live[:, t], torch.cat([o, b, i], -1), state)
    return torch.cat(sums, -1), state.logsumexp(-1)


def _backward(paths: Lattice) -> list[Tensor]:
    """Return for each token the log-weight of what may follow a span that ends there: T × [n]."""
    num_records, num_tokens, num_labels = paths.size
    after_o = paths.o.new_zeros(num_records, 1)
    after_span = paths.o.new_zeros(num_records, num_labels)
    ended = paths.o.new_zeros(num_records, 1)
    leave = []
    for t in reversed(range(num_tokens)):
        leave.append(ended[:, 0])
        live, inside = paths.live[:, t], paths.inside[:, t]
        only_o = paths.o[:, t] + after_o
        go_on = paths.i[:, t] + after_span
        free = torch.cat([only_o, paths.b[:, t] + after_span], -1).logsumexp(-1, keepdim=True)
        ended = torch.where(live, torch.where(inside, NEVER, free), ended)
        after_o = torch.where(live, torch.where(inside, only_o, free), after_o)
        mixed = torch.where(inside, go_on, torch.logaddexp(free.expand_as(go_on), go_on))
        after_span = torch.where(live, mixed, after_span)
    return leave[::-1]
