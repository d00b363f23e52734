"""Batches of sounds in windows. Imports torch: encoders reach it lazily."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from allrounder.encoders.batches import Stitch
from allrounder.encoders.clips import Clips, cuts
from allrounder.encoders.hearing import Hearing
from allrounder.encoders.sounds import sound


@dataclass(frozen=True)
class Windows:
    """A batch of S windows of n sounds.

    `values` holds what the model is given, [S, N] waveforms or [S, M, N] spectrograms; of N steps
    `sizes` [S] are no padding. `owner` [S] says whose window each is, `frames` [S] its tokens,
    `read` [S] those that the model reads with its padding, `lengths` [n] the tokens of each sound,
    and `stitch` where they are found.
    """

    values: Tensor
    sizes: Tensor
    owner: Tensor
    frames: Tensor
    read: Tensor
    lengths: Tensor
    stitch: Stitch

    @property
    def num_tokens(self) -> int:
        """Tokens that the model reads."""
        return int(self.read.sum())

    def to(self, device: Any) -> "Windows":
        """Return the batch on another device."""
        moved = {n: value.to(device) for n, value in vars(self).items() if n != "stitch"}
        places = [self.stitch.sequence.to(device), self.stitch.position.to(device)]
        return Windows(**moved, stitch=Stitch(*places))

    def mask(self, num_tokens: int) -> Tensor:
        """Return which of so many tokens of each window are there: [S, T]."""
        return torch.arange(num_tokens, device=self.frames.device) < self.frames[:, None]

    def averaged(self, vectors: Tensor) -> Tensor:
        """Return the mean over each sound's windows, by their tokens: [S, D] → [n, D]."""
        share = (self.frames / self.lengths[self.owner])[:, None].to(vectors.dtype)
        empty = vectors.new_zeros(len(self.lengths), vectors.shape[1])
        return empty.index_add(0, self.owner, vectors * share)


def windowed(clips: Clips, rows: Sequence[int], hearing: Hearing) -> Windows:
    """Decode some sounds and cut them into windows of what the model reads at once."""

    def heard(row: int, held: bytes) -> list[np.ndarray]:
        wave = sound(held, rate=hearing.rate, num_samples=int(clips.samples[row]))
        return [hearing.heard(wave[a:b]) for a, b in cuts(len(wave), hearing.reach)]

    found = clips.decoded(rows, heard)
    parts = [window for windows in found for window in windows]
    sizes = [hearing.windows(int(clips.samples[row])) for row in rows]
    frames = [list(map(hearing.tokens, windows)) for windows in sizes]
    return Windows(
        values=_padded(parts),
        sizes=torch.tensor([part.shape[-1] for part in parts]),
        owner=torch.tensor([at for at, windows in enumerate(found) for _ in windows]),
        frames=torch.tensor([count for counts in frames for count in counts]),
        read=torch.tensor([hearing.read(size) for windows in sizes for size in windows]),
        lengths=torch.tensor([sum(counts) for counts in frames]),
        stitch=_stitch(frames),
    )


def _padded(parts: Sequence[np.ndarray]) -> Tensor:
    size = max(part.shape[-1] for part in parts)
    found = np.zeros((len(parts), *parts[0].shape[:-1], size), np.float32)
    for row, part in zip(found, parts, strict=True):
        row[..., : part.shape[-1]] = part
    return torch.from_numpy(found)


def _stitch(frames: Sequence[Sequence[int]]) -> Stitch:
    """Return where the tokens of each sound lie, given those of each of its windows."""
    longest, window = max(map(sum, frames)), 0
    places = np.zeros((2, len(frames), longest), np.int64)
    for row, counts in enumerate(frames):
        end = sum(counts)
        places[0, row, :end] = np.repeat(np.arange(window, window + len(counts)), counts)
        places[1, row, :end] = np.concatenate([np.arange(count) for count in counts])
        window += len(counts)
    return Stitch(*torch.from_numpy(places))
