"""What frozen encoders say, kept on disk by content: each picture, sound or text is read once.

A cache is a folder of parts that only grows. A part holds some hundred or thousand entries:
`keys.npy` [n, 17] what was read, `pooled.npy` [n, D], and where tokens are wanted `tokens.npy`
[sum of T, D] in half precision with `starts.npy` [n + 1]. It appears whole or not at all, so a run
that is killed goes on where it stood, and runs that write at the same time do no harm.
"""

import os
import shutil
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from allrounder.encoders.modules import Features
from allrounder.errors import RunError
from allrounder.model.network import Given

PART = 4096
"""Entries of one part, at most."""


@dataclass
class Part:
    """Some entries of a cache, mapped into memory."""

    folder: Path

    @cached_property
    def keys(self) -> np.ndarray:
        """What was read: [n, 17]."""
        return np.load(self.folder / "keys.npy")

    def check(self) -> None:
        """Look whether everything can be read; raise what NumPy raises where it cannot."""
        if len(self.keys) != len(self.pooled) or len(self.starts) != len(self.keys) + 1:
            raise ValueError("parts of a part are missing")
        if self.starts[-1] and len(self.tokens) != self.starts[-1]:
            raise ValueError("tokens are missing")

    @cached_property
    def pooled(self) -> np.ndarray:
        """One vector each: [n, D]."""
        return np.load(self.folder / "pooled.npy", mmap_mode="r")

    @cached_property
    def starts(self) -> np.ndarray:
        """Where the tokens of each begin: [n + 1]; a part of which nobody wanted any has none."""
        path = self.folder / "starts.npy"
        return np.load(path) if path.exists() else np.zeros(len(self.keys) + 1, dtype=np.int64)

    @cached_property
    def tokens(self) -> np.ndarray:
        """The states of all tokens, one entry after the other."""
        return np.load(self.folder / "tokens.npy", mmap_mode="r")


class FeatureCache:
    """The parts of one encoder's cache, and which entry is where.

    Args:
        folder: where the parts lie.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.parts: list[Part] = []
        self.entries: dict[bytes, int] = {}
        self.bounds = [0]
        for path in sorted(folder.glob("[!.]*/keys.npy")):
            self._enter(Part(path.parent))

    def _enter(self, part: Part) -> None:
        try:
            part.check()
        except (OSError, ValueError, EOFError):  # a machine that lost power: read it all again
            shutil.rmtree(part.folder, ignore_errors=True)
            return
        self.parts.append(part)
        first = self.bounds[-1]
        for number, key in enumerate(part.keys):
            self.entries.setdefault(key.tobytes(), first + number)
        self.bounds.append(first + len(part.keys))

    def missing(self, keys: Sequence[bytes]) -> np.ndarray:
        """Return the places of the first of each key that is not in the cache."""
        seen: set[bytes] = set()
        found = []
        for at, key in enumerate(keys):
            if key not in self.entries and key not in seen:
                seen.add(key)
                found.append(at)
        return np.array(found, dtype=np.int64)

    def add(self, keys: Sequence[bytes], features: Sequence[Features], *, tokens: bool) -> None:
        """Write one more part.

        Args:
            keys: of every entry.
            features: batches, in the order of the keys.
            tokens: whether the states of tokens are kept too.
        """
        draft = self.folder / f".{uuid.uuid4().hex}.{os.getpid()}"
        draft.mkdir(parents=True)
        try:
            np.save(draft / "pooled.npy", torch.cat([f.pooled for f in features]).float().numpy())
            if tokens:
                flat, counts = zip(*map(_ragged, features), strict=True)
                np.save(draft / "tokens.npy", torch.cat(flat).numpy())
                np.save(draft / "starts.npy", np.cumsum([0, *torch.cat(counts).tolist()]))
            np.save(
                draft / "keys.npy", np.frombuffer(b"".join(keys), np.uint8).reshape(len(keys), -1)
            )
            part = self.folder / draft.name.split(".")[1]
            draft.replace(part)
        except OSError as error:
            raise unkept(self.folder, error) from error
        finally:
            shutil.rmtree(draft, ignore_errors=True)
        self._enter(Part(part))

    def places(self, keys: Sequence[bytes]) -> np.ndarray:
        """Return the number of the entry of each key."""
        return np.array([self.entries[key] for key in keys], dtype=np.int64)

    def pooled(self, entries: np.ndarray) -> np.ndarray:
        """Return one vector an entry: [n, D]."""
        if len(self.parts) == 1:
            return self.parts[0].pooled[entries]
        found = np.empty((len(entries), self.parts[0].pooled.shape[1]), dtype=np.float32)
        for part, at, rows in self._spread(entries):
            found[at] = part.pooled[rows]
        return found

    def tokens(self, entries: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the states of tokens, padded, and which are there: [n, T, D], [n, T]."""
        lengths = np.zeros(len(entries), dtype=np.int64)
        for part, at, rows in self._spread(entries):
            lengths[at] = part.starts[rows + 1] - part.starts[rows]
        width = self.parts[0].pooled.shape[1]
        table = np.zeros((len(entries), int(lengths.max(initial=0)), width), dtype=np.float32)
        for part, at, rows in self._spread(entries):
            for line, row in zip(at[lengths[at] > 0], rows[lengths[at] > 0], strict=True):
                table[line, : lengths[line]] = part.tokens[part.starts[row] : part.starts[row + 1]]
        return table, np.arange(table.shape[1]) < lengths[:, None]

    def _spread(self, entries: np.ndarray) -> Iterator[tuple[Part, np.ndarray, np.ndarray]]:
        """Yield each part that holds some of the entries, their places, and their rows in it."""
        owners = np.searchsorted(self.bounds, entries, side="right") - 1
        for number in np.unique(owners):
            at = np.flatnonzero(owners == number)
            yield self.parts[number], at, entries[at] - self.bounds[number]


