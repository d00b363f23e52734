"""What mentions mean, by the context that they stand in."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import torch
from torch import Tensor
from torch.nn import functional as F

from allrounder.knowledge import Base, Linked, Mention
from allrounder.knowledge.disambiguation import (
    Evidence,
    Examples,
    Relations,
    Weights,
    described,
    fitted,
    surroundings,
)
from allrounder.model.reader import Reader

PART = 1 << 10
"""Texts that are weighed at a time."""

OTHERS = 128
"""Entities that a context is compared with, beside the candidates."""

LEAST = 0.02
"""A smaller standard deviation of cosines counts as this."""


class Resolved(NamedTuple):
    """A mention, and what it means.

    Args:
        mention: where it is, with its candidates.
        probabilities: how likely each candidate is.
        nil: how likely none of them is.
    """

    mention: Mention
    probabilities: tuple[float, ...]
    nil: float

    @property
    def likeliest(self) -> int | None:
        """The number of the likeliest entity; None where none of them is likelier."""
        best = int(np.argmax(self.probabilities))
        return self.mention.candidates[best] if self.probabilities[best] >= self.nil else None


class Labeled(NamedTuple):
    """A mention of which it is known what it means.

    Args:
        text: the text.
        start: its first code point.
        end: the code point behind its last.
        entity: the id of what is meant; None, or an id that is unknown, is NIL.
    """

    text: str
    start: int
    end: int
    entity: str | None


@dataclass(frozen=True)
class Linker:
    """Says how likely each candidate of a mention is in its context, and how likely none is.

    The context of a candidate is the cosine between what the encoder says of the text around the
    mention and of name, description and facts of the entity, in standard deviations above that of
    other entities: encoders differ in how near everything is to everything. Its types are measured
    alike, by the mean of what the encoder says of some entities of each. Nothing is trained for an
    entity.

    Args:
        base: the knowledge base.
        reader: the encoder, which reads every entity once.
        weights: how much each sort of evidence counts, and the score of none of the candidates.
    """

    base: Base
    reader: Reader
    weights: Weights = field(default_factory=Weights)

    def link(self, text: str) -> list[Resolved]:
        """Return the mentions in a text, in order, and what they mean."""
        return self.link_all([text])[0]

    def link_all(self, texts: Sequence[str]) -> list[list[Resolved]]:
        """Return the mentions in each text; many at a time are quicker than one by one."""
        found = self.base.lexicon.find_all(texts)
        evidence = iter(self.evidence(texts, found))
        return [[self._resolved(one, next(evidence)) for one in some] for some in found]

    def weighed(self, linked: Linked, texts: pa.Array | pa.ChunkedArray) -> Linked:
        """Return the mentions in a column of texts with how likely each candidate is."""
        likely = [np.zeros(0)]
        for start in range(0, len(texts), PART):
            part = [text or "" for text in texts.slice(start, PART).to_pylist()]
            mentions = [linked.found(start + place) for place in range(len(part))]
            evidence = self.evidence(part, mentions)
            likely += [self.weights.probabilities(one)[:-1] for one in evidence]
        return replace(linked, weights=np.concatenate(likely).astype(np.float32))

    def fit(self, labeled: Sequence[Labeled]) -> "Linker":
        """Return the linker with the likeliest weights; mentions that it cannot find are passed by.

        Raises:
            DataError: it finds none of them.
        """
        mentions = self.base.lexicon.find_all([one.text for one in labeled])
        chosen: list[list[int]] = []
        meant: list[int | None] = []
        for one, some in zip(labeled, mentions, strict=True):
            same = [at for at, m in enumerate(some) if (m.start, m.end) == (one.start, one.end)]
            chosen.append(same)
            meant += [self._place(some[at], one.entity) for at in same]
        evidence = self.evidence([one.text for one in labeled], mentions, chosen)
        return replace(self, weights=fitted(evidence, meant, self.weights))

    def evidence(
        self,
        texts: Sequence[str],
        mentions: Sequence[Sequence[Mention]],
        chosen: Sequence[Sequence[int]] | None = None,
    ) -> list[Evidence]:
        """Return what speaks for each candidate, mention by mention.

        Args:
            texts: the texts.
            mentions: all mentions of each text.
            chosen: of each text, the places of the mentions that are asked for; by default all.
        """
        chosen = chosen or [range(len(some)) for some in mentions]
        asked: list[Mention] = []
        around: list[str] = []
        coherence: list[np.ndarray] = []
        for text, some, places in zip(texts, mentions, chosen, strict=True):
            asked += [some[at] for at in places]
            around += [surroundings(text, some[at]) for at in places]
            coherence += [self._relations.coherence(some, at) for at in places]
        priors = [np.array(one.priors, float) for one in asked]
        told = zip(priors, self._contexts(asked, around), coherence, strict=True)
        return [Evidence(prior, near[0], coherent, near[1]) for prior, near, coherent in told]

    def _contexts(self, asked: Sequence[Mention], around: Sequence[str]) -> list[np.ndarray]:
        """Return how near the text around each mention is to its candidates and to their types.

        That is [2, c] for each; 0 where the text, or what is known of types, is empty.
        """
        if not asked:
            return []
        sizes = [len(one.candidates) for one in asked]
        whose = torch.from_numpy(np.repeat(np.arange(len(asked)), sizes))
        numbers = [entity for one in asked for entity in one.candidates]
        texts = self._texts(around)
        usual = texts @ self._others.T  # [m, o]
        mean, spread = usual.mean(-1)[whose], usual.std(-1, correction=0).clamp(min=LEAST)[whose]
        found = []
        for vectors in (self._entities(numbers), self._types(numbers)):  # [e, D]
            near = ((texts[whose] * vectors).sum(-1) - mean) / spread
            found.append(torch.where((vectors != 0).any(-1), near, 0.0).double().numpy())
        return np.split(np.stack(found), np.cumsum(sizes)[:-1], axis=1)

    def _texts(self, around: Sequence[str]) -> Tensor:
        """Return what the encoder says of texts, as unit vectors; zero for an empty one: [m, D]."""
        each = sorted({text for text in around if text}, key=lambda text: (len(text), text))
        known = dict(zip(each, F.normalize(self.reader.read(each), dim=-1), strict=True))
        nothing = torch.zeros(self.reader.module.width)
        return torch.stack([known.get(text, nothing) for text in around])

    def _entities(self, numbers: Sequence[int]) -> Tensor:
        """Return what the encoder says of entities, as unit vectors: [e, D]."""
        texts = {number: described(self.base, number) for number in dict.fromkeys(numbers)}
        self.reader.vectors(sorted(texts.values(), key=len))
        return F.normalize(self.reader.vectors([texts[number] for number in numbers]), dim=-1)

    def _types(self, numbers: Sequence[int]) -> Tensor:
        """Return the mean of what stands for each type of entities; zero for one of none: [e, D].

        A cosine with a mean is the mean of the cosines, so one vector an entity is enough.
        """
        types = {number: self._examples.types(number) for number in dict.fromkeys(numbers)}
        fresh = {type for some in types.values() for type in some} - self._prototypes.keys()
        self._entities(sorted({entity for type in fresh for entity in self._examples.of(type)}))
        for type in sorted(fresh):
            mean = self._entities(self._examples.of(type)).mean(0)
            self._prototypes[type] = F.normalize(mean, dim=-1)
        nothing = torch.zeros(self.reader.module.width)
        means = {
            number: torch.stack([self._prototypes[type] for type in some]).mean(0)
            if some
            else nothing
            for number, some in types.items()
        }
        return torch.stack([means[number] for number in numbers])

    @cached_property
    def _examples(self) -> Examples:
        return Examples(self.base)

    @cached_property
    def _prototypes(self) -> dict[int, Tensor]:
        """What stands for each type that was asked for: a unit vector."""
        return {}

    @cached_property
    def _others(self) -> Tensor:
        """Some entities of which something is known, evenly from all: [o, D]."""
        snapshot = self.base.snapshot
        known = np.setdiff1d(np.arange(len(snapshot.entities)), snapshot.unknown())
        places = np.linspace(0, len(known) - 1, min(OTHERS, len(known))).astype(int)
        return self._entities(known[places].tolist())

    @cached_property
    def _relations(self) -> Relations:
        return Relations(self.base)

    def _place(self, mention: Mention, entity: str | None) -> int | None:
        number = None if entity is None else self.base.snapshot.number(entity)
        return mention.candidates.index(number) if number in mention.candidates else None

    def _resolved(self, mention: Mention, evidence: Evidence) -> Resolved:
        *likely, nil = self.weights.probabilities(evidence).tolist()
        return Resolved(mention, tuple(likely), nil)
