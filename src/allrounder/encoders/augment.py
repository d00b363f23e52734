"""Changes at random that training makes to pictures and sounds.

They are tensors in, tensors out, on any device; chance comes from torch's generator, as it does
for dropout, so that an interrupted training goes on as it would have.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import affine_grid, grid_sample


class Pictures(nn.Module):
    """Crop, mirror, colour shift of pictures [n, 3, H, W].

    Args:
        changes: any of `crop`, `flip`, `colour`.
        mean: what preprocessing subtracted, per colour.
        std: what it divided by.
        scale: what it multiplied with; None where pixels were left at 0 to 255.
    """

    def __init__(
        self,
        changes: Sequence[str],
        mean: Sequence[float],
        std: Sequence[float],
        scale: float | None = 1 / 255,
    ) -> None:
        super().__init__()
        self.changes = set(changes)
        self.register_buffer("mean", torch.tensor(mean)[:, None, None], persistent=False)
        self.register_buffer("std", torch.tensor(std)[:, None, None], persistent=False)
        self.white = 255 * (scale or 1.0)

    def forward(self, pictures: Tensor) -> Tensor:
        """Change each picture in its own way."""
        if self.changes & {"crop", "flip"}:
            pictures = self._moved(pictures)
        return self._coloured(pictures) if "colour" in self.changes else pictures

    def _moved(self, pictures: Tensor) -> Tensor:
        """Show a square of 60 to 100 % of the side, anywhere; mirror every other picture."""
        n, device = len(pictures), pictures.device
        side, turn = torch.ones(n, device=device), torch.ones(n, device=device)
        if "crop" in self.changes:
            side = 0.6 + 0.4 * torch.rand(n, device=device)
        if "flip" in self.changes:
            turn = 1.0 - 2.0 * (torch.rand(n, device=device) < 0.5)
        shift = (2 * torch.rand(2, n, device=device) - 1) * (1 - side)
        none = torch.zeros_like(side)
        rows = [torch.stack([side * turn, none, shift[0]], 1),
                torch.stack([none, side, shift[1]], 1)]  # fmt: skip
        grid = affine_grid(torch.stack(rows, 1), list(pictures.shape), align_corners=False)
        return grid_sample(pictures, grid.to(pictures.dtype), "bilinear", "border", False)

    def _coloured(self, pictures: Tensor) -> Tensor:
        """Shift brightness, contrast and saturation by up to a fifth."""
        light, contrast, colour = 0.8 + 0.4 * torch.rand(
            3, len(pictures), 1, 1, 1, device=pictures.device
        )
        found = (pictures * self.std + self.mean) * light
        middle = found.mean((1, 2, 3), keepdim=True)
        found = middle + contrast * (found - middle)
        grey = found.mean(1, keepdim=True)
        found = (grey + colour * (found - grey)).clamp(0, self.white)
        return (found - self.mean) / self.std


class Sounds(nn.Module):
    """Noise, shift and masks for waveforms [S, N] or log-mel spectrograms [S, M, N].

    Args:
        changes: any of `noise`, `shift`, `mask` (SpecAugment; Park et al. 2019: a stretch of time
            and, in spectrograms, a band of frequencies set to their mean).
    """

    def __init__(self, changes: Sequence[str]) -> None:
        super().__init__()
        self.changes = set(changes)

    def forward(self, sounds: Tensor, lengths: Tensor) -> Tensor:
        """Change each sound in its own way, in its first `lengths` [S] steps."""
        if not self.changes:
            return sounds
        steps = torch.arange(sounds.shape[-1], device=sounds.device)
        if "shift" in self.changes:
            sounds = _shifted(sounds, steps, lengths)
        if "noise" in self.changes:
            inside = (steps < lengths[:, None]).view(len(sounds), *[1] * (sounds.ndim - 2), -1)
            strength = 0.1 * torch.rand(len(sounds), *[1] * (sounds.ndim - 1), device=sounds.device)
            spread = sounds.flatten(1).std(1).view(strength.shape)
            sounds = sounds + torch.randn_like(sounds) * strength * spread * inside
        return self._masked(sounds, steps, lengths) if "mask" in self.changes else sounds

    def _masked(self, sounds: Tensor, steps: Tensor, lengths: Tensor) -> Tensor:
        time = _stretch(steps, lengths)
        if sounds.ndim == 2:
            return sounds.masked_fill(time, 0.0)
        bands = torch.arange(sounds.shape[1], device=sounds.device)
        band = _stretch(bands, torch.full_like(lengths, sounds.shape[1]))
        gone = time[:, None, :] | band[:, :, None]
        return torch.where(gone, sounds.mean((1, 2), keepdim=True), sounds)


def _shifted(sounds: Tensor, steps: Tensor, lengths: Tensor) -> Tensor:
    """Let each sound begin elsewhere; what falls off the end comes first."""
    start = (torch.rand(len(sounds), device=sounds.device) * lengths).long()
    lengths = lengths.clamp(min=1)[:, None]
    moved = torch.where(steps < lengths, (steps + start[:, None]) % lengths, steps)
    if sounds.ndim == 3:
        moved = moved[:, None].expand_as(sounds)
    return sounds.gather(-1, moved)


def _stretch(steps: Tensor, lengths: Tensor) -> Tensor:
    """Return a stretch of at most an eighth of each length, anywhere: [S, N]."""
    chance = torch.rand(2, len(lengths), 1, device=steps.device)
    wide = chance[0] * lengths[:, None] / 8
    start = chance[1] * (lengths[:, None] - wide)
    return (steps >= start) & (steps < start + wide)
