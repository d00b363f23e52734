"""Facts that an encoder reads beside the texts of one input."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from allrounder.encoders import Text, Tokens
from allrounder.encoders.branches import Branch
from allrounder.injection import Reading
from allrounder.knowledge import Linked
from allrounder.model.knowing import Knowing
from allrounder.model.lending import Hidden

NOTHING: Hidden = {}


@dataclass
class Woven:
    """What is read beside each text of an input.

    Args:
        knowing: what is known.
        name: the input.
        encoder: its encoder.
        tokens: the tokens of every row.
        linked: the mentions of every row.
        known: the tokens of what was said before.
    """

    knowing: Knowing
    name: str
    encoder: Text
    tokens: Tokens
    linked: Linked
    known: dict[str, np.ndarray] = field(default_factory=dict)

    def branches(self, rows: np.ndarray, hidden: Hidden = NOTHING) -> list[list[Branch]]:
        """Return what is offered beside some rows; not all of it need fit.

        Args:
            rows: the rows, all of which have the input.
            hidden: by row, what is kept back.
        """
        found: list[list[Branch]] = [[] for _ in rows]
        for each in self.knowing.on(self.name, Reading):
            said = self.knowing.branches(each, self.linked, self.tokens, rows, hidden=hidden)
            words = self._words([one.text for some in said for one in some])
            for branches, some in zip(found, said, strict=True):
                branches += [Branch(words[one.text], one.anchor) for one in some]
        return found

    def _words(self, texts: list[str]) -> Mapping[str, np.ndarray]:
        fresh = [text for text in dict.fromkeys(texts) if text not in self.known]
        if fresh:
            self.known |= dict(zip(fresh, self.encoder.words(fresh), strict=True))
        return self.known

    @cached_property
    def _mentioning(self) -> np.ndarray:
        """The rows that mention anything, rising."""
        return np.flatnonzero(
            (np.diff(self.linked.mentions.starts) > 0) & (self.tokens.lengths > 0)
        )

    @cached_property
    def _all(self) -> dict[int, list[Branch]]:
        """By row that mentions anything, what is offered beside it."""
        rows = self._mentioning
        return dict(zip(rows.tolist(), self.branches(rows), strict=True))

    def num_read(self, whole: np.ndarray) -> np.ndarray:
        """Return how many tokens are read beside each row, of which `whole` are read whole."""
        read = np.zeros(len(self.tokens), np.int64)
        for row, branches in self._all.items():
            some = self.encoder.fitting(self.tokens, row, branches, whole=bool(whole[row]))
            read[row] = sum(len(one.ids) for one in some)
        return read

    def keys(self, rows: np.ndarray) -> list[bytes]:
        """Return 16 bytes for what is offered beside each of some rows."""
        return [self._key(self._all.get(int(row), [])) for row in rows]

    def _key(self, branches: list[Branch]) -> bytes:
        digest = hashlib.blake2b(digest_size=16)
        for one in branches:
            digest.update(repr((one.anchor, len(one.ids))).encode())
            digest.update(one.ids.tobytes())
        return digest.digest()
