"""Rules as a file holds them: what each says, how much it weighs, since when, and its tests."""

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import yaml

from allrounder.documents import Strict
from allrounder.errors import ProjectError, did_you_mean, listed
from allrounder.kinds import CLOSED, build, dump
from allrounder.rules.parser import parse
from allrounder.rules.syntax import Exists, Expression, swapped

DAY, LAST = timedelta(days=1), date.max
SECTIONS = ("version", "lexicons", "rules")


@dataclass(kw_only=True)
class Case:
    """One test of a rule: whether it holds for a record with these inputs and answers.

    Args:
        given: values by input field, answers by task; spans as `{text, label}`.
        holds: whether the rule holds then.
        facts: triples (subject, predicate, object) that are all that is known meanwhile; by default
            what the knowledge base of the project knows.
    """

    __pydantic_config__ = CLOSED

    given: dict[str, Any]
    holds: bool
    facts: list[tuple[str, str, str]] | None = None


@dataclass(kw_only=True)
class Rule:
    """One rule.

    Args:
        id: its name in answers and reports.
        says: the rule itself, such as `intent = refund => urgency != low`.
        soft: what breaking it costs: that an answer becomes e^soft times likelier pays for it. A
            rule without is hard: no answer breaks it.
        priority: of hard rules that no answer can follow at once, those of lower priority give way.
        version: of this rule, for the record.
        decodes: whether answers follow it; false for a rule that only votes.
        owner: who answers for it.
        valid_from: the first day on which it holds.
        valid_to: the last one.
        tests: cases that it is tried on.
    """

    __pydantic_config__ = CLOSED

    id: str
    says: str
    soft: float | None = None
    priority: int = 0
    decodes: bool = True
    version: str = "1"
    owner: str = ""
    valid_from: date | None = None
    valid_to: date | None = None
    tests: list[Case] = field(default_factory=list)

    def __post_init__(self) -> None:
        if self.soft is not None and not 0 < self.soft < 1e6:
            raise ValueError(f"needs a weight above 0 in `soft`. Got {self.soft!r}.")
        if self.valid_from and self.valid_to and self.valid_to < self.valid_from:
            raise ValueError(
                f"is valid from {self.valid_from} to {self.valid_to}, which is before."
            )

    @property
    def is_hard(self) -> bool:
        """Whether no answer may break it."""
        return self.soft is None

    @property
    def title(self) -> str:
        """What the rule is called in a sentence."""
        return f"Rule {self.id!r}"

    @cached_property
    def tree(self) -> Expression:
        """What the rule says, read."""
        return parse(self.says, rule=self.title)

    def discounting(self, leaf: Exists, texts: tuple[str, ...]) -> Self:
        """Return the rule as it would be if spans with these texts did not make a leaf hold."""
        found = replace(self)
        found.tree = swapped(self.tree, leaf, replace(leaf, but=leaf.but | {texts}))
        return found

    def holds_on(self, day: date) -> bool:
        """Return whether the rule is valid on a day."""
        return (self.valid_from or day) <= day <= (self.valid_to or day)


