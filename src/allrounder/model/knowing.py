"""What a model knows beside its weights: a knowledge base, and how it reaches the features."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import torch
from torch import Tensor

from allrounder.encoders import Encoder, Tokens
from allrounder.injection import Injection, Items, named
from allrounder.injection.modules import Told
from allrounder.knowledge import Base, Linked, Ragged, Snapshot, Weights
from allrounder.model.linker import Linker
from allrounder.model.reader import Reader

FOLDER = "knowledge"
"""Where a run keeps what its model knows."""


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


class _Pairs(NamedTuple):
    """Mentions and what they are lent: places of mentions, entities, items, and of candidates."""

    mentions: np.ndarray
    entities: np.ndarray
    items: np.ndarray
    candidates: np.ndarray


@dataclass
class Knowing:
    """A knowledge base, and by name how it reaches the features of which input.

    Args:
        base: the knowledge base.
        injections: the injections by name, each with its input filled in.
        readers: by input, the encoder as it was before training, which reads facts.
        linking: how candidates of a mention are weighed; None lets all lend alike.
    """

    base: Base
    injections: dict[str, Injection]
    readers: dict[str, Reader] = field(default_factory=dict)
    linking: Weights | None = None

    @cached_property
    def linkers(self) -> dict[str, Linker]:
        """By input, what tells which candidate of a mention is meant; none without `linking`."""
        if self.linking is None:
            return {}
        return {name: Linker(self.base, self.readers[name], self.linking) for name in self.inputs}

    def link(self, name: str, texts: pa.Array | pa.ChunkedArray) -> Linked:
        """Return the mentions in a column of an input, their candidates weighed where asked for."""
        found = self.base.link(texts)
        return self.linkers[name].weighed(found, texts) if self.linking else found

    @cached_property
    def items(self) -> dict[str, Items]:
        """By injection, what each entity lends."""
        return {name: found.items(self.base) for name, found in self.injections.items()}

    def on(self, name: str) -> list[str]:
        """Return the injections that reach the features of an input."""
        return [each for each, found in self.injections.items() if found.of == name]

    @property
    def inputs(self) -> list[str]:
        """The inputs whose texts are searched for mentions."""
        return list(dict.fromkeys(found.of or "" for found in self.injections.values()))

    @classmethod
    def of(
        cls,
        base: Base,
        injections: Sequence[Injection],
        readers: Mapping[str, Reader],
        linking: Weights | None = None,
    ) -> "Knowing":
        """Return what a model knows, every injection under a name of its own."""
        return cls(base, named(injections), dict(readers), linking)

    def lent(self, name: str, entity: int) -> list[str]:
        """Return the names of what an entity lends by an injection."""
        found = self.items[name]
        return [found.names[item] for item in found.by_entity.of(np.array([entity]))[0]]

    def only(self, inputs: Collection[str]) -> "Knowing":
        """Return what reaches the features of some inputs."""
        kept = {name: found for name, found in self.injections.items() if found.of in inputs}
        return replace(self, injections=kept)

    def about(self, base: Base) -> "Knowing":
        """Return the same over another knowledge base, or another version of it."""
        return replace(self, base=base)

    def save(self, folder: Path) -> None:
        """Write the facts of all days, and the weights of their readers, into a run folder."""
        self.base.whole.save(folder / FOLDER / "facts")
        for name, reader in self.readers.items():
            reader.save(_reader(folder, name))

    def told(
        self,
        name: str,
        linked: Linked,
        tokens: Tokens,
        rows: np.ndarray,
        *,
        hidden: Hidden | None = None,
    ) -> Told:
        """Return what an injection is to be told of the texts of some rows.

        Args:
            name: the injection.
            linked: the mentions of every row.
            tokens: the tokens of every row.
            rows: the rows, all of which have the input.
            hidden: by row, what is kept back.
        """
        mentions, records = linked.mentions.of(rows)
        inside = [
            _inside(linked.spans[mentions[records == place]], tokens.offsets(row))
            for place, row in enumerate(rows)
            if linked.mentions.starts[row] < linked.mentions.starts[row + 1]
        ]
        firsts, lasts = np.concatenate(inside or [np.zeros((0, 2), np.int64)]).T
        sizes = lasts - firsts
        whose = np.repeat(np.arange(len(mentions)), sizes)
        within = np.arange(len(whose)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
        starts, values = linked.candidates
        candidates, meant = Ragged(starts, np.arange(len(values))).of(mentions)
        entities = values[candidates]
        items, lent = self.items[name].by_entity.of(entities)
        pairs = _Pairs(meant[lent], entities[lent], items, candidates[lent])
        places = mentions - linked.mentions.starts[rows[records]]
        if hidden:
            pairs = self._shown(name, pairs, rows[records], places, hidden)
        parts = (records, whose, firsts[whose] + within, within == 0, pairs.mentions, pairs.items)
        told = Told(
            *map(torch.from_numpy, parts),
            vectors=self._vectors(name, pairs.items),
            weights=None
            if linked.weights is None
            else torch.from_numpy(linked.weights[pairs.candidates]),
        )
        if not hidden:
            return told
        of = self.injections[name].of or ""
        return told.only(_kept(of, rows[records], places, hidden))

    def _shown(
        self, name: str, pairs: "_Pairs", rows: np.ndarray, places: np.ndarray, hidden: Hidden
    ) -> "_Pairs":
        """Return the pairs of a mention and an item that are not kept back."""
        names, of = self.items[name].names, self.injections[name].of or ""
        shown = [
            Lent(of, int(places[mention]), int(entity), names[item])
            not in hidden.get(int(rows[mention]), ())
            for mention, entity, item, _ in zip(*pairs, strict=True)
        ]
        return _Pairs(*(column[np.array(shown, bool)] for column in pairs))

    def _vectors(self, name: str, items: np.ndarray) -> Tensor | None:
        """Return what the encoder says of items that are texts: [j, D]."""
        texts = self.items[name].texts
        if texts is None:
            return None
        each, place = np.unique(items, return_inverse=True)
        reader = self.readers[self.injections[name].of or ""]
        return reader.vectors([texts[item] for item in each])[torch.from_numpy(place)]


def _inside(spans: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    """Return the first token of each mention and the one behind its last: [m, 2].

    A token is inside if any of its characters is. Tokens lie in the order of the text; those
    without a character count as part of what follows.
    """
    starts, ends = offsets[:, 0], offsets[:, 1]
    first = np.searchsorted(ends, spans[:, 0], side="right")
    last = np.searchsorted(starts, spans[:, 1], side="left")
    return np.stack([first, np.maximum(first, last)], 1)


def _kept(of: str, rows: np.ndarray, places: np.ndarray, hidden: Hidden) -> Tensor:
    """Return which mentions are not kept back altogether."""
    pairs = zip(rows.tolist(), places.tolist(), strict=True)
    return torch.tensor([Lent(of, at) not in hidden.get(row, ()) for row, at in pairs]).bool()


def fresh_readers(
    inputs: Mapping[str, Encoder],
    injections: Sequence[Injection],
    *,
    seed: int = 0,
    linking: bool = False,
) -> dict[str, Reader]:
    """Return by input the encoder as it comes, for injections that have facts read.

    Args:
        inputs: the encoders.
        injections: the injections.
        seed: of encoders that begin at random.
        linking: whether entities are read too, to tell which is meant: for all injections.
    """
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        reading = _reading(injections, linking)
        return {name: Reader(inputs[name], inputs[name].module()) for name in reading}


def kept_readers(
    folder: Path,
    inputs: Mapping[str, Encoder],
    injections: Sequence[Injection],
    *,
    linking: bool = False,
) -> dict[str, Reader]:
    """Return by input the readers that a run keeps."""
    kept = {name: _reader(folder, name) for name in _reading(injections, linking)}
    return {name: Reader.load(inputs[name], path) for name, path in kept.items() if path.exists()}


def kept_facts(folder: Path) -> Snapshot:
    """Return the facts that a run was trained with."""
    return Snapshot.load(folder / FOLDER / "facts")


def _reading(injections: Sequence[Injection], linking: bool) -> list[str]:
    """Return the inputs whose encoders have to read facts."""
    reading = [found.of or "" for found in injections if linking or found.reads_texts]
    return list(dict.fromkeys(reading))


def _reader(folder: Path, name: str) -> Path:
    return folder / FOLDER / f"{name}.safetensors"
