"""What frozen layers say of every record, computed once and kept on disk.

Vectors are stored in half precision, ragged: nothing is stored for padding.
"""

import hashlib
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from allrounder.encoders.modules import Features, evaluating
from allrounder.kinds import dump
from allrounder.model.features import FrozenFeatures, filled, unkept
from allrounder.model.network import Given, Model
from allrounder.model.prepared import Prepared

Progress = Callable[[int, int], None]
"""Called with the number of records done and the number in all."""

KEPT = 6
"""Caches that stay on disk, those used last."""

BATCH = 8192
"""Padded tokens of one batch."""

SPARE = 2 << 30
"""Bytes of disk that the cache leaves free."""


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
    rows = rows[prepared.has(name, rows)]
    if not len(rows):
        return
    tasks = prepared.model.reads_tokens(name)
    labeled = prepared.labeled(rows, [task for task in tasks if task in prepared.targets])
    whole = np.zeros(len(prepared), dtype=bool)
    whole[rows] = np.any([np.zeros(len(rows), bool), *labeled.values()], axis=0)
    whole[np.intersect1d(rows, prepared.unlabelled)] |= bool(labeled)
    cache.mkdir(parents=True, exist_ok=True)
    keep = _keep_features if prepared.model.encoding(name).is_frozen else _keep_states
    keep(prepared, name, rows, whole, cache, progress)


def _keep_features(
    prepared: Prepared,
    name: str,
    rows: np.ndarray,
    whole: np.ndarray,
    cache: Path,
    progress: Progress,
) -> None:
    """Keep all that a frozen encoder says, by content."""
    model = prepared.model
    read = prepared.num_read(name, whole)
    size = (2 * int(read[rows][whole[rows]].sum()) + 4 * len(rows)) * model.encoding(name).width
    if size + SPARE > shutil.disk_usage(cache).free:
        return  # too large to keep: the encoder runs in every epoch instead
    path = cache / setting_of(prepared.model, name).hexdigest()[:32]
    keys = [
        key + bytes([int(mark)])
        for key, mark in zip(prepared.read_keys(name, rows), whole[rows], strict=True)
    ]
    found, entries = filled(
        path, rows, keys, lambda some: _said(prepared, name, some, whole),
        tokens=bool(whole[rows].any()), progress=progress,
    )  # fmt: skip
    _tidy(path)
    place = np.full(len(prepared), -1, dtype=np.int64)
    place[rows] = entries
    prepared.stored[name] = FrozenFeatures(found, place)


def _said(
    prepared: Prepared, name: str, rows: np.ndarray, whole: np.ndarray
) -> Iterator[tuple[np.ndarray, Features]]:
    """Yield rows, batch by batch, with what the encoder says of them."""
    model, module = prepared.model, prepared.model.encoding(name)
    for part in by_length(prepared, rows, BATCH):
        batch = prepared.sequences(name, part, whole[part])
        asked = torch.from_numpy(whole[part])
        with torch.no_grad(), evaluating(module), model.autocast():
            found = module(batch, tokens=bool(asked.any()))
        if found.mask is not None:
            found = replace(found, mask=found.mask.cpu() & asked[:, None])
        yield part, found.to("cpu")


def _keep_states(
    prepared: Prepared,
    name: str,
    rows: np.ndarray,
    whole: np.ndarray,
    cache: Path,
    progress: Progress,
) -> None:
    """Keep the states of frozen layers below those that learn, for these very rows."""
    model = prepared.model
    kept = np.isin(np.arange(len(prepared)), rows)
    starts = np.concatenate([[0], np.cumsum(np.where(kept, prepared.num_read(name, whole), 0))])
    if int(starts[-1]) * model.encoding(name).width * 2 + SPARE > shutil.disk_usage(cache).free:
        return  # too large to keep: the frozen part runs in every epoch instead
    path = cache / _key(prepared, name, whole, rows)
    if not path.exists():
        try:
            _write(path, prepared, name, rows, whole, starts, progress)
        except OSError as error:
            raise unkept(cache, error) from error
    _tidy(path)
    states = np.load(path / "states.npy", mmap_mode="r")
    prepared.stored[name] = StemStates(prepared, name, states, starts, whole)


def _tidy(path: Path) -> None:
    """Remove all but the caches used last."""
    os.utime(path)
    found = sorted(path.parent.iterdir(), key=lambda folder: folder.stat().st_mtime_ns)
    for old in found[:-KEPT]:
        shutil.rmtree(old, ignore_errors=True)


def _key(prepared: Prepared, name: str, whole: np.ndarray, rows: np.ndarray) -> str:
    digest = setting_of(prepared.model, name)
    for key in prepared.read_keys(name, rows):
        digest.update(key)
    digest.update(np.packbits(whole).tobytes())
    digest.update(np.asarray(rows).tobytes())
    return digest.hexdigest()[:32]


def setting_of(model: Model, name: str) -> "hashlib._Hash":
    """Return a hash of an encoder: its settings and the weights that never learn."""
    module = model.encoding(name)
    settings = {**dump(model.inputs[name]), "model": None, "fields": None}
    digest = hashlib.blake2b(f"{settings} {module.num_frozen} {model.precision}".encode())
    frozen = [weight for weight in module.parameters() if not weight.requires_grad]
    for weight in [*frozen, *module.buffers()]:
        digest.update(weight.detach().cpu().numpy().tobytes())
    return digest


def _write(
    path: Path,
    prepared: Prepared,
    name: str,
    rows: np.ndarray,
    whole: np.ndarray,
    starts: np.ndarray,
    progress: Progress,
) -> None:
    """Fill the array in a draft folder and rename it, so that a cache is whole or absent."""
    module = prepared.model.encoding(name)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True)
    shape = (int(starts[-1]), module.width)
    states = np.lib.format.open_memmap(draft / "states.npy", "w+", np.float16, shape)
    done = 0
    for part in by_length(prepared, rows, BATCH):
        batch = prepared.sequences(name, part, whole[part])
        with torch.no_grad(), evaluating(module), prepared.model.autocast():
            found = module.stem(batch)
        states[_places(starts, part)] = found[batch.mask].float().cpu().numpy()
        done += len(part)
        progress(done, len(rows))
    states.flush()
    draft.replace(path)


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
