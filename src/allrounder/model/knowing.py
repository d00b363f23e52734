"""What a model knows beside its weights: a knowledge base, and how it reaches the features."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import pyarrow as pa
import torch
from torch import Tensor

from allrounder.encoders import Encoder, Tokens
from allrounder.injection import Gated, Injection, Items, Mentioned, Said, named
from allrounder.injection.modules import Told
from allrounder.knowledge import Base, Linked, Snapshot, Weights
from allrounder.model.lending import Hidden, Lending
from allrounder.model.linker import Linker
from allrounder.model.reader import Reader

FOLDER = "knowledge"
"""Where a run keeps what its model knows."""


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

    def on(self, name: str, kind: type[Injection] = Injection) -> list[str]:
        """Return the injections on an input; of one kind alone where it is given."""
        mine = {each: found for each, found in self.injections.items() if found.of == name}
        return [each for each, found in mine.items() if isinstance(found, kind)]

    @property
    def gated(self) -> dict[str, Gated]:
        """The injections that add to features, through modules of their own."""
        return {n: found for n, found in self.injections.items() if isinstance(found, Gated)}

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
        """Return what a gated injection is to be told of the texts of some rows.

        Args:
            name: the injection.
            linked: the mentions of every row.
            tokens: the tokens of every row.
            rows: the rows, all of which have the input.
            hidden: by row, what is kept back.
        """
        found = self._lending(name, linked, tokens, rows, hidden)
        sizes = found.ends - found.firsts
        whose = np.repeat(np.arange(len(sizes)), sizes)
        within = np.arange(len(whose)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
        parts = (found.records, whose, found.firsts[whose] + within, within == 0, found.mentions,
                 found.items)  # fmt: skip
        return Told(
            *map(torch.from_numpy, parts),
            vectors=self._vectors(name, found.items),
            weights=None if found.weights is None else torch.from_numpy(found.weights),
        )

    def branches(
        self,
        name: str,
        linked: Linked,
        tokens: Tokens,
        rows: np.ndarray,
        *,
        hidden: Hidden | None = None,
    ) -> list[list[Said]]:
        """Return what is said beside the texts of some rows by an injection that is read.

        Where candidates are weighed the likeliest lends its facts alone, else all do.

        Args:
            name: the injection.
            linked: the mentions of every row.
            tokens: the tokens of every row.
            rows: the rows, all of which have the input.
            hidden: by row, what is kept back.
        """
        found = self._lending(name, linked, tokens, rows, hidden)
        texts = self.items[name].texts or []
        by_row: list[list[Mentioned]] = [[] for _ in rows]
        for mention, lent in found.by_mention():
            entities = found.likeliest(lent)
            facts = dict.fromkeys(texts[found.items[at]] for at in entities)
            one = Mentioned(
                int(found.firsts[mention]),
                int(found.ends[mention]),
                self.base.names[found.entities[entities[0]]],
                list(facts),
            )
            by_row[found.records[mention]].append(one)
        return [self.injections[name].said(some) for some in by_row]  # type: ignore[attr-defined]

    def _lending(
        self,
        name: str,
        linked: Linked,
        tokens: Tokens,
        rows: np.ndarray,
        hidden: Hidden | None,
    ) -> Lending:
        found = Lending.of(linked, tokens, rows, self.items[name].by_entity)
        if not hidden:
            return found
        return found.shown(self.injections[name].of or "", self.items[name].names, rows, hidden)

    def _vectors(self, name: str, items: np.ndarray) -> Tensor | None:
        """Return what the encoder says of items that are texts: [j, D]."""
        texts = self.items[name].texts
        if texts is None:
            return None
        each, place = np.unique(items, return_inverse=True)
        reader = self.readers[self.injections[name].of or ""]
        return reader.vectors([texts[item] for item in each])[torch.from_numpy(place)]


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
    reading = [
        found.of or ""
        for found in injections
        if linking or (isinstance(found, Gated) and found.reads_texts)
    ]
    return list(dict.fromkeys(reading))


def _reader(folder: Path, name: str) -> Path:
    return folder / FOLDER / f"{name}.safetensors"
