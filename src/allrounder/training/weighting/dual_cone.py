"""The projection that UPGrad asks for, by non-negative least squares. Needs torchjd."""

import numpy as np
import torch
from scipy.optimize import nnls
from torch import Tensor
from torchjd.linalg import DualConeProjector


class LeastSquaresProjector(DualConeProjector):
    """Solves min w'Gw, w ≥ u for each row u of U, without a solver of quadratic programs.

    With w = u + v and G = R'R it is min |R v + R u|², v ≥ 0 (Lawson and Hanson 1974, chapter 23).
    """

    def __call__(self, U: Tensor, G: Tensor) -> Tensor:
        """Return one solution a row: [n, k], [k, k] → [n, k]."""
        root = square_root(G.cpu().double().numpy())
        rows = [u + nnls(root, -root @ u)[0] for u in U.cpu().double().numpy()]
        return torch.as_tensor(np.stack(rows), device=G.device, dtype=G.dtype)


def square_root(gramian: np.ndarray) -> np.ndarray:
    """Return R with R'R = gramian, for a gramian that may be singular."""
    values, vectors = np.linalg.eigh(gramian)
    return np.sqrt(np.clip(values, 0, None))[:, None] * vectors.T
