"""What frozen layers say of every record, computed once and kept on disk.

Vectors are stored in half precision, ragged: nothing is stored for padding.
"""

import hashlib
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from allrounder.encoders.modules import Features, evaluating
from allrounder.model.network import Given
from allrounder.model.prepared import Prepared

Progress = Callable[[int, int], None]
"""Called with the number of records done and the number in all."""

KEPT = 6
"""Caches that stay on disk, those used last."""

SPARE = 2 << 30
"""Bytes of disk that the cache leaves free."""


@dataclass
class FrozenFeatures:
    """All that a frozen encoder says: pooled vectors, and tokens of the rows wanted whole."""

    pooled: np.ndarray
    tokens: np.ndarray
    starts: np.ndarray

    def given(self, rows: np.ndarray, present: Tensor, whole: np.ndarray) -> Given:
        """Return the stored features of `rows`."""
        found = [torch.from_numpy(self.pooled[rows]), *(self._tokens(rows) if whole.any() else ())]
        return Given(present, features=Features(*(part.to(present.device) for part in found)))

    def _tokens(self, rows: np.ndarray) -> tuple[Tensor, Tensor]:
        lengths = self.starts[rows + 1] - self.starts[rows]
        table = np.zeros((len(rows), int(lengths.max()), self.tokens.shape[1]), dtype=np.float32)
        for line, row, length in zip(table, rows, lengths, strict=True):
            line[:length] = self.tokens[self.starts[row] : self.starts[row + 1]]
        there = np.arange(table.shape[1]) < lengths[:, None]
        return torch.from_numpy(table), torch.from_numpy(there)


@dataclass
class StemStates:
    """The states of the frozen layers below the layers that learn.

    `windowed` marks the rows that were read whole, in windows if need be.
    """

    prepared: Prepared
    name: str
    states: np.ndarray
    starts: np.ndarray
    windowed: np.ndarray

    def given(self, rows: np.ndarray, present: Tensor, whole: np.ndarray) -> Given:
        """Return the stored states of `rows`, laid out as the sequences lie."""
        sequences = self.prepared.sequences(self.name, rows, self.windowed[rows])
        flat = [self.states[self.starts[row] : self.starts[row + 1]] for row in rows]
        vectors = torch.from_numpy(np.concatenate(flat).astype(np.float32))
        table = vectors.new_zeros(*sequences.mask.shape, vectors.shape[1])
        table[sequences.mask.cpu()] = vectors
        return Given(present, sequences, states=table.to(present.device))


def store_frozen(prepared: Prepared, rows: np.ndarray, *, cache: Path, progress: Progress) -> None:
    """Run the frozen part of every encoder over `rows` once; batches then read what it said.

    Args:
        prepared: the tokens of the records, and the model.
        rows: the rows that training and evaluation will visit.
        cache: where the vectors are kept, by content.
        progress: called as records are done.
    """
    for name in prepared.model.inputs:
        module = prepared.model.encoding(name)
        if module.has_stem and name not in prepared.stored:
            _store(prepared, name, rows, cache, progress)


def _store(
    prepared: Prepared, name: str, rows: np.ndarray, cache: Path, progress: Progress
) -> None:
    module = prepared.model.encoding(name)
    tasks = prepared.model.reads_tokens(name)
    labeled = prepared.labeled(rows, [task for task in tasks if task in prepared.targets])
    whole = np.zeros(len(prepared), dtype=bool)
    whole[rows] = np.any([np.zeros(len(rows), bool), *labeled.values()], axis=0)
    kept = whole if module.is_frozen else np.isin(np.arange(len(prepared)), rows)
    tokens, encoder = prepared.tokens[name], prepared.model.inputs[name]
    each = tokens.lengths if module.is_frozen else encoder.length(tokens, whole)
    counts = np.where(kept, each, 0)
    starts = np.concatenate([[0], np.cumsum(counts)])
    size = int(starts[-1]) * module.width * 2 + module.is_frozen * len(prepared) * module.width * 4
    cache.mkdir(parents=True, exist_ok=True)
    if size + SPARE > shutil.disk_usage(cache).free:
        return  # too large to keep: the frozen part runs in every epoch instead
    path = cache / _key(prepared, name, whole, rows)
    if not path.exists():
        _write(path, prepared, name, rows, whole, starts, progress)
    _tidy(path)
    states = np.load(path / "states.npy", mmap_mode="r")
    if module.is_frozen:
        pooled = np.load(path / "pooled.npy", mmap_mode="r")
        prepared.stored[name] = FrozenFeatures(pooled, states, starts)
    else:
        prepared.stored[name] = StemStates(prepared, name, states, starts, whole)


