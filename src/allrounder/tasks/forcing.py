"""What a text that is written has to be: one of some texts, of a pattern, with some words."""

import json
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from allrounder.errors import ProjectError
from allrounder.kinds import CLOSED
from allrounder.lazy import lazy

if TYPE_CHECKING:
    import llguidance
else:
    llguidance = lazy("llguidance")

KEYS = ("choices", "terms", "regex", "schema")


@dataclass(kw_only=True)
class Force:
    """What every text that comes to its end has to be; one of these.

    Args:
        choices: one of these texts.
        terms: a text in which all of these stand, in any order.
        regex: a text that a regular expression fits as a whole, in the syntax of Rust's `regex`.
        schema: JSON that follows a JSON schema, written without spaces to spare.
    """

    __pydantic_config__ = CLOSED

    choices: list[str] | None = None
    terms: list[str] | None = None
    regex: str | None = None
    schema: dict[str, Any] | None = None

    def __post_init__(self) -> None:
        given = [name for name in KEYS if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError(
                f"names {' and '.join(given) or 'nothing'}. Expected one of {', '.join(KEYS)}."
            )
        for name in ("choices", "terms"):
            texts = getattr(self, name)
            if texts is not None and not all(text.strip() for text in texts or [""]):
                raise ValueError(f"has `{name}: {texts}`. Expected texts, none of them empty.")
        if find_spec("llguidance") is None:
            raise ProjectError(
                "`force` needs a library that is not installed. Try: pip install "
                "'allrounder[forced]'"
            )
        wrong = llguidance.LLMatcher.validate_grammar(self.grammar())
        if wrong:
            said = " ".join(wrong.split())[:200]
            raise ValueError(f"has a `{given[0]}` that cannot be followed: {said}")

    def grammar(self) -> str:
        """Return the grammar of such texts."""
        matcher = llguidance.LLMatcher
        if self.schema is not None:
            tight = {"whitespace_flexible": False}
            return matcher.grammar_from_json_schema(json.dumps(self.schema), tight)
        if self.regex is not None:
            return matcher.grammar_from_regex(self.regex)
        if self.choices is not None:
            told = (json.dumps(text, ensure_ascii=False) for text in self.choices)
            return matcher.grammar_from_lark(f"start: {' | '.join(told)}")
        found = (f"/[\\s\\S]*{_escaped(term)}[\\s\\S]*/" for term in self.terms or [])
        return matcher.grammar_from_lark(f"start: ALL\nALL: {' & '.join(found)}")


def _escaped(term: str) -> str:
    """Return a term as a regular expression between slashes."""
    return "".join(c if c.isalnum() or ord(c) > 127 else f"\\x{ord(c):02x}" for c in term)
