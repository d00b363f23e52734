"""Types of entities, with everything that their types are a kind of."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np


class Types(NamedTuple):
    """The types of every entity.

    Args:
        names: what the types are called, sorted.
        offsets: where the types of entity i begin in `numbers`; one more than there are entities.
        numbers: places in `names`, ascending for each entity.
    """

    names: list[str]
    offsets: np.ndarray
    numbers: np.ndarray

    def of(self, entity: int) -> list[str]:
        """Return the names of an entity's types."""
        return [
            self.names[i] for i in self.numbers[self.offsets[entity] : self.offsets[entity + 1]]
        ]


def closure(starts: Sequence[int], above: Mapping[int, Sequence[int]]) -> dict[int, list[int]]:
    """Return for every start itself and all that lies above it; cycles do no harm."""
    return {start: _reached(start, above) for start in starts}


def _reached(start: int, above: Mapping[int, Sequence[int]]) -> list[int]:
    seen, waiting = {start: None}, [start]
    while waiting:
        for parent in above.get(waiting.pop(), ()):
            if parent not in seen:
                seen[parent] = None
                waiting.append(parent)
    return list(seen)


def typed(num_entities: int, subjects: np.ndarray, types: Sequence[Sequence[str]]) -> Types:
    """Return the types of all entities.

    Args:
        num_entities: how many there are.
        subjects: the entity of each statement about a type.
        types: the names of types that each statement comes to.
    """
    names = sorted({name for group in types for name in group})
    place = {name: number for number, name in enumerate(names)}
    lengths = np.fromiter(map(len, types), np.int64, len(types))
    flat = np.fromiter((place[name] for group in types for name in group), np.int64)
    pairs = np.unique(np.repeat(subjects, lengths) * max(1, len(names)) + flat)
    owners, numbers = np.divmod(pairs, max(1, len(names)))
    counts = np.bincount(owners, minlength=num_entities)
    return Types(names, np.concatenate([[0], np.cumsum(counts)]), numbers.astype(np.int32))