def unkept(folder: Path, error: OSError) -> RunError:
    """Return the sentence for a disk that takes no more of what frozen layers say."""
    return RunError(
        f"{folder}: what frozen layers say could not be kept there: {error.strerror or error}. "
        "Make room and start again; what was kept before is still there."
    )


def _ragged(features: Features) -> tuple[Tensor, Tensor]:
    """Return the tokens of a batch, one record after the other, and how many each has."""
    if features.tokens is None:  # nobody asked this batch for them
        num_records, width = features.pooled.shape
        return torch.zeros(0, width).half(), torch.zeros(num_records, dtype=torch.int64)
    return features.tokens[features.mask].half(), features.mask.sum(1)  # type: ignore[index, union-attr]


@dataclass
class FrozenFeatures:
    """All that a frozen encoder says of some rows of the records.

    Args:
        cache: what was said.
        place: by row, the number of its entry; -1 where the row was not asked for.
    """

    cache: FeatureCache
    place: np.ndarray

    def given(self, rows: np.ndarray, present: Tensor, whole: np.ndarray) -> Given:
        """Return the stored features of `rows`."""
        entries = self.place[rows]
        found = [self.cache.pooled(entries)]
        if whole.any():
            found += self.cache.tokens(entries)
        moved = (torch.from_numpy(part).to(present.device) for part in found)
        return Given(present, features=Features(*moved))


Run = Callable[[np.ndarray], Iterator[tuple[np.ndarray, Features]]]
"""Yields rows, batch by batch, with what the encoder says of them."""


def filled(
    folder: Path,
    rows: np.ndarray,
    keys: Sequence[bytes],
    run: Run,
    *,
    tokens: bool,
    progress: Callable[[int, int], None],
) -> tuple[FeatureCache, np.ndarray]:
    """Return a cache that holds every row, reading those that it lacks, and their entries.

    Args:
        folder: where the cache lies.
        rows: the rows.
        keys: what tells the content of each.
        run: the encoder.
        tokens: whether the states of tokens are kept too.
        progress: called with the rows done and the rows in all.
    """
    cache = FeatureCache(folder)
    missing = cache.missing(keys)
    key_of = {int(rows[at]): keys[at] for at in missing}
    done, waiting = len(rows) - len(missing), []
    for part, features in run(rows[missing]):
        waiting.append((part, features))
        done += len(part)
        progress(done, len(rows))
        if sum(len(part) for part, _ in waiting) >= PART:
            _put(cache, key_of, waiting, tokens)
            waiting = []
    if waiting:
        _put(cache, key_of, waiting, tokens)
    return cache, cache.places(keys)


def _put(
    cache: FeatureCache,
    key_of: dict[int, bytes],
    waiting: Sequence[tuple[np.ndarray, Features]],
    tokens: bool,
) -> None:
    keys = [key_of[int(row)] for part, _ in waiting for row in part]
    cache.add(keys, [features for _, features in waiting], tokens=tokens)
