"""Records written by a model that is tuned on those that there are."""

from abc import abstractmethod
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from allrounder.encoders.locate import locate
from allrounder.encoders.text import positions
from allrounder.encoders.writers import writer_of
from allrounder.errors import ProjectError
from allrounder.synthesis.base import Writing
from allrounder.synthesis.material import Author, Material
from allrounder.synthesis.pretrained import pretrained

LEAST = 4
"""Texts below which nothing can be learned and held out."""

BETWEEN = 8
"""Places that are spared for special tokens between what is read and what is written."""

Pair = tuple[str, str]
"""What a model is asked, and what it is to write then."""


@dataclass(kw_only=True)
class Authored(Writing):
    """A way to make texts by a model that is tuned on training records first, as they ask for it.

    The tuned model is kept in `.allrounder/authors`, and tuned anew where records or settings
    change; a tenth of the texts decides when to stop.

    Args:
        model: a model that writes, as inputs name theirs; by default the decoder that `allrounder
            pretrain` made last by kind `causal`.
        tune: how it learns, as inputs say it.
        epochs: passes over what it learns from, at most.
        lr: the full learning rate.
        max_tokens: of the longest text that it reads, and of the longest that it writes.
        temperature: the higher, the more freely tokens are drawn.
        top_p: tokens are drawn from the likeliest that together are this likely.
        batch_records: texts that are written at a time.
    """

    model: str | None = None
    tune: str = "full"
    epochs: float = 10.0
    lr: float = 3e-4
    max_tokens: int = 40
    temperature: float = 1.0
    top_p: float = 0.95
    batch_records: int = 64

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("epochs", "lr", "temperature"):
            if not getattr(self, name) > 0:
                raise ValueError(f"has `{name}: {getattr(self, name)}`. Expected more than 0.")
        self._within("top_p", 0.01, 1)
        self._at_least("max_tokens", 8)
        self._at_least("batch_records", 1)

    @abstractmethod
    def pairs(self, material: Material) -> list[Pair]:
        """Return what the model learns from."""

    def folder(self, material: Material) -> str:
        """Return where the model lies; refuse one that only reads, or that has too few places."""
        name = self.model or pretrained(material.folder, "causal")
        found = str(locate(name, material.folder, at="synthesis").resolve())
        if writer_of(found) is None:
            raise ProjectError(
                f"`synthesis.model`: {name} only reads. Name one that writes, such as GPT-2, "
                "Llama, Qwen, Gemma, T5 or BART."
            )
        most = (positions(found) - BETWEEN) // 2
        if self.max_tokens > most:
            raise ProjectError(
                f"`synthesis.max_tokens: {self.max_tokens}` is what {name} may read and then write "
                f"at once, and it has places for {positions(found)}. Expected {most} or less."
            )
        return found

    def author(self, material: Material) -> Author:
        """Return the tuned model."""
        return material.once(f"author {self.mark}", lambda: self._tuned(material))

    def _tuned(self, material: Material) -> Author:
        pairs = self.pairs(material)
        count = len({text for _, text in pairs})
        if count < LEAST:
            raise ProjectError(
                f"`synthesis` of kind {self.kind_name()} tunes a model on the texts of labelled "
                f"training records, and found {count} to learn from. Expected {LEAST} or more."
            )
        return material.open_author(self.folder(material), self, pairs)

    def written(
        self, material: Material, asked: Sequence[str], chance: np.random.Generator
    ) -> Iterator[str | None]:
        """Yield what is written of each that is asked, None where it came to no end."""
        author = self.author(material)
        for first in range(0, len(asked), self.batch_records):
            some = asked[first : first + self.batch_records]
            for text, ended in author.write(some, int(chance.integers(1 << 31))):
                self._counts(material)[ended] += 1
                yield text.strip() if ended else None

    def _counts(self, material: Material) -> Counter[bool]:
        return material.once(f"ended {self.mark}", Counter)

    def notes(self, material: Material) -> list[str]:
        """Say which model wrote, how well it had learned to, and what came to no end."""
        author: Author | None = material.memory.get(f"author {self.mark}")
        notes, cut = super().notes(material), self._counts(material)[False]
        if author:
            notes.append(author.note)
        if cut:
            notes.append(
                f"{cut:,} texts of kind {self.kind_name()} came to no end within "
                f"`max_tokens: {self.max_tokens}`, and were left out."
            )
        return notes
