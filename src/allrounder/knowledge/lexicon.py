"""Where entities are named in a text, and which.

At every place where an alias may begin the longest one that fits is taken, and the search goes on
behind it. In scripts that set words apart an alias never begins or ends inside a word; in Chinese,
Japanese, Korean and their like it may at any character.

Aliases are kept as sorted 64-bit hashes. A table tells from the first four characters at a place
how long aliases that begin so are; all stretches of such lengths are hashed and looked up at once.
That matters where an alias may begin at any character, as in Chinese. No text of an alias is kept:
a wrong mention by equal hashes is expected once in a billion texts of 480 characters beside a
million aliases.
"""

from collections.abc import Iterator, Sequence
from functools import partial
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from allrounder.knowledge.facts import ALIAS, NAME
from allrounder.knowledge.folding import BLANK, JOINED_MARK, LETTER, Folded, Folding, characters
from allrounder.knowledge.hashing import Hashing
from allrounder.knowledge.snapshot import Snapshot

BLOCK = 1 << 16
"""Characters that are folded and searched at a time."""

FACTORS = (0x9E3779B1, 0x85EBCA77, 0xC2B2AE3D, 0x27D4EB2F)
"""What the first characters of an alias are multiplied with to tell its beginning in 32 bits."""

LONG = 32
"""Bits of a number: from this length on aliases of any length are looked for where one begins."""

LONGEST = 256
"""Names with more characters are not looked for."""

CERTAIN = (1.0,)

Meaning = tuple[tuple[int, ...], tuple[float, ...]]
"""Entities, and the prior of each."""


class Mention(NamedTuple):
    """A stretch of text that names an entity.

    Args:
        start: its first code point in the text.
        end: the code point behind its last.
        candidates: numbers of the entities that it may mean, the likeliest first.
        priors: how likely each is before anything else is known; they sum to 1.
    """

    start: int
    end: int
    candidates: tuple[int, ...]
    priors: tuple[float, ...]


_MADE = partial(tuple.__new__, Mention)
"""Makes a mention of its four parts in a third of the time: there are a hundred in a text."""


class Meanings(NamedTuple):
    """What every alias may mean.

    Args:
        hashes: of the aliases, sorted.
        offsets: where the meanings of each alias begin; one more than there are aliases.
        entities: the likeliest of an alias first.
        priors: how likely each is.
    """

    hashes: np.ndarray
    offsets: np.ndarray
    entities: np.ndarray
    priors: np.ndarray

    def of_all(self, aliases: np.ndarray) -> tuple[list[tuple[int, ...]], list[tuple[float, ...]]]:
        """Return the entities of each alias, and their priors."""
        starts, ends = self.offsets[aliases], self.offsets[aliases + 1]
        entities: list[tuple[int, ...]] = [*zip(self.entities[starts].tolist(), strict=True)]
        priors = [CERTAIN] * len(entities)
        for i in np.flatnonzero(ends - starts > 1).tolist():
            span = slice(starts[i], ends[i])
            entities[i] = tuple(self.entities[span].tolist())
            priors[i] = tuple(self.priors[span].tolist())
        return entities, priors


