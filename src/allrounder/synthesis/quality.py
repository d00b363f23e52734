"""What is wrong with a made text, as far as it shows without a model."""

from collections import Counter

from allrounder.synthesis.edits import words_of

MOST_OFTEN = 0.5
"""The share of its words that may be one and the same."""

LEAST_LETTERS = 0.5
"""The share of letters, beside that of its parent."""

SHORT = 24
"""Characters up to which a text may be of any length: a ratio says little of a few words."""


def fault(text: str, parent: str, stretch: float) -> str | None:
    """Return what is wrong with a made text, or None.

    Args:
        text: what was made.
        parent: what it was made from, which may have such faults too.
        stretch: how many times longer or shorter than its parent it may be.
    """
    if not any(char.isalnum() for char in text):
        return "no letters"
    if len(text) > max(SHORT, stretch * len(parent)):
        return "too long"
    if len(parent) > max(SHORT, stretch * len(text)):
        return "too short"
    if _letters(text) < LEAST_LETTERS * _letters(parent):
        return "hardly letters"
    if _repeated(text) > max(MOST_OFTEN, _repeated(parent)):
        return "repeats itself"
    return None


def _letters(text: str) -> float:
    shown = [char for char in text if not char.isspace()]
    return sum(char.isalnum() for char in shown) / max(len(shown), 1)


def _repeated(text: str) -> float:
    """Return the share of the commonest word, 0 for a few words."""
    words = [text[word.start : word.end].casefold() for word in words_of(text)]
    return max(Counter(words).values()) / len(words) if len(words) > 4 else 0.0
