"""Spellings made alike without losing the place of a character.

Case, width and compatibility forms (NFKC), diacritics of European scripts and runs of whitespace
are folded. Most characters fold to one; where one becomes several, or several become one, the
places of all characters are kept.
"""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from functools import cache
from typing import NamedTuple

import numpy as np

from allrounder.knowledge.hashing import code_points

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
_AFTER = "\u0300-\u036f\u3099\u309a\uff9e\uff9f"
_IRREGULAR = re.compile(f"[{_AFTER}\u1160-\u11ff]")
_PIECE = re.compile(
    r"\s+|[\u1100-\u115f][\u1160-\u11a7][\u11a8-\u11ff]?|[\uac00-\ud7a3][\u11a8-\u11ff]"
    f"|[^\\s{_AFTER}][{_AFTER}]+|.",
    re.DOTALL,
)

BLANK, SIGN, LETTER, JOINED_MARK = range(4)
"""What a character is to the search for aliases."""


@cache
def characters() -> np.ndarray:
    """Return for every code point what it is; computed once."""
    every = "".join(map(chr, range(0x110000)))
    found = np.full(len(every), SIGN, np.uint8)
    patterns = {r"[\s\0]+": BLANK, f"{WORD}+": LETTER, f"[{JOINED}]+": JOINED_MARK}
    for pattern, kind in patterns.items():
        for run in re.finditer(pattern, every):
            found[run.start() : run.end()] = kind
    return found


UNKNOWN, IRREGULAR = 0xFFFFFFFF, 0xFFFFFFFE
"""Marks in the table of a `Folding`: not met yet; does not fold to one character by itself."""


class Folded(NamedTuple):
    """Texts, folded, one behind the other with a NUL behind each.

    Args:
        codes: code points.
        begins: where each text begins in `codes`.
        places: by the number of a text in which characters moved: where each folded character
            begins in the original, and at last the length of the original; -1 for all but the
            first character that came of one.
    """

    codes: np.ndarray
    begins: np.ndarray
    places: dict[int, np.ndarray]

    def original(
        self, starts: np.ndarray, ends: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return the text of each stretch, and the stretch in places of the original."""
        texts = np.searchsorted(self.begins, starts, "right") - 1
        starts, ends = starts - self.begins[texts], ends - self.begins[texts]
        for text, places in self.places.items():
            span = slice(*np.searchsorted(texts, [text, text + 1]))
            starts[span], ends[span] = places[starts[span]], places[ends[span]]
        return texts, starts, ends

    def inside(self) -> list[np.ndarray]:
        """Return the places in `codes` that lie within what came of one character."""
        return [self.begins[text] + np.flatnonzero(p < 0) for text, p in self.places.items()]


class Folding:
    """How characters fold; a table that fills as they are met."""

    def __init__(self) -> None:
        self._table = np.full(0x110000, UNKNOWN, np.uint32)
        self._folds = _Folds()

    def __call__(self, texts: Sequence[str]) -> Folded:
        """Return the texts folded."""
        raw = code_points("\0".join([*texts, ""]))
        codes = self._one_by_one(raw)
        odd = codes == IRREGULAR
        odd[1:] |= (codes[1:] == BLANKS) & (codes[:-1] == BLANKS)
        lengths = np.fromiter(map(len, texts), np.int64, len(texts)) + 1
        begins = np.cumsum(lengths) - lengths
        moved = {}
        for i in np.unique(np.searchsorted(begins, np.flatnonzero(odd), "right") - 1).tolist():
            span = slice(begins[i], begins[i] + lengths[i])
            moved[i] = self._moved(texts[i], codes[span], np.flatnonzero(odd[span]).tolist())
        return _spliced(codes, begins, moved) if moved else Folded(codes, begins, {})

    def _one_by_one(self, raw: np.ndarray) -> np.ndarray:
        codes = self._table[raw]
        unknown = codes == UNKNOWN
        if unknown.any():
            for code in np.unique(raw[unknown]).tolist():
                fold = self._folds[chr(code)]
                regular = len(fold) == 1 and not _IRREGULAR.match(chr(code))
                self._table[code] = ord(fold) if regular else IRREGULAR
            codes = self._table[raw]
        return codes

    def _moved(
        self, text: str, codes: np.ndarray, odd: Sequence[int]
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the code points of a text of which some do not stay one, and where each was."""
        parts, places, before = [], [], 0
        for start, end in _clusters(text, odd):
            fold = code_points(self._folds[text[start:end]])
            parts += [codes[before:start], fold]
            places += [np.arange(before, start), np.full(len(fold), -1)]
            places[-1][:1] = start
            before = end
        places.append(np.arange(before, len(codes)))
        return np.concatenate([*parts, codes[before:]]), np.concatenate(places)


def _clusters(text: str, odd: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Yield the stretches that fold together around characters that do not fold by themselves."""
    behind = 0
    for place in odd:
        if place >= behind:
            piece = _PIECE.match(text, max(place - 1, behind))
            if piece.end() <= place:
                piece = _PIECE.match(text, place)
            behind = piece.end()
            yield piece.span()


class _Folds(dict):
    """What pieces fold to; single characters are remembered."""

    def __missing__(self, piece: str) -> str:
        """Return what a piece folds to."""
        fold = _fold(piece)
        if len(piece) == 1:
            self[piece] = fold
        return fold


BLANKS = ord(" ")


def folded(text: str) -> str:
    """Return one text folded."""
    return "".join(map(_fold, _PIECE.findall(text)))


def _fold(piece: str) -> str:
    """Return a character, or a letter with its marks, folded."""
    if piece.isspace():
        return " "
    plain = unicodedata.normalize("NFKD", piece)
    plain = unicodedata.normalize("NFKC", _ACCENTS.sub("", plain).casefold())
    plain = _ACCENTS.sub("", plain)
    return piece if plain.isspace() else plain  # an accent by itself is a sign


def _spliced(
    codes: np.ndarray, begins: np.ndarray, moved: dict[int, tuple[np.ndarray, np.ndarray]]
) -> Folded:
    """Return texts in which some are replaced by what is in `moved`."""
    parts, before = [], 0
    bounds = np.append(begins, len(codes))
    lengths = np.diff(bounds)
    for text, (new, _) in moved.items():
        parts += [codes[before : bounds[text]], new]
        before = bounds[text + 1]
        lengths[text] = len(new)
    whole = np.concatenate([*parts, codes[before:]])
    places = {text: places for text, (_, places) in moved.items()}
    return Folded(whole, np.cumsum(lengths) - lengths, places)
