"""Losses that several kinds of task share. Imports torch: kinds reach it lazily."""

from collections.abc import Callable, Sequence

import torch
from scipy.optimize import minimize_scalar
from torch import Tensor
from torch.nn import functional as F


def cross_entropy(
    scores: Tensor,
    targets: Tensor,
    *,
    weights: Sequence[float] | None = None,
    smoothing: float = 0.0,
    focal: float = 0.0,
) -> Tensor:
    """Return the cross-entropy of each row: scores [n, L], targets [n] → [n].

    With γ = `focal` it is (1 - p)^γ · cross-entropy (Lin et al. 2017, equation 4).
    """
    factors = None if weights is None else scores.new_tensor(weights)
    loss = F.cross_entropy(
        scores, targets, weight=factors, label_smoothing=smoothing, reduction="none"
    )
    if focal:
        right = scores.log_softmax(-1).gather(-1, targets[:, None])[:, 0].exp()
        loss = (1 - right) ** focal * loss
    return loss


def binary_cross_entropy(
    scores: Tensor, targets: Tensor, *, smoothing: float = 0.0, focal: float = 0.0
) -> Tensor:
    """Return the binary cross-entropy of each row: scores and targets [n, L] → [n].

    It is the sum over decisions, the negative log-likelihood of the row, so that a row of many
    decisions is not worth less than one of a single decision among many labels.
    """
    soft = targets * (1 - smoothing) + smoothing / 2
    loss = F.binary_cross_entropy_with_logits(scores, soft, reduction="none")
    if focal:
        right = torch.where(targets > 0.5, scores.sigmoid(), 1 - scores.sigmoid())
        loss = (1 - right) ** focal * loss
    return loss.sum(-1)


def divergence(scores: Tensor, teacher: Tensor) -> Tensor:
    """Return KL(teacher ‖ scores) of each row, [n, L] → [n], over the labels the teacher knows.

    A teacher that knows fewer labels knows the first ones. It has a gradient with respect to both.
    """
    known, taught = scores[..., : teacher.shape[-1]], teacher.log_softmax(-1)
    each = F.kl_div(known.log_softmax(-1), taught, reduction="none", log_target=True)
    return each.sum(-1)


def binary_divergence(scores: Tensor, teacher: Tensor) -> Tensor:
    """Return KL(teacher ‖ scores) of each row, summed over its yes-or-no decisions: [n, L] → [n].

    A teacher that knows fewer labels knows the first ones. It has a gradient with respect to both.
    What the teacher did not score, NaN, is no distance apart.
    """
    scores = scores[..., : teacher.shape[-1]]
    unknown = teacher.isnan()
    teacher = torch.where(unknown, scores.detach(), teacher)
    yes = teacher.sigmoid() * (F.logsigmoid(teacher) - F.logsigmoid(scores))
    no = (-teacher).sigmoid() * (F.logsigmoid(-teacher) - F.logsigmoid(-scores))
    return (yes + no).masked_fill(unknown, 0.0).sum(-1)


def temperature(loss: Callable[[Tensor, Tensor], Tensor], scores: Tensor, targets: Tensor) -> float:
    """Return the T in [0.05, 20] for which `loss(scores / T, targets)` is least (Guo 2017)."""
    scores = scores.double()

    def mean(log_t: float) -> float:
        return float(loss(scores / float(torch.tensor(log_t).exp()), targets).mean())

    best = minimize_scalar(mean, bounds=(-3.0, 3.0), method="bounded", options={"xatol": 1e-3})
    return round(float(torch.tensor(best.x).exp()), 4)
