"""Changes of a text that leave the spans in it alone, and carry their offsets along.

Offsets count code points. Letters and digits in a row are a word; every Han character, kana or
Thai letter is one by itself.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from allrounder.tasks.words import is_inside_word

APOSTROPHES = "'’"


class Word(NamedTuple):
    """Where a word stands in a text."""

    start: int
    end: int


class Edit(NamedTuple):
    """A stretch of a text and what takes its place."""

    start: int
    end: int
    text: str


def words_of(text: str) -> list[Word]:
    """Return the words of a text in order; an apostrophe between letters is inside a word."""
    words, start = [], 0
    for at in range(1, len(text) + 1):
        if at < len(text) and (is_inside_word(text, at) or _is_joined(text, at)):
            continue
        if text[start].isalnum():
            words.append(Word(start, at))
        start = at
    return words


def _is_joined(text: str, at: int) -> bool:
    """Return whether an apostrophe between two letters of one word stands before or after."""
    for mark in (at - 1, at):
        around = text[max(mark - 1, 0) : mark] + text[mark + 1 : mark + 2]
        if text[mark] in APOSTROPHES and len(around) == 2 and is_inside_word(around, 1):
            return True
    return False


def stands_alone(text: str, word: Word) -> bool:
    """Return whether a word is a character of a script that puts no spaces between words."""
    return word.end - word.start == 1 and not is_inside_word(2 * text[word.start], 1)


def free_words(text: str, spans: Sequence[Mapping[str, Any]]) -> list[Word]:
    """Return the words that no span touches."""
    return [word for word in words_of(text) if is_free(word.start, word.end, spans)]


def is_free(start: int, end: int, spans: Sequence[Mapping[str, Any]]) -> bool:
    """Return whether a stretch may be changed; an empty one may stand at the edge of a span."""
    if start == end:
        return all(start <= span["start"] or start >= span["end"] for span in spans)
    return all(end <= span["start"] or start >= span["end"] for span in spans)


def edited(
    text: str, edits: Sequence[Edit], spans: Sequence[Mapping[str, Any]]
) -> tuple[str, list[dict[str, Any]]] | None:
    """Return a text with changes made, and its spans where they stand then.

    Args:
        text: the text.
        edits: what is changed, no two of them at one place, none inside a span.
        spans: stretches of the text, with labels.

    Returns:
        None where a span would begin or end inside a word that it did not before.
    """
    edits = sorted(edits)
    parts, at = [], 0
    for edit in edits:
        parts += [text[at : edit.start], edit.text]
        at = edit.end
    changed = "".join([*parts, text[at:]])
    moved = [_moved(span, edits) for span in spans]
    for old, new in zip(spans, moved, strict=True):
        for edge in ("start", "end"):
            if is_inside_word(changed, new[edge]) and not is_inside_word(text, old[edge]):
                return None
    return changed, moved


def _moved(span: Mapping[str, Any], edits: Sequence[Edit]) -> dict[str, Any]:
    """Return a span moved by all that was changed before it."""
    before = [edit for edit in edits if edit.end <= span["start"]]
    by = sum(len(edit.text) - (edit.end - edit.start) for edit in before)
    return {**span, "start": span["start"] + by, "end": span["end"] + by}