def _tidy(path: Path) -> None:
    """Remove all but the caches used last."""
    os.utime(path)
    found = sorted(path.parent.iterdir(), key=lambda folder: folder.stat().st_mtime_ns)
    for old in found[:-KEPT]:
        shutil.rmtree(old, ignore_errors=True)


def _key(prepared: Prepared, name: str, whole: np.ndarray, rows: np.ndarray) -> str:
    module = prepared.model.encoding(name)
    setting = f"{module.num_frozen} {_setting(prepared, name)} {prepared.model.precision}"
    digest = hashlib.blake2b(setting.encode())
    for weight in module.parameters():
        if not weight.requires_grad:
            digest.update(weight.detach().cpu().numpy().tobytes())
    digest.update(prepared.tokens[name].digest(rows))
    digest.update(np.packbits(whole).tobytes())
    return digest.hexdigest()[:32]


def _setting(prepared: Prepared, name: str) -> str:
    encoder = prepared.model.inputs[name]
    return f"{getattr(encoder, 'pool', '')} {getattr(encoder, 'max_tokens', '')}"


def _write(
    path: Path,
    prepared: Prepared,
    name: str,
    rows: np.ndarray,
    whole: np.ndarray,
    starts: np.ndarray,
    progress: Progress,
) -> None:
    """Fill the arrays in a draft folder and rename it, so that a cache is whole or absent."""
    module = prepared.model.encoding(name)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True)
    make = np.lib.format.open_memmap
    states = make(draft / "states.npy", "w+", np.float16, (int(starts[-1]), module.width))
    pooled = None
    if module.is_frozen:
        pooled = make(draft / "pooled.npy", "w+", np.float32, (len(prepared), module.width))
    done = 0
    for part in by_length(prepared, rows, 8192):
        part = part[prepared.has(name, part)]
        if len(part):
            _run(prepared, name, part, whole, starts, states, pooled)
        done += len(part)
        progress(done, len(rows))
    states.flush()
    draft.replace(path)


def _run(
    prepared: Prepared,
    name: str,
    part: np.ndarray,
    whole: np.ndarray,
    starts: np.ndarray,
    states: np.ndarray,
    pooled: np.ndarray | None,
) -> None:
    model, module = prepared.model, prepared.model.encoding(name)
    batch = prepared.sequences(name, part, whole[part])
    kind = model.precision
    autocast = torch.autocast(model.device.type, dtype=kind, enabled=kind is not None)
    with torch.no_grad(), evaluating(module), autocast:
        found = module.stem(batch)
        features = module.finish(found, batch, tokens=True) if pooled is not None else None
    if features is None or pooled is None:
        flat = found[batch.mask].float().cpu().numpy()
        states[_places(starts, part)] = flat
        return
    pooled[part] = features.pooled.float().cpu().numpy()
    tokens = features.tokens.float().cpu().numpy()  # type: ignore[union-attr]
    for line, row in zip(tokens, part, strict=True):
        states[starts[row] : starts[row + 1]] = line[: starts[row + 1] - starts[row]]


def _places(starts: np.ndarray, rows: np.ndarray) -> np.ndarray:
    return np.concatenate([np.arange(starts[row], starts[row + 1]) for row in rows])


def by_length(prepared: Prepared, rows: np.ndarray, budget: int) -> Iterator[np.ndarray]:
    """Yield `rows` sorted by length, in parts of at most `budget` padded tokens."""
    lengths = prepared.lengths()[rows]
    order = np.argsort(lengths, kind="stable")
    start = 0
    for stop in range(1, len(order) + 1):
        full = stop == len(order) or lengths[order[stop]] * (stop + 1 - start) > budget
        if full:
            yield rows[order[start:stop]]
            start = stop
