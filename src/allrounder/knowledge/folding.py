"""Spellings made alike without losing the place of a character.

Case, width and compatibility forms (NFKC), diacritics of European scripts and runs of whitespace
are folded. Most characters fold to one; where one becomes several, or several become one, the
places of all characters are kept.
"""

import re
import unicodedata
from typing import NamedTuple

import numpy as np

UNSPACED = (
    "\u0e00-\u0eff\u1000-\u109f\u1100-\u11ff\u1780-\u17ff\u2e80-\u2fdf\u3005-\u3007\u3021-\u3035"
    "\u3038-\u303c\u3041-\u31ff\u3400-\u4dbf\u4e00-\u9fff\ua960-\ua97f\uac00-\ud7ff\uf900-\ufaff"
    "\uff66-\uff9f\U00016fe0-\U00018aff\U0001aff0-\U0001b2ff\U00020000-\U0003ffff"
)
"""Chinese, Japanese, Korean, Thai, Lao, Burmese, Khmer: a word may begin at any character."""

MARKS = (
    "\u0300-\u036f\u0483-\u0489\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5\u0610-\u061a"
    "\u064b-\u065f\u0670\u06d6-\u06dc\u06df-\u06e8\u06ea-\u06ed\u0900-\u0903\u093a-\u094f"
    "\u0951-\u0963\u0981-\u0dff\u0f71-\u0f87\u200c\u200d"
)
"""Vowel signs, points and accents that belong to the letter before them."""

JOINED = (
    "\u0e31\u0e34-\u0e3a\u0e47-\u0e4e\u0eb1\u0eb4-\u0ebc\u0ec8-\u0ecd\u102b-\u103e\u17b6-\u17d3"
    "\u3099\u309a"
)
"""Vowel signs and tone marks of scripts without spaces, which stay with what stands before."""

WORD = f"(?:[^\\W{UNSPACED}]|[{MARKS}])"
"""One character of a word in a script that sets words apart."""

_ACCENTS = re.compile("[\u0300-\u036f]")
_CLUSTER = re.compile(
    r"\s{2,}"
    "|[\u1100-\u115f][\u1160-\u11a7][\u11a8-\u11ff]?"
    "|[\uac00-\ud7a3][\u11a8-\u11ff]"
    "|[^\\s\u0300-\u036f\u3099\u309a\uff9e\uff9f][\u0300-\u036f\u3099\u309a\uff9e\uff9f]+"
)
_IRREGULAR = re.compile("\\s{2}|[\u0300-\u036f\u3099\u309a\uff9e\uff9f\u1160-\u11ff]")


class Folded(NamedTuple):
    """A text, folded.

    Args:
        text: the folded text.
        starts: where each of its characters begins in the original, and at last the length of the
            original; -1 for all but the first character that came of one. None: nothing moved.
    """

    text: str
    starts: np.ndarray | None

    def original(self, start: int, end: int) -> tuple[int, int]:
        """Return a stretch of the folded text in places of the original."""
        if self.starts is None:
            return start, end
        return int(self.starts[start]), int(self.starts[end])

    def splits(self, place: int) -> bool:
        """Return whether `place` lies within what came of one character."""
        return self.starts is not None and self.starts[place] < 0


class Folding(dict):
    """How each character folds; it fills as characters are met."""

    def __missing__(self, piece: str) -> str:
        """Fold a character, or a letter with its marks."""
        plain = unicodedata.normalize("NFKD", piece)
        plain = unicodedata.normalize("NFKC", _ACCENTS.sub("", plain).casefold())
        found = " " if piece.isspace() else _ACCENTS.sub("", plain)
        if len(piece) == 1:
            self[piece] = found
        return found

    def __call__(self, text: str) -> Folded:
        """Return the text folded."""
        if text.isascii() and not _IRREGULAR.search(text):
            return Folded(text.lower() if text.isprintable() else self._one_by_one(text), None)
        if _IRREGULAR.search(text):
            return self._moved(_pieces(text))
        folds = [self[character] for character in text]
        whole = "".join(folds)
        if len(whole) == len(text) and "" not in folds:
            return Folded(whole, None)
        return self._moved(list(text))

    def _one_by_one(self, text: str) -> str:
        return "".join([self[character] for character in text])

    def _moved(self, pieces: list[str]) -> Folded:
        folds = [self[piece] for piece in pieces]
        begins = np.cumsum([0, *map(len, pieces)])
        lengths = np.array([*map(len, folds), 1])
        starts = np.full(lengths.sum(), -1)
        places = np.cumsum(lengths) - lengths
        filled = lengths > 0
        starts[places[filled]] = begins[filled]
        return Folded("".join(folds), starts)


def _pieces(text: str) -> list[str]:
    """Return the text cut into characters, and letters with their marks."""
    pieces, place = [], 0
    for match in _CLUSTER.finditer(text):
        pieces += text[place : match.start()]
        pieces.append(match[0])
        place = match.end()
    return pieces + list(text[place:])
