"""What a rule finds in a text: patterns in linear time, phrases that stand alone, lists of them."""

from collections.abc import Iterable
from typing import Any

from allrounder.errors import MissingExtra, ProjectError


def compiled(pattern: str, flags: str, *, where: str) -> Any:
    """Return a pattern that takes time linear in the text, whatever both are (RE2).

    Args:
        pattern: the pattern.
        flags: `i` ignores case.
        where: rule and column, for the sentence about a pattern that is refused.
    """
    try:
        import re2
    except ImportError:
        raise MissingExtra(
            "Rules with `matches` need google-re2. Try: pip install 'allrounder[rules]'"
        ) from None
    options = re2.Options()
    options.log_errors = False
    options.case_sensitive = "i" not in flags
    try:
        return re2.compile(pattern, options)
    except re2.error as error:
        raise ProjectError(
            f"{where}: expected a pattern that is matched in linear time, found /{pattern}/ "
            f"({_plain(error)}). Back-references and looking around are not among these: say it in "
            "several rules."
        ) from None


def _plain(error: Exception) -> str:
    cause = error.args[0] if error.args else ""
    return cause.decode("utf-8", "replace") if isinstance(cause, bytes) else str(cause)


def has_phrase(text: str, phrases: Iterable[str]) -> bool:
    """Return whether one of the phrases stands in the text: whole words, in any case of letters."""
    low = text.casefold()
    return any(_stands_in(low, phrase.casefold()) for phrase in phrases)


class Lexicon:
    """Many phrases, found as `has_phrase` finds them: by the two characters they begin with.

    Args:
        phrases: the phrases.
    """

    def __init__(self, phrases: Iterable[str]) -> None:
        self.beginning: dict[str, list[str]] = {}
        for phrase in sorted({phrase.casefold() for phrase in phrases}):
            self.beginning.setdefault(phrase[:2], []).append(phrase)

    def is_in(self, text: str) -> bool:
        """Return whether one of the phrases stands in the text."""
        low = text.casefold()
        starts = ((at, low[at : at + size]) for at in range(len(low)) for size in (1, 2))
        return any(
            _stands_at(low, phrase, at)
            for at, two in starts
            for phrase in self.beginning.get(two, ())
        )


def _stands_at(text: str, phrase: str, at: int) -> bool:
    """Return whether a phrase stands alone in the text at a place."""
    end = at + len(phrase)
    return (
        text.startswith(phrase, at)
        and not _one_word(text[at - 1 : at], phrase[:1])
        and not _one_word(phrase[-1:], text[end : end + 1])
    )


def _stands_in(text: str, phrase: str) -> bool:
    at = text.find(phrase)
    while at >= 0:
        if _stands_at(text, phrase, at):
            return True
        at = text.find(phrase, at + 1)
    return False


def _one_word(left: str, right: str) -> bool:
    """Return whether two neighbours belong to one word; Chinese and Thai put no spaces there."""
    return _is_letter(left) and _is_letter(right)


def _is_letter(char: str) -> bool:
    return char.isalnum() and char < "\u2e80" and not "\u0e00" <= char <= "\u0eff"
