"""Text without pretrained weights: hashed words and one convolution."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar
from zlib import crc32

import numpy as np
import pyarrow as pa

from allrounder.encoders.base import Encoder
from allrounder.encoders.tokens import Tokens, tokenized
from allrounder.encoders.vocabulary import WORD
from allrounder.encoders.windows import windowed_lengths
from allrounder.lazy import lazy

if TYPE_CHECKING:
    from allrounder.encoders import batches, convolution, modules
else:
    batches = lazy("allrounder.encoders.batches")
    convolution = lazy("allrounder.encoders.convolution")


@dataclass(kw_only=True)
class Hashing(Encoder):
    """Words by their hash: no pretrained weights, nothing to download.

    A stand-in for a real encoder in tests, and an honest baseline beside one.

    Args:
        fields: the columns that the input reads, one or a pair; by default the input's own name.
        width: width of the vectors.
        buckets: rows of the embedding table; words whose hashes meet share one.
        max_tokens: longer texts are cut.
    """

    needs_all: ClassVar[bool] = True

    width: int = 64
    buckets: int = 16_384
    max_tokens: int = 512

    @property
    def reach(self) -> int:
        """The most words that are read at once."""
        return self.max_tokens

    def prepare(self, values: Sequence[pa.Array], *, cache: Path | None = None) -> Tokens:
        """Hash the words of every row."""
        mark = f"hashing {self.buckets} {len(values)}"
        return tokenized(values, self._tokenize, fingerprint=mark, cache=cache)

    def _tokenize(self, columns: Sequence[pa.Array]) -> pa.RecordBatch:
        rows = [self._row(texts) for texts in zip(*(c.to_pylist() for c in columns), strict=True)]
        return pa.record_batch(
            {
                "ids": pa.array([ids for ids, _ in rows], pa.list_(pa.int32())),
                "offsets": pa.array([spots for _, spots in rows], pa.list_(pa.int32())),
                "full": pa.array([len(ids) for ids, _ in rows], pa.int32()),
            }
        )

    def _row(self, texts: tuple[str | None, ...]) -> tuple[list[int], list[int]]:
        """Return the number of each word, and start and end of each word in turn.

        Words of the second text of a pair are hashed apart from those of the first.
        """
        ids: list[int] = []
        spots: list[int] = []
        if any(text is None for text in texts):
            return ids, spots
        for side, text in enumerate(texts):
            for word in WORD.finditer(text or ""):
                ids.append(1 + crc32(word[0].lower().encode(), side) % (self.buckets - 1))
                spots += word.span()
        return ids, spots

    def length(self, tokens: Tokens, whole: np.ndarray) -> np.ndarray:
        """Return how many words of each row are read, those in two windows twice."""
        return windowed_lengths(tokens.lengths, whole, room=self.max_tokens, extra=0)

    def collate(self, tokens: Tokens, rows: Sequence[int], whole: Sequence[bool]) -> Any:
        """Return padded word numbers; a row wanted whole takes several windows if too long."""
        return batches.singles(tokens, rows, whole, reach=self.max_tokens, around=((), ()), pad=0)

    def module(self) -> "modules.Encoding":
        """Build the embedding table and the convolution, at random."""
        return convolution.Convolution(self)
