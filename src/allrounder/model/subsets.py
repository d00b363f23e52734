"""Which inputs a record has, and the calibration that fits it."""

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np

from allrounder.model.prepared import Prepared

Subset = tuple[str, ...]
"""Some of the inputs, in the order of the project file."""

MOST = 4
"""Up to so many inputs, all of their subsets are looked at."""


def subsets(inputs: Sequence[str]) -> list[Subset]:
    """Return which inputs a record may have, fewest first.

    All subsets of up to four inputs; of more each one alone, each one left out, and all.
    """
    every = tuple(inputs)
    sizes = range(1, len(every) + 1)
    if len(every) > MOST:
        sizes = (1, len(every) - 1, len(every))  # type: ignore[assignment]
    found = [some for size in sizes for some in combinations(every, size)]
    return sorted(found, key=len)


def without(inputs: Sequence[str], some: Sequence[str]) -> Subset:
    """Return those of `inputs` that are not among `some`."""
    return tuple(name for name in inputs if name not in some)


def by_missing(prepared: Prepared, rows: np.ndarray) -> dict[Subset, np.ndarray]:
    """Return which inputs are missing, and the places in `rows` of the records that miss them."""
    inputs = list(prepared.model.inputs)
    lacks = np.stack([~prepared.has(name, rows) for name in inputs], axis=-1)
    kinds, which = np.unique(lacks, axis=0, return_inverse=True)
    names = [tuple(name for name, gone in zip(inputs, kind, strict=True) if gone) for kind in kinds]
    return {name: np.flatnonzero(which.ravel() == at) for at, name in enumerate(names)}


def fitting(known: Mapping[str, Any], missing: Subset) -> dict[str, float]:
    """Return the calibration of one task that fits records which lack some inputs.

    Where none was fitted for just these, that of the fewest inputs missing which hold all of
    them, and otherwise that of records with all inputs.

    Args:
        known: what was fitted on records with all inputs; `without` holds the rest, by the names
            of the missing inputs.
        missing: the missing inputs.
    """
    others = {tuple(names.split("+")): found for names, found in known.get("without", {}).items()}
    wider = sorted((names for names in others if missing and {*missing} <= {*names}), key=len)
    whole = {key: value for key, value in known.items() if key != "without"}
    return dict(others[wider[0]]) if wider else whole


def named(missing: Subset) -> str:
    """Return the name under which the calibration for missing inputs is kept."""
    return "+".join(missing)
