"""Which entities lend what to which mentions."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from allrounder.encoders import Tokens
from allrounder.knowledge import Linked, Ragged


class Lent(NamedTuple):
    """What one entity lends to one mention; without `item` the mention altogether.

    Args:
        input: whose text it is in.
        place: which mention of that text it is.
        entity: the entity.
        item: the name of what it lends.
    """

    input: str
    place: int
    entity: int | None = None
    item: str | None = None


Hidden = Mapping[int, Collection[Lent]]
"""By row, what is kept back, to see what the answer would be without it."""


@dataclass(frozen=True)
class Lending:
    """The mentions in the texts of some rows, and what each is lent.

    m mentions, j pairs of a mention and an item that it is lent.

    Args:
        records: of each mention, its place among the rows: [m].
        places: which mention of its text each is: [m].
        firsts: the first token inside each mention: [m].
        ends: the token behind its last: [m].
        mentions: of each pair, the mention: [j], rising.
        entities: who lends it: [j].
        items: what is lent: [j].
        weights: how likely it is that who lends it is meant: [j]; None is certain.
    """

    records: np.ndarray
    places: np.ndarray
    firsts: np.ndarray
    ends: np.ndarray
    mentions: np.ndarray
    entities: np.ndarray
    items: np.ndarray
    weights: np.ndarray | None

    @classmethod
    def of(cls, linked: Linked, tokens: Tokens, rows: np.ndarray, by_entity: Ragged) -> "Lending":
        """Return what the entities that texts mention lend.

        Args:
            linked: the mentions of every row.
            tokens: the tokens of every row.
            rows: the rows, all of which have the input.
            by_entity: the items that each entity lends.
        """
        mentions, records = linked.mentions.of(rows)
        inside = [
            _inside(linked.spans[mentions[records == place]], tokens.offsets(row))
            for place, row in enumerate(rows)
            if linked.mentions.starts[row] < linked.mentions.starts[row + 1]
        ]
        firsts, ends = np.concatenate(inside or [np.zeros((0, 2), np.int64)]).T
        starts, values = linked.candidates
        candidates, meant = Ragged(starts, np.arange(len(values))).of(mentions)
        entities = values[candidates]
        items, lent = by_entity.of(entities)
        weights = None if linked.weights is None else linked.weights[candidates[lent]]
        places = mentions - linked.mentions.starts[rows[records]]
        return cls(records, places, firsts, ends, meant[lent], entities[lent], items, weights)

    def shown(self, of: str, names: Sequence[str], rows: np.ndarray, hidden: Hidden) -> "Lending":
        """Return the same without what is kept back.

        Args:
            of: the input.
            names: of every item.
            rows: the rows.
            hidden: by row, what is kept back.
        """
        back = [hidden.get(int(row), ()) for row in rows[self.records]]
        kept = [
            Lent(of, int(place)) not in some for place, some in zip(self.places, back, strict=True)
        ]
        pairs = zip(self.mentions, self.entities, self.items, strict=True)
        lent = [
            kept[at] and Lent(of, int(self.places[at]), int(entity), names[item]) not in back[at]
            for at, entity, item in pairs
        ]
        return self._only(np.array(kept, bool), np.array(lent, bool))

    def _only(self, kept: np.ndarray, lent: np.ndarray) -> "Lending":
        number = np.cumsum(kept) - 1
        return replace(
            self,
            records=self.records[kept],
            places=self.places[kept],
            firsts=self.firsts[kept],
            ends=self.ends[kept],
            mentions=number[self.mentions[lent]],
            entities=self.entities[lent],
            items=self.items[lent],
            weights=None if self.weights is None else self.weights[lent],
        )

    def by_mention(self) -> Iterator[tuple[int, np.ndarray]]:
        """Yield each mention that is lent something, and the places of its pairs."""
        bounds = np.searchsorted(self.mentions, np.arange(len(self.records) + 1))
        for mention, (start, end) in enumerate(pairwise(bounds)):
            if start < end:
                yield mention, np.arange(start, end)

    def likeliest(self, pairs: np.ndarray) -> np.ndarray:
        """Return those pairs whose lender is the likeliest; all where nobody weighed them."""
        if self.weights is None:
            return pairs
        best = self.entities[pairs[self.weights[pairs].argmax()]]
        return pairs[self.entities[pairs] == best]


def _inside(spans: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    """Return the first token of each mention and the one behind its last: [m, 2].

    A token is inside if any of its characters is. Tokens lie in the order of the text; those
    without a character count as part of what follows.
    """
    starts, ends = offsets[:, 0], offsets[:, 1]
    first = np.searchsorted(ends, spans[:, 0], side="right")
    last = np.searchsorted(starts, spans[:, 1], side="left")
    return np.stack([first, np.maximum(first, last)], 1)
