"""Whether probabilities mean what they say."""

import numpy as np

from allrounder.evaluation.report import Bin, Calibration

BINS = 10
Decisions = tuple[np.ndarray, np.ndarray]
"""The confidence of each decision, and whether it was right."""


def bins(confidence: np.ndarray, right: np.ndarray) -> list[Bin]:
    """Sort decisions into bins of equal width by confidence; empty bins are left out."""
    at = np.clip(np.ceil(confidence * BINS).astype(int) - 1, 0, BINS - 1)
    return [
        Bin(
            confidence=round(float(confidence[at == b].mean()), 6),
            accuracy=round(float(right[at == b].mean()), 6),
            count=int((at == b).sum()),
        )
        for b in np.unique(at)
    ]


def expected_calibration_error(found: list[Bin]) -> float:
    """Return the mean distance between promise and outcome, weighted by count (Guo et al. 2017)."""
    total = sum(b.count for b in found)
    return round(sum(b.count * abs(b.accuracy - b.confidence) for b in found) / total, 6)


def calibration(calibrated: Decisions, raw: Decisions | None) -> Calibration | None:
    """Compare confidence and outcome, with and without the fitted temperature."""
    if not len(calibrated[0]):
        return None
    found = bins(*calibrated)
    before = bins(*raw) if raw is not None and len(raw[0]) else None
    return Calibration(
        ece_before=expected_calibration_error(before) if before else None,
        ece_after=expected_calibration_error(found),
        bins=found,
    )