@dataclass(kw_only=True)
class Rules:
    """All rules of a project, in the order of the file.

    Args:
        rules: the rules.
        lexicons: lists of phrases by name.
        version: of the whole file.
    """

    rules: list[Rule]
    lexicons: dict[str, list[str]] = field(default_factory=dict)
    version: str = ""

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read a file of rules; the lists of words that it names lie beside it.

        Raises:
            ProjectError: the file is not there, is not YAML, or a rule cannot be read.
        """
        try:
            found = yaml.load(path.read_text(encoding="utf-8-sig"), _Loader)
        except OSError as error:
            raise ProjectError(f"{path} cannot be read: {error.strerror}.") from None
        except (yaml.YAMLError, UnicodeDecodeError) as error:
            raise ProjectError(f"{path} is not YAML: {' '.join(str(error).split())}.") from None
        return cls.of(found, folder=path.parent, name=path.name)

    @classmethod
    def of(cls, content: Any, *, folder: Path = Path(), name: str = "rules") -> Self:
        """Return the rules that a list, or a mapping with `rules`, describes.

        Args:
            content: rules as mappings or as bare strings, each of which is a hard rule.
            folder: where files of lexicons lie.
            name: what a sentence calls the whole.
        """
        if isinstance(content, Mapping):
            _check_sections(content, name)
        sections = content if isinstance(content, Mapping) else {"rules": content}
        specs = sections.get("rules")
        if not isinstance(specs, list) or not specs:
            raise ProjectError(f"{name} must hold a list of rules. Got {specs!r}.")
        rules = [_rule(spec, number, name) for number, spec in enumerate(specs, 1)]
        _check_ids(rules, name)
        for rule in rules:
            _ = rule.tree  # what cannot be read is refused now
        listed_words = sections.get("lexicons") or {}
        if not isinstance(listed_words, Mapping):
            raise ProjectError(
                f"{name}: `lexicons` must be a mapping of names to lists of phrases, or to files "
                f"of them. Got {listed_words!r}."
            )
        lexicons = {
            str(key): _lexicon(str(key), words, folder, name) for key, words in listed_words.items()
        }
        return cls(rules=rules, lexicons=lexicons, version=str(sections.get("version") or ""))

    def on(self, day: date) -> Self:
        """Return the rules that are valid on a day."""
        return replace(self, rules=[rule for rule in self.rules if rule.holds_on(day)])

    def today(self) -> Self:
        """Return the rules that are valid today."""
        return self.on(date.today())

    def changes(self, day: date) -> list[date]:
        """Return the days after `day` on which other rules hold than on the day before, rising."""
        begun = [rule.valid_from for rule in self.rules if rule.valid_from]
        last = [rule.valid_to for rule in self.rules if rule.valid_to]
        over = [one + DAY for one in last if one < LAST]
        return sorted({other for other in [*begun, *over] if other > day})

    def decoding(self) -> Self:
        """Return the rules that answers follow."""
        return replace(self, rules=[rule for rule in self.rules if rule.decodes])

    def without(self, *ids: str) -> Self:
        """Return the rules but for some."""
        return replace(self, rules=[rule for rule in self.rules if rule.id not in ids])

    def with_rule(self, rule: Rule) -> Self:
        """Return the rules with another one under the id that it has."""
        return replace(self, rules=[rule if rule.id == one.id else one for one in self.rules])

    @property
    def fingerprint(self) -> str:
        """What tells these rules, lexicons included, from any others."""
        written = json.dumps(self.to_dict(), sort_keys=True, ensure_ascii=False, default=str)
        return hashlib.sha256(written.encode("utf-8", "surrogatepass")).hexdigest()

    def __getitem__(self, id: str) -> Rule:
        return next(rule for rule in self.rules if rule.id == id)

    def __len__(self) -> int:
        return len(self.rules)

    def to_dict(self) -> dict[str, Any]:
        """Return plain data that `of` turns back into the same rules, lexicons written out."""
        return {"version": self.version, "lexicons": dump(self.lexicons), "rules": dump(self.rules)}


def _check_sections(content: Mapping[str, Any], name: str) -> None:
    for key in content:
        if key not in SECTIONS:
            raise ProjectError(
                f"{name}: `{key}` is not a known key.{did_you_mean(str(key), SECTIONS)} "
                f"Known: {listed(SECTIONS)}."
            )


def _rule(spec: Any, number: int, name: str) -> Rule:
    if isinstance(spec, str):
        spec = {"says": spec}
    if isinstance(spec, Mapping):
        spec = {"id": f"rule_{number}", **spec}
        texts = {"id", "version", "says"}
        spec = {k: str(v) if k in texts and v is not None else v for k, v in spec.items()}
    rule = build(Rule, spec, at=f"{name}: rules.{number}")
    if not re.fullmatch(r"[\w.\-]+", rule.id):
        raise ProjectError(
            f"{name}: rules.{number} has the id {rule.id!r}: an id is letters, digits, _, - and ."
        )
    return rule


def _check_ids(rules: Sequence[Rule], name: str) -> None:
    ids = [rule.id for rule in rules]
    twice = next((word for word in ids if ids.count(word) > 1), None)
    if twice is not None:
        raise ProjectError(f"{name}: two rules have the id {twice!r}. Give each its own.")


def _lexicon(key: str, words: Any, folder: Path, name: str) -> list[str]:
    if isinstance(words, str):
        try:
            words = (folder / words).read_text(encoding="utf-8-sig").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise ProjectError(f"{name}: `lexicons.{key}` cannot be read: {error}.") from None
    if not isinstance(words or [], list):
        raise ProjectError(
            f"{name}: `lexicons.{key}` must be a list of phrases, or a file of them. Got {words!r}."
        )
    known = [str(word).strip() for word in words or [] if word is not None]
    found = [word for word in known if word]
    if not found:
        raise ProjectError(f"{name}: `lexicons.{key}` holds no phrase.")
    return found


class _Loader(Strict):
    """YAML in which `yes`, `no` and `on` are labels: only true and false are truth values."""


_BOOL = "tag:yaml.org,2002:bool"
_Loader.yaml_implicit_resolvers = {
    sign: [pair for pair in pairs if pair[0] != _BOOL]
    for sign, pairs in Strict.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver(_BOOL, re.compile("^(true|false)$"), list("tf"))
