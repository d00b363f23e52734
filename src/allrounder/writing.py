"""Answers piece by piece: labels first, which are there at once, then texts as they are written."""

from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any

import numpy as np
import torch

from allrounder.model import Answerer, Model, Prepared
from allrounder.prediction import Predictor


def told(
    predictor: Predictor, record: Mapping[str, Any], *, as_of: date | None = None
) -> Iterator[dict[str, Any]]:
    """Yield the answers to a record: `{"answers": …}`, then `{"task": …, "text": …}` bit by bit.

    Args:
        predictor: the run.
        record: `{field: value}`.
        as_of: answer with the facts and the rules that hold on this day; by default today.
    """
    prepared = predictor.prepared(predictor.handed([record]), as_of=as_of)
    passes = predictor.answerer.passes
    writing = [(model, n) for model, names in passes for n in names if _writes(model, n)]
    yield {"answers": _at_once(predictor, prepared, as_of)}
    for model, name in writing:
        for piece in _pieces(model, prepared, name):
            yield {"task": name, "text": piece}


def _writes(model: Model, name: str) -> bool:
    return model.tasks[name].reads == "states"


def _at_once(predictor: Predictor, prepared: Prepared, as_of: date | None) -> dict[str, Any]:
    """Return the answers of tasks that write nothing."""
    old = predictor.answerer
    passes = [(m, [n for n in names if not _writes(m, n)]) for m, names in old.passes]
    answerer = Answerer(
        [(m, names) for m, names in passes if names], old.calibration, old.galleries, old.decoder
    )
    if not answerer.passes:
        return {}
    return answerer.answers(prepared, np.arange(1), decoder=predictor.decoder(as_of))[0]


def _pieces(model: Model, prepared: Prepared, name: str) -> Iterator[str]:
    wanted = prepared.asked(np.arange(1), [name])
    if not wanted[name].any():
        return
    with torch.no_grad():
        draft = model(prepared.batch(np.arange(1), wanted))[name]
    yield from draft.pieces()  # type: ignore[attr-defined]