class Lengths:
    """How long aliases with a beginning are: bit n - 1 of a number for length n, the last for more.

    An alias of fewer than four characters is kept by all of them. Two beginnings may share a
    number, so that a length may be told that there is not.

    Args:
        beginnings: 32 bits for each alias that tell its beginning.
        lengths: the length of each.
    """

    def __init__(self, beginnings: np.ndarray, lengths: np.ndarray) -> None:
        self._shift = np.uint32(32 - max(8, len(lengths).bit_length() + 1))
        self.table = np.zeros(1 << (32 - int(self._shift)), np.uint32)
        bits = np.uint32(1) << (np.minimum(lengths, LONG) - 1).astype(np.uint32)
        np.bitwise_or.at(self.table, beginnings >> self._shift, bits)
        self._longest = int(lengths.max(initial=0))

    def stretches(
        self, codes: np.ndarray, may_start: np.ndarray, may_end: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return start and end of all that can be an alias; of one start the longest comes last."""
        starts = may_start.nonzero()[0]
        told = self._told(_beginnings(codes), starts)
        bits = np.unpackbits(told.astype("<u4").view(np.uint8), bitorder="little")
        each = bits.view(bool).nonzero()[0]
        froms, ends = starts[each >> 5], starts[each >> 5] + (each & 31) + 1
        fits = np.append(may_end, np.zeros(LONG, bool))[ends - 1]
        froms, ends = froms[fits], ends[fits]
        if self._longest > LONG:
            more = self._long(starts[told >= np.uint32(1 << (LONG - 1))], may_end)
            froms, ends = np.append(froms, more[0]), np.append(ends, more[1])
        return froms, ends

    def _told(self, beginnings: Sequence[np.ndarray], starts: np.ndarray) -> np.ndarray:
        """Return the lengths of what may begin at each start: those of each beginning alone."""
        *short, whole = (self.table[each[starts] >> self._shift] for each in beginnings)
        told = whole & np.uint32(-(1 << len(short)) & 0xFFFFFFFF)
        for at, lengths in enumerate(short):
            told |= lengths & np.uint32(1 << at)
        return told

    def _long(self, starts: np.ndarray, may_end: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return all that are longer than the bits tell, from some starts, the longest last."""
        ends = may_end.nonzero()[0] + 1
        first = np.searchsorted(ends, starts + LONG, "right")
        counts = np.searchsorted(ends, starts + self._longest, "right") - first
        shift = (first - (counts.cumsum() - counts)).repeat(counts)
        return starts.repeat(counts), ends[np.arange(len(shift)) + shift]


class Lexicon:
    """All aliases of a snapshot's entities.

    Args:
        meanings: aliases and what they mean.
        lengths: how long they are, by how they begin.
    """

    def __init__(self, meanings: Meanings, lengths: Lengths) -> None:
        self._meanings = meanings
        self._lengths = lengths
        self._folding = Folding()
        self._hashing = Hashing()
        bits = max(1, len(meanings.hashes).bit_length() + 2)
        self._shift = np.uint64(64 - bits)
        every = np.arange(1 << bits, dtype=np.uint64) << self._shift
        bounds = np.searchsorted(meanings.hashes, every)
        self._bounds = np.append(bounds, len(meanings.hashes)).astype(np.int32)

    @classmethod
    def of(cls, snapshot: Snapshot, *, min_length: int = 1) -> "Lexicon":
        """Return the lexicon of all names and aliases.

        Args:
            snapshot: whose entities; one without a name is named by its id.
            min_length: leave out aliases with fewer characters.
        """
        entities, texts, weights = _named(snapshot)
        blocks = list(_blocks(texts.to_pylist())) or [[]]
        folding, hashing = Folding(), Hashing()
        parts = [_hashed(block, folding, hashing) for block in blocks]
        hashes, lengths, beginnings = (np.concatenate(part) for part in zip(*parts, strict=True))
        kept = (lengths >= max(1, min_length)) & (lengths <= LONGEST)
        meanings = _meanings(hashes[kept], entities[kept], weights[kept])
        return cls(meanings, Lengths(beginnings[kept], lengths[kept]))

    def __len__(self) -> int:
        """Return the number of different aliases."""
        return len(self._meanings.hashes)

    def find(self, text: str) -> list[Mention]:
        """Return the mentions in a text, in order and without overlaps."""
        return self._found([text])[0]

    def find_all(self, texts: Sequence[str]) -> list[list[Mention]]:
        """Return the mentions in each text; many at a time are quicker than one by one."""
        return [mentions for block in _blocks(texts) for mentions in self._found(block)]

    def meanings(self, alias: str) -> Meaning:
        """Return the entities that an alias may mean, the likeliest first, and their priors."""
        hashes, *_ = _hashed([alias], self._folding, self._hashing)
        found = self._looked_up(hashes)
        entities, priors = self._meanings.of_all(found[found >= 0])
        return (entities[0], priors[0]) if entities else ((), ())

    def _found(self, texts: Sequence[str]) -> list[list[Mention]]:
        folded = self._folding(texts)
        starts, ends, aliases = self._hits(folded)
        chosen = _leftmost(starts.tolist(), ends.tolist())
        places = folded.original(starts[chosen], ends[chosen])
        meant = self._meanings.of_all(aliases[chosen])
        whose, *spans = places
        every = [*map(_MADE, zip(*map(np.ndarray.tolist, spans), *meant, strict=True))]
        bounds = np.searchsorted(whose, np.arange(len(texts) + 1)).tolist()
        return [every[start:end] for start, end in pairwise(bounds)]

    def _hits(self, folded: Folded) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return start, end and number of the longest alias at every place that has one."""
        starts, ends = self._lengths.stretches(folded.codes, *_borders(folded))
        aliases = self._looked_up(self._hashing(folded.codes, starts, ends))
        hits = (aliases >= 0).nonzero()[0]
        longest = np.full(len(folded.codes), -1)
        longest[starts[hits]] = hits  # of the same start the last counts
        hits = longest[longest >= 0]
        return starts[hits], ends[hits], aliases[hits]

    def _looked_up(self, hashes: np.ndarray) -> np.ndarray:
        """Return the alias of each hash, -1 where there is none."""
        known, found = self._meanings.hashes, np.full(len(hashes), -1)
        top = (hashes >> self._shift).astype(np.int64)
        places, ends = self._bounds[top], self._bounds[top + 1]
        active = (places < ends).nonzero()[0]
        while len(active):
            here = places[active]
            same = known[here] == hashes[active]
            found[active[same]] = here[same]
            places[active] += 1
            active = active[~same & (here + 1 < ends[active])]
        return found


def _leftmost(starts: Sequence[int], ends: Sequence[int]) -> np.ndarray:
    """Return which stretches to take from left to right, so that none overlap."""
    chosen, behind = [], 0
    for i, start in enumerate(starts):
        if start >= behind:
            chosen.append(i)
            behind = ends[i]
    return np.array(chosen, np.int64)


def _blocks(texts: Sequence[str]) -> Iterator[Sequence[str]]:
    """Yield texts, as many at a time as fill a block."""
    sizes = np.fromiter(map(len, texts), np.int64, len(texts))
    block = np.cumsum(sizes + 1) // BLOCK
    bounds = [0, *(np.flatnonzero(np.diff(block)) + 1).tolist(), len(texts)]
    for start, end in pairwise(bounds):
        if start < end:
            yield texts[start:end]


def _borders(folded: Folded) -> tuple[np.ndarray, np.ndarray]:
    """Return at which characters an alias may start, and behind which it may end."""
    codes = folded.codes
    kinds = characters()[codes]
    letter, blank = kinds == LETTER, kinds == BLANK
    inside = np.zeros(len(codes) + 1, bool)
    inside[1:-1] = (letter[1:] & letter[:-1]) | ((kinds[1:] == JOINED_MARK) & (codes[:-1] != 0))
    for places in folded.inside():
        inside[places] = True
    return ~(inside[:-1] | blank), ~(inside[1:] | blank)


def _beginnings(codes: np.ndarray) -> list[np.ndarray]:
    """Return 32 bits that tell the first one, two, three and four characters at every place."""
    size, mixed, found = len(codes), np.uint32(0), []
    codes = np.append(codes, np.zeros(len(FACTORS), np.uint32))
    for at, factor in enumerate(FACTORS):
        mixed = mixed + codes[at : at + size] * np.uint32(factor)
        found.append(mixed)
    return found


def _hashed(
    texts: Sequence[str], folding: Folding, hashing: Hashing
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return hash, length and beginning of every text, folded and trimmed."""
    codes, starts, _ = folding(texts)
    starts, ends = starts.copy(), np.append(starts, len(codes))[1:] - 1
    space = codes == ord(" ")
    while (more := space[starts] & (starts < ends)).any():
        starts += more
    while (more := space[ends - 1] & (starts < ends)).any():
        ends -= more
    lengths = ends - starts
    each = np.minimum(lengths, len(FACTORS)) - 1
    beginnings = np.stack([beginning[starts] for beginning in _beginnings(codes)])
    return hashing(codes, starts, ends), lengths, beginnings[each, np.arange(len(starts))]


def _named(snapshot: Snapshot) -> tuple[np.ndarray, pa.Array, np.ndarray]:
    """Return entities, what they are called, and the weight of that meaning."""
    subjects, objects, weights = [], [], []
    for predicate in (NAME, ALIAS):
        pairs = snapshot.pairs(predicate)
        keep = ~pairs.is_entity
        subjects.append(pairs.subjects[keep])
        objects.append(pairs.objects[keep])
        weights.append(pairs.confidence[keep].astype(np.float64))
    nameless = snapshot.nameless()
    texts = [
        snapshot.literals.array.take(pa.array(np.concatenate(objects))),
        snapshot.short_ids.take(pa.array(nameless)),
    ]
    return (
        np.concatenate([*subjects, nameless]),
        pa.concat_arrays(texts),
        np.concatenate([*weights, np.ones(len(nameless))]),
    )


def _meanings(hashes: np.ndarray, entities: np.ndarray, weights: np.ndarray) -> Meanings:
    """Return aliases sorted, with the entities of each; an entity counts once an alias."""
    order = np.lexsort([-weights, entities, hashes])
    hashes, entities, weights = hashes[order], entities[order], weights[order]
    first = np.ones(len(hashes), bool)
    first[1:] = (hashes[1:] != hashes[:-1]) | (entities[1:] != entities[:-1])
    hashes, entities, weights = hashes[first], entities[first], weights[first]
    known, aliases, counts = np.unique(hashes, return_inverse=True, return_counts=True)
    order = np.lexsort([entities, -weights, aliases])
    sums = np.bincount(aliases, weights, minlength=len(known))[aliases]
    priors = np.where(sums > 0, weights / np.where(sums > 0, sums, 1), 1 / counts[aliases])
    offsets = np.concatenate([[0], np.cumsum(counts)])
    return Meanings(known, offsets, entities[order], priors[order])
