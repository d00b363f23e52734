"""Where the entities of a knowledge base are named in many texts."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from allrounder.knowledge.lexicon import Lexicon, Mention

PART = 1 << 14
"""Texts that are Python strings at a time."""

TIE = 0.1
"""Two meanings whose probabilities are less apart are about as likely."""


class Ragged(NamedTuple):
    """Some numbers for each of many things: thing i has `values[starts[i] : starts[i + 1]]`."""

    starts: np.ndarray
    values: np.ndarray

    def of(self, things: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the values of some things, one after the other, and whose each is.

        The second array holds places in `things`.
        """
        counts = self.starts[things + 1] - self.starts[things]
        owners = np.repeat(np.arange(len(things)), counts)
        shift = np.repeat(self.starts[things] - (np.cumsum(counts) - counts), counts)
        return self.values[np.arange(len(owners)) + shift], owners


@dataclass(frozen=True)
class Linked:
    """The mentions in the texts of every row.

    Args:
        mentions: by row, the numbers of its mentions.
        spans: of every mention, its first code point and the one behind its last: [m, 2].
        candidates: by mention, the entities that it may mean, the likeliest first.
        priors: of every candidate, in the order of `candidates.values`.
        weights: how likely each candidate is in its context, where a linker has said so.
    """

    mentions: Ragged
    spans: np.ndarray
    candidates: Ragged
    priors: np.ndarray
    weights: np.ndarray | None = None

    @classmethod
    def of(cls, lexicon: Lexicon, texts: pa.Array | pa.ChunkedArray) -> "Linked":
        """Find every mention in a column of texts."""
        counts: list[int] = []
        spans: list[tuple[int, int]] = []
        sizes: list[int] = []
        entities: list[int] = []
        priors: list[float] = []
        for part in _parts(texts):
            for found in lexicon.find_all(part):
                counts.append(len(found))
                for mention in found:
                    spans.append((mention.start, mention.end))
                    sizes.append(len(mention.candidates))
                    entities += mention.candidates
                    priors += mention.priors
        return cls(
            mentions=Ragged(_starts(counts), np.arange(len(spans))),
            spans=np.array(spans, np.int32).reshape(-1, 2),
            candidates=Ragged(_starts(sizes), np.array(entities, np.int64)),
            priors=np.array(priors, np.float32),
        )

    def found(self, row: int) -> list[Mention]:
        """Return the mentions in the text of a row."""
        (mentions, _), starts = self.mentions.of(np.array([row])), self.candidates.starts
        return [
            Mention(
                *self.spans[at].tolist(),
                tuple(self.candidates.values[starts[at] : starts[at + 1]].tolist()),
                tuple(self.priors[starts[at] : starts[at + 1]].tolist()),
            )
            for at in mentions
        ]

    def ties(self) -> np.ndarray:
        """Return by row in how many mentions the two likeliest meanings are about as likely.

        That nothing known is meant is a meaning too. Where no linker has weighed the candidates,
        there are no ties.
        """
        if self.weights is None:
            return np.zeros(len(self.mentions.starts) - 1, int)
        by_mention = np.split(self.weights, self.candidates.starts[1:])[:-1]
        tied = np.array([_is_tied(some) for some in by_mention], bool)
        num_before = np.concatenate([[0], np.cumsum(tied[self.mentions.values])])
        return np.diff(num_before[self.mentions.starts])

    def entities(self) -> np.ndarray:
        """Return the entities that any mention may mean, each once, and in order."""
        return np.unique(self.candidates.values)


def _is_tied(likely: np.ndarray) -> bool:
    """Return whether the two likeliest of some candidates and of none of them are close."""
    first, second = sorted([*likely.tolist(), 1 - float(likely.sum())])[:-3:-1]
    return first - second < TIE


def _parts(column: pa.Array | pa.ChunkedArray) -> Iterator[list[str]]:
    """Yield texts, some at a time; a missing one is empty."""
    for start in range(0, len(column), PART):
        yield [text or "" for text in column.slice(start, PART).to_pylist()]


def _starts(counts: list[int]) -> np.ndarray:
    return np.concatenate([[0], np.cumsum(counts, dtype=np.int64)])
