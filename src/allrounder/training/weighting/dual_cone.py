"""The projection that UPGrad asks for, by non-negative least squares. Needs torchjd."""

import numpy as np
import torch
from scipy.optimize import nnls
from torch import Tensor
from torchjd.linalg import DualConeProjector


class LeastSquaresProjector(DualConeProjector):
    """Solves min w'Gw, w ≥ u for each row u of U, without a solver of quadratic programs.

    With w = u + v and G = R'R it is min |R v + R u|², v ≥ 0 (Lawson and Hanson 1974, chapter 23).
    The gradients are made unit vectors first, so that a short one is solved as exactly as a long.
    """

    def __call__(self, U: Tensor, G: Tensor) -> Tensor:
        """Return one solution a row: [n, k], [k, k] → [n, k]."""
        gramian = G.cpu().double().numpy()
        norms = np.sqrt(gramian.diagonal())
        norms = np.where(norms > 0, norms, 1.0)
        root = square_root(gramian / norms / norms[:, None])
        rows = U.cpu().double().numpy() * norms
        found = np.stack([u + nnls(root, -root @ u)[0] for u in rows]) / norms
        return torch.as_tensor(found, device=G.device, dtype=G.dtype)


def square_root(gramian: np.ndarray) -> np.ndarray:
    """Return R with R'R = gramian, for a gramian that may be singular."""
    values, vectors = np.linalg.eigh(gramian)
    return np.sqrt(np.clip(values, 0, None))[:, None] * vectors.T
