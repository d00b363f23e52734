"""What a text that is written has to obey: a schema, a regex, choices, or terms."""

import json
import re
from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any

from allrounder.errors import MissingExtra

if TYPE_CHECKING:
    from allrounder.tasks.generation import Generation

SETTINGS = ("schema", "regex", "choices", "terms")

PUNCTUATION = frozenset("!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~")

PLACE = re.compile(r"^at \d+\(\d+\): |failed to compile JSON schema: ")
"""What llguidance says of a place in the grammar, which nobody has written."""

BLANK = "BLANK: / /"
"""The first token of a text often writes a blank, which is taken off again."""


def library(setting: str) -> Any:
    """Return llguidance, which knows which tokens may follow.

    Raises:
        MissingExtra: it is not installed.
    """
    try:
        return import_module("llguidance")
    except ImportError as error:
        raise MissingExtra(
            f"Tasks with `{setting}` need llguidance. Try: pip install 'allrounder[forced]'"
        ) from error


def setting(task: "Generation") -> str | None:
    """Return which of the settings a task has."""
    return next((name for name in SETTINGS if getattr(task, name) is not None), None)


def check(task: "Generation") -> None:
    """Refuse settings that do not go together or cannot be read.

    Raises:
        ValueError: there are two, one is empty, or it cannot be compiled.
        MissingExtra: llguidance is not installed.
    """
    given = [f"`{name}`" for name in SETTINGS if getattr(task, name) is not None]
    if len(given) > 1:
        raise ValueError(f"has {' and '.join(given)}: a text obeys one of them. Remove the others.")
    for name in ("choices", "terms"):
        texts = getattr(task, name)
        if texts is not None and not texts:
            raise ValueError(f"has `{name}: []`. Expected at least one text.")
        if bad := [text for text in texts or () if not text.strip() or text != text.strip()]:
            raise ValueError(
                f"has {bad[0]!r} among its `{name}`. Expected texts with no white space around "
                "them."
            )
    if (name := setting(task)) is None:
        return
    refused, said = library(name).LLMatcher.validate_grammar_with_warnings(grammar(task))
    if refused:
        raise ValueError(
            f"has a `{name}` that cannot be followed: {_plain(said[0])}. Got "
            f"{_short(getattr(task, name))}. Write it without that; docs/writing.md says what can "
            "be used."
        )


def grammar(task: "Generation") -> str:
    """Return what a task forces as a grammar in Lark's words, as llguidance reads it."""
    if task.schema is not None:
        dense = {"whitespace_pattern": " ?", **(task.schema.get("x-guidance") or {})}
        body = "%json " + json.dumps({**task.schema, "x-guidance": dense}, ensure_ascii=False)
        return f"start: BLANK? body\n{BLANK}\nbody: {body}"
    if task.terms is not None:
        each = (f"/[\\s\\S]*{_slashed(_escaped(term))}[\\s\\S]*/" for term in task.terms)
        return f"start: ALL\nALL: {' & '.join(each)}"
    return f"start: / ?(?:{_slashed(_regex(task))})/"


def _regex(task: "Generation") -> str:
    if task.regex is not None:
        return _whole(task.regex)
    assert task.choices is not None
    return "|".join(map(_escaped, task.choices))


def _whole(regex: str) -> str:
    """Return a regex without the anchors around it: it stands for the whole text anyway."""
    regex = regex.removeprefix("^")
    return regex[:-1] if regex.endswith("$") and not regex.endswith("\\$") else regex


def _escaped(text: str) -> str:
    signs = (f"\\{sign}" if sign in PUNCTUATION else sign for sign in text)
    return "".join(signs).replace("\n", "\\n").replace("\r", "\\r").replace("\t", "\\t")


def _slashed(regex: str) -> str:
    """Return a regex as it stands between slashes: those in it, and line ends, escaped."""
    found, escaped = [], False
    for sign in regex:
        plain = {"/": "\\/", "\n": "\\n"}.get(sign, sign)
        found.append(sign if escaped and sign != "\n" else plain)
        escaped = sign == "\\" and not escaped
    return "".join(found)


def _plain(said: str) -> str:
    """Return the one line of a message of llguidance that says what is wrong."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    told = next((line for line in lines if line.startswith("error:")), lines[0])
    return PLACE.sub("", told).removeprefix("error:").strip().rstrip(".")


def _short(value: str | Sequence[str] | Mapping[str, Any]) -> str:
    text = repr(value)
    return text if len(text) <= 80 else text[:79] + "…"
