"""What every format of facts shares: the file, and how its words become a fact."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from allrounder.errors import DataError
from allrounder.knowledge.facts import Fact
from allrounder.records.sources.file import File


@dataclass(frozen=True, kw_only=True)
class Reading:
    """One file of facts, being read.

    Args:
        file: where it lies.
        source: who says what stands in it.
        predicates: what predicates of the file are called here, as in ``{"类别": "type"}``.
        language: names in other languages are aliases; None: all are names.
    """

    file: File
    source: str
    predicates: Mapping[str, str] = field(default_factory=dict)
    language: str | None = None

    def predicate(self, word: str) -> str:
        """Return what a predicate of the file is called here."""
        return self.predicates.get(word, word)

    def speaks(self, tag: str | None) -> bool:
        """Return whether a text with this language tag may be a name."""
        return not (self.language and tag) or tag.split("-")[0] == self.language

    def wrong(self, line: int, found: str) -> DataError:
        """Return the error for what was found in a line."""
        return DataError(f"{self.file.at(line)}: {found}")

    def word(self, value: Any, line: int, what: str) -> str:
        """Return a text that is not empty, white space around it taken off."""
        if not isinstance(value, str):
            raise self.wrong(line, f"{what} must be a text. Found {value!r}: put it in quotes.")
        text = value.strip()
        if not text:
            raise self.wrong(line, f"expected {what}, found nothing. Fill it in or drop the line.")
        if any("\ud800" <= character <= "\udfff" for character in text):
            raise self.wrong(
                line, f"{what} holds half a character. Found {text!r}: write it whole."
            )
        return text

    def day(self, value: Any, line: int, what: str) -> date | None:
        """Return a date, or None where nothing is written."""
        if value is None or value == "":
            return None
        try:
            return datetime.fromisoformat(value.strip()).date()
        except (ValueError, AttributeError):
            raise self.wrong(
                line, f"`{what}` must be a date such as 2026-11-30. Found {value!r}."
            ) from None

    def confidence(self, value: Any, line: int, what: str = "confidence") -> float:
        """Return a number from 0 to 1; nothing written stands for 1."""
        if value is None or value == "":
            return 1.0
        try:
            number = float(value)
        except (TypeError, ValueError):
            number = -1.0
        if not 0 <= number <= 1:
            raise self.wrong(line, f"`{what}` must be a number from 0 to 1. Found {value!r}.")
        return number

    def checked(self, fact: Fact, line: int) -> Fact:
        """Return a fact that can be valid on some day."""
        if fact.valid_from and fact.valid_to and fact.valid_to <= fact.valid_from:
            raise self.wrong(
                line,
                f"`valid_to` must be after `valid_from`. Found {fact.valid_from} to "
                f"{fact.valid_to}: swap them, or leave one out.",
            )
        return fact
