"""Where entities are named in a text, and which.

At every place where an alias may begin the longest one that fits is taken, and the search goes on
behind it. In scripts that set words apart an alias never begins or ends inside a word; in Chinese,
Japanese, Korean and their like it may at any character.

One dictionary holds every alias. A second one says, for what an alias begins with (its first word,
or its first two characters where words are not set apart), which lengths such aliases have, so that
only a few stretches of text are looked up at each place.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from allrounder.knowledge.facts import ALIAS, NAME
from allrounder.knowledge.folding import JOINED, UNSPACED, WORD, Folded, Folding
from allrounder.knowledge.snapshot import Snapshot

BLOCK = 4096
"""Aliases folded at a time."""

_RUN = re.compile(f"(?P<unspaced>[{UNSPACED}]+)|{WORD}+|\\S")
_FIRST = re.compile(f"\0((?:[{UNSPACED}][^\0]?|{WORD}+|[^\0])?)")
_INSIDE = re.compile(f"{WORD}{WORD}|.[{JOINED}]", re.DOTALL)


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


class Lexicon:
    """All aliases of a snapshot's entities.

    Args:
        aliases: folded aliases, and the place of each in `offsets`.
        lengths: for every beginning of an alias, the lengths such aliases have, longest first.
        offsets: where the meanings of each alias begin; one more than there are aliases.
        entities: numbers of entities, the likeliest of an alias first.
        priors: how likely each is.
        folding: how spellings are made alike.
    """

    def __init__(
        self,
        aliases: dict[str, int],
        lengths: dict[str, tuple[int, ...]],
        offsets: np.ndarray,
        entities: np.ndarray,
        priors: np.ndarray,
        folding: Folding,
    ) -> None:
        self._aliases = aliases
        self._lengths = lengths
        self._offsets = offsets
        self._entities = entities
        self._priors = priors
        self._folding = folding

    @classmethod
    def of(cls, snapshot: Snapshot, *, min_length: int = 1) -> "Lexicon":
        """Return the lexicon of all names and aliases.

        Args:
            snapshot: whose entities; one without a name is named by its id.
            min_length: leave out aliases with fewer characters.
        """
        folding = Folding()
        entities, texts, weights = _named(snapshot)
        folded = _folded(texts, folding)
        long = pc.greater_equal(pc.utf8_length(folded), max(1, min_length)).to_numpy(False)
        coded = folded.filter(pa.array(long)).dictionary_encode()
        meanings = _meanings(coded.indices.to_numpy(), entities[long], weights[long])
        words = coded.dictionary.to_pylist()
        aliases = dict(zip(words, range(len(words)), strict=True))
        return cls(aliases, _lengths(words, coded.dictionary), *meanings, folding)

    def __len__(self) -> int:
        """Return the number of different aliases."""
        return len(self._aliases)

    def find(self, text: str) -> list[Mention]:
        """Return the mentions in a text, in order and without overlaps."""
        folded = self._folding(text)
        return [
            Mention(*folded.original(start, end), *self._meant(alias))
            for start, end, alias in self._found(folded)
        ]

    def meanings(self, alias: str) -> tuple[tuple[int, ...], tuple[float, ...]]:
        """Return the entities that an alias may mean, and their priors."""
        found = self._aliases.get(self._folding(alias).text.strip())
        return ((), ()) if found is None else self._meant(found)

    def _found(self, folded: Folded) -> Iterator[tuple[int, int, int]]:
        text, behind = folded.text, 0
        for run in _RUN.finditer(text):
            start, end = run.span()
            if end <= behind:
                continue
            if run.lastgroup is None:
                if start >= behind:
                    found = self._at(folded, start, self._lengths.get(text[start:end], ()))
                    if found:
                        yield start, *found
                        behind = found[0]
                continue
            for place in range(max(start, behind), end):
                if place < behind:
                    continue
                lengths = self._lengths.get(text[place : place + 2])
                found = lengths and self._at(folded, place, lengths)
                found = found or self._at(folded, place, self._lengths.get(text[place], ()))
                if found:
                    yield place, *found
                    behind = found[0]

    def _at(self, folded: Folded, start: int, lengths: tuple[int, ...]) -> tuple[int, int] | None:
        """Return the end and the number of the longest alias that begins at `start`."""
        text, aliases = folded.text, self._aliases
        for length in lengths:
            alias = aliases.get(text[start : start + length])
            if alias is not None and _fits(folded, start, start + length):
                return start + length, alias
        return None

    def _meant(self, alias: int) -> tuple[tuple[int, ...], tuple[float, ...]]:
        span = slice(self._offsets[alias], self._offsets[alias + 1])
        return tuple(self._entities[span].tolist()), tuple(self._priors[span].tolist())


def _fits(folded: Folded, start: int, end: int) -> bool:
    """Return whether an alias may begin at `start` and end at `end`."""
    return end <= len(folded.text) and _is_border(folded, start) and _is_border(folded, end)


def _is_border(folded: Folded, place: int) -> bool:
    inside = place and _INSIDE.match(folded.text, place - 1)
    return not inside and not folded.splits(place)


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
        snapshot.names().array.take(pa.array(nameless)),
    ]
    return (
        np.concatenate([*subjects, nameless]),
        pa.concat_arrays(texts),
        np.concatenate([*weights, np.ones(len(nameless))]),
    )


def _folded(texts: pa.Array, folding: Folding) -> pa.Array:
    """Fold aliases, many at a time as one long text."""
    folded = []
    for start in range(0, len(texts), BLOCK):
        block = texts[start : start + BLOCK].to_pylist()
        folded += folding("\0".join(block)).text.split("\0")
    return pc.utf8_trim_whitespace(pa.array(folded, pa.string()))


def _meanings(
    aliases: np.ndarray, entities: np.ndarray, weights: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return offsets by alias, entities and priors; an entity counts once for each alias."""
    order = np.lexsort([-weights, entities, aliases])
    aliases, entities, weights = aliases[order], entities[order], weights[order]
    first = np.ones(len(aliases), bool)
    first[1:] = (aliases[1:] != aliases[:-1]) | (entities[1:] != entities[:-1])
    aliases, entities, weights = aliases[first], entities[first], weights[first]
    order = np.lexsort([entities, -weights, aliases])
    sums = np.bincount(aliases, weights)
    counts = np.bincount(aliases)
    offsets = np.concatenate([[0], np.cumsum(counts)])
    priors = np.where(
        sums[aliases] > 0, weights / np.where(sums > 0, sums, 1)[aliases], 1 / counts[aliases]
    )
    return offsets, entities[order], priors[order]


def _lengths(words: list[str], array: pa.Array) -> dict[str, tuple[int, ...]]:
    """Return which lengths, longest first, aliases have that begin alike."""
    first = _FIRST.findall("\0" + "\0".join(words)) if words else []
    coded = pa.array(first, pa.string()).dictionary_encode()
    longest = int(pc.max(pc.utf8_length(array)).as_py() or 0) + 1
    keys = coded.indices.to_numpy().astype(np.int64) * longest
    pairs = np.unique(keys + longest - 1 - pc.utf8_length(array).to_numpy())
    owners, lengths = pairs // longest, longest - 1 - pairs % longest
    bounds = np.searchsorted(owners, np.arange(len(coded.dictionary) + 1)).tolist()
    lengths = lengths.tolist()
    return {
        beginning: tuple(lengths[bounds[i] : bounds[i + 1]])
        for i, beginning in enumerate(coded.dictionary.to_pylist())
    }
