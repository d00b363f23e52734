"""Answers of a search between inputs: ``{"matches": {…}, "similarity": …}``."""

from typing import Any

import numpy as np

from allrounder.evaluation.forms.form import Form, clip, worst
from allrounder.evaluation.intervals import affordable, bootstrap
from allrounder.evaluation.judged import Judged
from allrounder.evaluation.report import DirectionReport, WrongAnswer

CUTS = (1, 5, 10)


class Matches(Form):
    """Searches: every record asks with each of its inputs for each of the others."""

    def extras(self, judged: Judged, seed: int) -> dict[str, Any]:
        """Return how each direction fares."""
        ranks, keys = judged.task.array(judged.decoded), judged.task.array(judged.truths)
        names = list(judged.task.of or [])
        pairs = judged.task.directions()  # type: ignore[attr-defined]
        return {
            "directions": [
                _direction(pair, ranks[:, at], keys[:, names.index(pair[1])], seed)
                for at, pair in enumerate(pairs)
                if np.isfinite(ranks[:, at]).any()
            ]
        }

    def errors(self, judged: Judged) -> list[WrongAnswer]:
        """Return the records that are hardest to find."""
        ranks = judged.task.array(judged.decoded)
        known = np.isfinite(ranks)
        far = np.log(np.where(known, ranks, 1.0)).sum(1) / np.maximum(known.sum(1), 1)
        return [
            WrongAnswer(
                text=clip(judged.texts[i])[0],
                where=judged.wheres[i],
                truth="rank 1",
                answer=_said(judged, ranks[i]),
                probability=None,
            )
            for i in worst(np.where(far > 0, far, -np.inf))
        ]


def _said(judged: Judged, ranks: np.ndarray) -> str:
    pairs = judged.task.directions()  # type: ignore[attr-defined]
    return ", ".join(
        f"{a} → {b}: {rank:.0f}"
        for (a, b), rank in zip(pairs, ranks, strict=True)
        if np.isfinite(rank)
    )


def _direction(
    pair: tuple[str, str], ranks: np.ndarray, keys: np.ndarray, seed: int
) -> DirectionReport:
    ranks = ranks[np.isfinite(ranks)]
    num_candidates = len(np.unique(keys[keys != 0]))
    hits = {n: ranks <= n for n in CUTS}
    draws = bootstrap(
        {n: (_share, found, found) for n, found in hits.items()},
        len(ranks), resamples=affordable(len(ranks), 500), seed=seed,
    )  # fmt: skip
    return DirectionReport(
        asked=pair[0],
        searched=pair[1],
        num_searches=len(ranks),
        num_candidates=num_candidates,
        recall={str(n): draws[n].score() for n in CUTS},
        chance={str(n): round(min(1.0, n / num_candidates), 6) for n in CUTS},
        median_rank=float(np.median(ranks)),
    )


def _share(found: np.ndarray, _: np.ndarray) -> float:
    return float(found.mean())
