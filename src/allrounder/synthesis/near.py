"""Which texts are like which: common stretches of characters, found without comparing all pairs.

A text is the set of its stretches of 5 characters, of 2 in scripts that put no spaces between
words; case, width, accents on their own and punctuation are made alike. If A holds a share t of
the stretches of B, it holds one of any ⌊(1 - t) · |B|⌋ + 1 of them: so only the rarest of each
text are looked for (prefix filtering, Chaudhuri et al. 2006). What is found so is compared
exactly. The work grows with how often rare stretches are shared, not with the number of pairs.
"""

import unicodedata
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import groupby
from typing import TYPE_CHECKING, Any

import numpy as np

from allrounder.lazy import lazy
from allrounder.tasks.words import is_inside_word

if TYPE_CHECKING:
    from scipy import sparse
    from sklearn.feature_extraction import text as extraction
else:
    sparse, extraction = lazy("scipy.sparse"), lazy("sklearn.feature_extraction.text")

SIZE, SIZE_UNSPACED = 5, 2
COLUMNS = 1 << 20
"""Stretches are told apart by a hash: two that fall together can only make texts more alike."""

LONG = 40
"""Stretches in common from which one text holding another counts: a few words stand in many."""

CHUNK = 1 << 16
"""Pairs that are compared at a time."""


def plain(text: str) -> str:
    """Return a text without case, width, marks and punctuation, one space between words."""
    kept = (
        c if c.isalnum() else " "
        for c in unicodedata.normalize("NFKD", text.casefold())
        if unicodedata.category(c) != "Mn"
    )  # fmt: skip
    return " ".join("".join(kept).split())


def grams(text: str) -> Iterator[str]:
    """Yield the stretches of a text, some of them more than once."""
    for unspaced, run in groupby(plain(text), _is_unspaced):
        piece = "".join(run).strip()
        size = SIZE_UNSPACED if unspaced else SIZE
        if piece:
            yield from (piece[at : at + size] for at in range(max(1, len(piece) - size + 1)))


@lru_cache(maxsize=1 << 14)
def _is_unspaced(char: str) -> bool:
    return char != " " and not is_inside_word(2 * char, 1)


class Index:
    """Texts that others are held against.

    Args:
        texts: the texts.
        similarity: the share of common stretches from which two texts are alike.
    """

    def __init__(self, texts: Sequence[str], similarity: float) -> None:
        self.similarity = similarity
        self._reader = extraction.HashingVectorizer(
            analyzer=grams, n_features=COLUMNS, binary=True, norm=None, alternate_sign=False,
            dtype=np.float32,
        )  # fmt: skip
        self._whole = self._read(texts)
        frequency = self._whole.getnnz(axis=0)
        self._rank = np.empty(COLUMNS, np.int64)
        self._rank[np.argsort(frequency, kind="stable")] = np.arange(COLUMNS)
        self._sizes = self._whole.getnnz(axis=1)
        self._by_whole, self._by_rare = self._whole.T.tocsr(), self._rare(self._whole).T.tocsr()

    def _read(self, texts: Sequence[str]) -> Any:
        if not len(texts):
            return sparse.csr_matrix((0, COLUMNS), dtype=np.float32)
        return self._reader.transform(texts).tocsr()

    def _rare(self, whole: Any) -> Any:
        """Return the rarest stretches of every text, so many that one is shared with its like."""
        rows = np.repeat(np.arange(whole.shape[0]), np.diff(whole.indptr))
        order = np.lexsort((self._rank[whole.indices], rows))
        place = np.arange(len(rows)) - whole.indptr[rows]
        sizes = whole.getnnz(axis=1)
        few = sizes - np.ceil(self.similarity * sizes - 1e-9).astype(np.int64) + 1
        kept = order[place < few[rows]]
        ones = np.ones(len(kept), np.float32)
        return sparse.csr_matrix((ones, (rows[kept], whole.indices[kept])), shape=whole.shape)

    def alike(self, texts: Sequence[str], *, either: bool) -> list[np.ndarray]:
        """Return for each text the places of those in the index that it is like.

        Two texts are alike that have the share `similarity` of all their stretches in common
        (Jaccard).

        Args:
            texts: the texts.
            either: whether one holding that share of the other is enough, too, where they have
                `LONG` stretches in common.
        """
        asked = self._read(texts)
        found = asked @ self._by_rare + self._rare(asked) @ self._by_whole
        mine, theirs = found.nonzero()
        common = self._common(asked, mine, theirs)
        sizes = asked.getnnz(axis=1)[mine], self._sizes[theirs]
        hit = common >= self.similarity * (sizes[0] + sizes[1] - common) - 1e-9
        if either:
            hit |= (common >= self.similarity * np.minimum(*sizes) - 1e-9) & (common >= LONG)
        order = np.argsort(mine[hit], kind="stable")
        mine, theirs = mine[hit][order], theirs[hit][order]
        return np.split(theirs, np.searchsorted(mine, np.arange(1, len(texts))))

    def _common(self, asked: Any, mine: np.ndarray, theirs: np.ndarray) -> np.ndarray:
        """Return how many stretches the texts of each pair share."""
        parts = [np.zeros(0)]
        for start in range(0, len(mine), CHUNK):
            a, b = asked[mine[start : start + CHUNK]], self._whole[theirs[start : start + CHUNK]]
            parts.append(np.asarray(a.multiply(b).sum(axis=1)).ravel())
        return np.concatenate(parts)
