"""Run encoders over a pool once, and keep what they say on disk, block by block.

A block is named by the encoder and by the content of its records. It appears whole or not at all,
so what is killed goes on where it stood, and new records cost no more than their own blocks.
"""

import hashlib
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch

from allrounder.encoders.modules import evaluating
from allrounder.errors import RunError
from allrounder.model import Model, Prepared
from allrounder.model.frozen import by_length, setting_of
from allrounder.records import Records

BLOCK = 16_384
"""Records of one file."""

BATCH = 8192
"""Padded tokens of one batch."""

KEPT = 3
"""How many times the blocks of a pool stay on disk: those of earlier runs and records too."""

LARGEST = float(np.finfo(np.float16).max)

Progress = Callable[[int, int], None]
"""Called with the number of records done and the number in all."""


@dataclass(frozen=True)
class Blocks:
    """Vectors that lie in several files, mapped: [N, D]."""

    files: Sequence[np.ndarray]

    def __len__(self) -> int:
        return sum(map(len, self.files))

    def __getitem__(self, places: np.ndarray) -> np.ndarray:
        """Return the vectors at some places: [n, D]; quickest where these rise."""
        if len(self.files) == 1:
            return self.files[0][places]
        if np.any(places[1:] < places[:-1]):
            order = np.argsort(places, kind="stable")
            found = np.empty((len(places), self.files[0].shape[1]), np.float16)
            found[order] = self[places[order]]
            return found
        found = np.empty((len(places), self.files[0].shape[1]), np.float16)
        ends = np.searchsorted(places, BLOCK * np.arange(len(self.files) + 1))
        for number, (start, end) in enumerate(pairwise(ends.tolist())):
            rows = places[start:end] - number * BLOCK
            # What is out of bounds is no place; "clip" is the way that copies once.
            np.take(self.files[number], rows, axis=0, out=found[start:end], mode="clip")
        return found


def encoded(
    model: Model, records: Records, rows: np.ndarray, *, cache: Path, progress: Progress
) -> dict[str, Blocks]:
    """Return, by input, what its encoder says of some records.

    Args:
        model: whose encoders are run, as they are.
        records: the records.
        rows: which of them, in the order in which they will lie.
        cache: where the blocks are kept.
        progress: called as records are done.
    """
    done = 0
    found: dict[str, list[np.ndarray]] = {name: [] for name in model.inputs}
    for block, paths in _blocks(model, records, rows, cache):
        if missing := [name for name, path in paths.items() if _mapped(path) is None]:
            _write(model, records, block, {name: paths[name] for name in missing}, progress, done,
                   len(rows))  # fmt: skip
        done += len(block)
        for name, path in paths.items():
            found[name].append(np.asarray(np.load(path, mmap_mode="r")))
            with suppress(OSError):
                os.utime(path)
    _tidy(cache, KEPT * sum(map(len, found.values())))
    return {name: Blocks(files) for name, files in found.items()}


def num_missing(model: Model, records: Records, rows: np.ndarray, *, cache: Path) -> int:
    """Return how many blocks of what `encoded` would return are not kept yet."""
    blocks = _blocks(model, records, rows, cache)
    return sum(not path.exists() for _, paths in blocks for path in paths.values())


def _blocks(
    model: Model, records: Records, rows: np.ndarray, cache: Path
) -> Iterator[tuple[np.ndarray, dict[str, Path]]]:
    """Yield the rows of every block, and by input where its vectors are kept."""
    keys = records.numbers("key")[rows]
    settings = {name: setting_of(model, name).digest() for name in model.inputs}
    for start, stop in pairwise([*range(0, len(rows), BLOCK), len(rows)]):
        names = {name: _digest(one, keys[start:stop]) for name, one in settings.items()}
        yield rows[start:stop], {name: cache / f"{digest}.npy" for name, digest in names.items()}


def _mapped(path: Path) -> np.ndarray | None:
    """Return a block, or None where it is not there or cannot be read."""
    try:
        return np.load(path, mmap_mode="r")
    except (OSError, ValueError, EOFError):
        return None


def _tidy(cache: Path, n: int) -> None:
    """Remove all blocks but the n used last."""
    with suppress(OSError):
        found = sorted(cache.glob("*.npy"), key=lambda path: path.stat().st_mtime_ns)
        for old in found[:-n]:
            old.unlink(missing_ok=True)


def _digest(setting: bytes, keys: np.ndarray) -> str:
    return hashlib.blake2b(setting + keys.tobytes(), digest_size=16).hexdigest()


def _write(
    model: Model,
    records: Records,
    rows: np.ndarray,
    paths: dict[str, Path],
    progress: Progress,
    done: int,
    total: int,
) -> None:
    """Write the vectors of one block, a file an input."""
    taken = {name: records.values(name).take(rows) for name in records.fields}
    prepared = Prepared.of(model, taken)
    for number, (name, path) in enumerate(paths.items()):

        def told(some: int, of: int = len(paths), number: int = number) -> None:
            progress(done + (number * len(rows) + some) // of, total)

        table = _said(model, prepared, name, told)
        draft = path.with_name(f".{path.name}.{os.getpid()}")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with open(draft, "wb") as file:
                np.save(file, table)
                file.flush()
                os.fsync(file.fileno())
            draft.replace(path)
        except OSError as error:
            draft.unlink(missing_ok=True)
            raise RunError(
                f"{path.parent}: what encoders say could not be kept there: "
                f"{error.strerror or error}. Make room and start again; what was kept before is "
                "still there."
            ) from error


def _said(model: Model, prepared: Prepared, name: str, told: Callable[[int], None]) -> np.ndarray:
    """Return what an encoder says of every row, zeros where it has nothing to read."""
    module, every = model.encoding(name), np.arange(len(prepared))
    table = np.zeros((len(every), module.width), np.float16)
    done = 0
    for part in by_length(prepared, every[prepared.has(name, every)], BATCH):
        batch = prepared.sequences(name, part, np.zeros(len(part), bool))
        with torch.no_grad(), evaluating(module), model.autocast():
            pooled = module(batch, tokens=False).pooled
        table[part] = pooled.float().clamp(-LARGEST, LARGEST).cpu().numpy()
        done += len(part)
        told(done)
    return table
