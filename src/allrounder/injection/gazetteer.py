"""Types of the entities that a text mentions."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar, Self

import numpy as np

from allrounder.injection.base import Gated, Items, one_or_more
from allrounder.knowledge import Base, Linked, Ragged
from allrounder.lazy import lazy

if TYPE_CHECKING:
    from allrounder.injection import modules
else:
    modules = lazy("allrounder.injection.modules")


@dataclass(kw_only=True)
class Gazetteer(Gated):
    """Tells tokens the types of what they name, through a gate (GEMNET; Meng et al. 2021).

    h' = h + σ(W [h; k] + b) ⊙ W_k k, where k says of which types the mention is and whether the
    token begins it or goes on. b is −2 and W_k zero at first. The vector of a whole text hears of
    the types of all its mentions in the same way, through weights of its own.

    Args:
        of: the input whose texts are searched for mentions; by default every text.
        dropout: how often, in training, a mention is passed over.
        types: the types that are told apart; by default those met in training texts.
        most: how many types are taken at most, those met most often.
    """

    learned: ClassVar[tuple[str, ...]] = ("types",)

    types: list[str] | None = None
    most: int = 64

    def __post_init__(self) -> None:
        super().__post_init__()
        one_or_more(self, "most")

    def learn(self, base: Base, linked: Sequence[Linked]) -> Self:
        """Fill the types: those of what training texts mention, the commonest first."""
        if self.types is not None:
            return self
        counts = np.zeros(len(base.types.names), np.int64)
        by_entity = Ragged(base.types.offsets, base.types.numbers)
        for found in linked:
            types, _ = by_entity.of(found.candidates.values)
            counts += np.bincount(types, minlength=len(counts))
        order = np.argsort(-counts, kind="stable")[: self.most]
        return replace(self, types=[base.types.names[at] for at in order if counts[at]])

    def items(self, base: Base) -> Items:
        """Return for each entity its types, by their places in `types`."""
        known = {name: place for place, name in enumerate(self.types or [])}
        places = np.array([known.get(name, -1) for name in base.types.names], np.int64)
        found = places[base.types.numbers] if len(places) else np.zeros(0, np.int64)
        starts = np.concatenate([[0], np.cumsum(found >= 0)])[base.types.offsets]
        names = [f"type: {name}" for name in self.types or []]
        return Items(Ragged(starts, found[found >= 0]), names=names)

    def module(self, width: int) -> "modules.Injecting":
        """Build the gates."""
        return modules.GatedTypes(width, len(self.types or []), self.dropout)
