"""A phrase that somebody saw, as a rule: how often it is right, and its place in the rules file."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from math import log, sqrt
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from allrounder.documents import to_yaml
from allrounder.editing import edit
from allrounder.errors import ProjectError
from allrounder.labeling.board import named
from allrounder.labeling.people import Person
from allrounder.plan import Plan, make_plan, read_plan
from allrounder.records import SPLITS
from allrounder.relabeling import project_file
from allrounder.rules import Rules
from allrounder.rules.analysis import findings_from
from allrounder.rules.texts import has_phrase
from allrounder.rules.trying import tried
from allrounder.runs import write_text

if TYPE_CHECKING:
    from allrounder.labeling.desk import Desk

RULES = "rules.yaml"
"""The file of rules of a project that has none."""

LONGEST = 200
SHOWN = 3
PART = 1 << 14
Z = 1.96
"""Of a 95 % interval."""

WORD = re.compile(r"[^\W\d]\w*")


@dataclass(frozen=True)
class Phrase:
    """What a rule would say: whatever has a phrase has a label.

    Args:
        field: the text that has it.
        phrase: the phrase.
        task: the task.
        label: its label.
        several: whether the task has several labels.
    """

    field: str
    phrase: str
    task: str
    label: str
    several: bool

    @property
    def says(self) -> str:
        """The rule as it is written."""
        sign = "has" if self.several else "="
        left = f"{_plain(self.field)} has {_quoted(self.phrase)}"
        return f"{left} => {_plain(self.task)} {sign} {_quoted(self.label)}"


def read(desk: "Desk", body: Mapping[str, Any]) -> Phrase:
    """Return what a page sent.

    Raises:
        ProjectError: it is no phrase of a text, or no label of a task with names.
    """
    words = [body.get(name) for name in ("field", "phrase", "task", "label")]
    field, phrase, task, label = (" ".join(w.split()) if isinstance(w, str) else "" for w in words)
    texts = [f for f in desk.pool.records.fields if _is_text(desk, f)]
    if field not in texts:
        raise ProjectError(f"There is no text {field!r:.80} in which a phrase could stand.")
    if not phrase or len(phrase) > LONGEST or not phrase.isprintable():
        raise ProjectError(f"A phrase is a text of 1 to {LONGEST} characters. Got {phrase!r:.80}.")
    form = desk.forms.get(task)
    if form is None or form.form not in ("one", "several"):
        raise ProjectError(f"There is no task {task!r:.80} whose labels a phrase could mean.")
    labels = getattr(form.task, "labels", None) or []
    if label and label not in labels:
        raise ProjectError(f"{task} has no label {label!r:.80}.")
    return Phrase(field, phrase, task, label, form.form == "several")


def measured(desk: "Desk", phrase: Phrase) -> dict[str, Any]:
    """Return how often a phrase goes with a label, and in how many records it stands.

    Records that test are not looked at.
    """
    splits = desk.pool.records.numbers("split")
    counts: dict[str, Counter] = {"train": Counter(), "validation": Counter()}
    stands: Counter[str] = Counter()
    labelled: Counter[str] = Counter()
    against: list[str] = []
    of_all = np.bincount(splits[desk.pool.order[desk.pool.starts]], minlength=len(SPLITS))
    for place in _having(desk, phrase):
        split = SPLITS[splits[desk.pool.row(place)]]
        if split == "test":
            continue
        stands[split] += 1
        label = _label(desk, phrase.task, place)
        if label is None:
            continue
        labelled[split] += 1
        counts[split].update(named(label))
        if split == "train" and phrase.label not in named(label) and len(against) < SHOWN:
            against.append(desk.pool.excerpt(desk.pool.key(place)))
    best = phrase.label or next((name for name, _ in counts["train"].most_common(1)), "")
    right = counts["train"][best]
    low, high = wilson(right, labelled["train"])
    return {
        "label": best,
        "says": Phrase(phrase.field, phrase.phrase, phrase.task, best, phrase.several).says,
        "right": right,
        "labelled": labelled["train"],
        "low": low,
        "high": high,
        "validation": [counts["validation"][best], labelled["validation"]],
        "with": sum(stands.values()),
        "records": int(of_all.sum() - of_all[SPLITS.index("test")]),
        "unlabelled": sum(stands.values()) - sum(labelled.values()),
        "weight": weight(right, labelled["train"]),
        "against": against if phrase.label else [],
    }


def wilson(right: int, n: int) -> tuple[float, float]:
    """Return the 95 % interval of a share (Wilson 1927)."""
    if not n:
        return 0.0, 1.0
    share, square = right / n, Z * Z / n
    middle, half = share + square / 2, Z * sqrt(share * (1 - share) / n + square / (4 * n))
    low, high = (middle - half) / (1 + square), (middle + half) / (1 + square)
    return round(max(0.0, low), 4), round(min(1.0, high), 4)


def weight(right: int, n: int) -> float | None:
    """Return what breaking the rule should cost: the log-odds that it is right, by add-one counts.

    None where it is wrong as often as right: then it is no rule.
    """
    found = log((right + 1) / (n - right + 1))
    return round(found, 2) if found > 0 else None


def saved(
    desk: "Desk", plan: Plan, phrase: Phrase, *, soft: float | None, key: str, person: Person
) -> dict[str, Any]:
    """Append a rule to the rules file, with the record in hand as its test; return it.

    Args:
        desk: the project, open for labelling.
        plan: its project file.
        phrase: what the rule says.
        soft: what breaking it costs; None for a hard rule.
        key: the record in which the phrase was seen.
        person: who saw it.

    Raises:
        ProjectError: the rule is there already, contradicts others, or the file cannot be changed.
    """
    path = project_file(plan)
    now = read_plan(path)
    text = desk.pool.text(key, phrase.field) if desk.pool.place(key) is not None else None
    given = {phrase.field: text, phrase.task: [phrase.label] if phrase.several else phrase.label}
    rule = {
        "id": "",
        "says": phrase.says,
        **({} if soft is None else {"soft": soft}),
        "owner": person.name,
        "valid_from": date.today(),
        **({"tests": [{"given": given, "holds": True}]} if text else {}),
    }
    if now.knowledge is None or now.knowledge.rules is None:
        return _begun(desk, now, path, rule)
    target = now.folder / now.knowledge.rules

    def append(content: Any) -> None:
        rules = content["rules"] if isinstance(content, dict) else content
        rules.append({**rule, "id": _free_id(phrase, rules)})

    def check(content: Any) -> None:
        _check(desk, now, Rules.of(content, folder=target.parent, name=target.name), rule["says"])

    edit(target, append, check=check)
    return {"says": phrase.says, "file": target.name}


def _begun(desk: "Desk", plan: Plan, path: Path, rule: dict[str, Any]) -> dict[str, Any]:
    """Give a project its first rule: a file of rules, and its name in the project file."""
    target = plan.folder / RULES
    if target.exists():
        raise ProjectError(f"{target} is there, and the project does not name it. Name or move it.")
    content = {"version": 1, "rules": [{**rule, "id": "phrase_1"}]}
    _check(desk, plan, Rules.of(content, folder=plan.folder, name=RULES), rule["says"])
    write_text(target, to_yaml(content))

    def name(sections: Any) -> None:
        if sections.get("knowledge") is None:
            sections["knowledge"] = {}
        sections["knowledge"]["rules"] = RULES

    try:
        edit(path, name, check=lambda s: make_plan(s, folder=plan.folder, name=plan.name) and None)
    except Exception:
        target.unlink(missing_ok=True)
        raise
    return {"says": rule["says"], "file": RULES}


def _check(desk: "Desk", plan: Plan, rules: Rules, says: str) -> None:
    """Refuse rules that cannot stand together with the new one, or that it fails itself."""
    if sum(one.says == says for one in rules.rules) > 1:
        raise ProjectError(f"There is a rule that says so already: {says}.")
    known = {name: form.task for name, form in desk.forms.items()}
    terms = plan.terms({**plan.tasks, **known}, facts=True)
    terms.check(rules)
    (mine,) = [one.id for one in rules.rules if one.says == says]
    for found in findings_from(date.today(), rules.today().decoding(), terms).findings:
        if found.kind == "conflict" or found.rule == mine:
            raise ProjectError(f"This rule cannot stand beside the others: {found}")
    if failed := [one for one in tried(rules, terms).failed if rules[one.rule].says == says]:
        raise ProjectError(f"The record in hand does not follow the rule: {failed[0].given}.")


def _free_id(phrase: Phrase, rules: Any) -> str:
    """Return an id that no rule has: the words of the phrase, or a number."""
    taken = {one.get("id") for one in rules if isinstance(one, dict)}
    stem = "_".join(WORD.findall(phrase.phrase.lower()))[:40] or "phrase"
    names: Iterator[str] = (stem if n == 1 else f"{stem}_{n}" for n in range(1, len(rules) + 3))
    return next(name for name in names if name not in taken)


def _having(desk: "Desk", phrase: Phrase) -> Iterator[int]:
    """Yield the places of records whose text has a phrase, as rules find it."""
    column = desk.pool.records.values(phrase.field)
    rows = desk.pool.order[desk.pool.starts]
    for start in range(0, len(rows), PART):
        texts = column.take(pa.array(rows[start : start + PART])).to_pylist()
        for at, text in enumerate(texts):
            if text is not None and has_phrase(text, (phrase.phrase,)):
                yield start + at


def _label(desk: "Desk", task: str, place: int) -> Any:
    """Return the label that a record has now: what people said, or what the file says."""
    standing = desk.board.standing.get((desk.pool.key(place), task))
    if standing is not None:
        return standing.value
    return desk.pool.records.take(task, np.array([desk.pool.row(place)]))[0]


def _is_text(desk: "Desk", field: str) -> bool:
    return pa.types.is_string(desk.pool.records.values(field).type) or pa.types.is_large_string(
        desk.pool.records.values(field).type
    )


def _plain(name: str) -> str:
    return name if WORD.fullmatch(name) else _quoted(name)


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
