"""Answers under rules: what tasks may say of a record is decoded together, changes are told."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np

from allrounder.knowledge import MentionFacts, known_words
from allrounder.model.knowing import Knowing
from allrounder.model.network import Model
from allrounder.model.prepared import Prepared
from allrounder.model.scored import Scored
from allrounder.model.subsets import by_missing, fitting
from allrounder.records import Field
from allrounder.rules import Decoder, Outcome, Picks, Rules, Terms
from allrounder.rules.analysis import refuse_contradiction
from allrounder.runs import write_yaml
from allrounder.tasks import Task
from allrounder.types import Variable

FILE = "rules.yaml"
"""The rules in a run folder."""


def decoder_of(
    rules: Rules,
    tasks: Mapping[str, Task],
    fields: Mapping[str, Field],
    knowing: Knowing | None = None,
) -> Decoder | None:
    """Return what decodes answers under the rules that hold today, or None where none does.

    Those that hold on later days are looked at too, so that no run is trained which cannot answer
    some day.

    Args:
        rules: all rules.
        tasks: the tasks, their labels learned.
        fields: the fields of the inputs.
        knowing: what the model knows; rules ask it for facts.

    Raises:
        ProjectError: a rule names what is not there, or hard rules contradict one another.
    """
    facts = MentionFacts(knowing.base) if knowing else None
    terms = Terms.of(tasks, fields, **known_words(facts))
    every, today = rules.decoding(), rules.today().decoding()
    for day in (None, *every.changes(date.today())):
        then = every.on(day) if day else today
        terms.check(then)
        refuse_contradiction(then, terms, on=day)
    return Decoder(today, terms, facts) if len(today) else None


def save_rules(folder: Path, rules: Rules) -> None:
    """Write the rules into a run folder, lexicons with them."""
    write_yaml(folder / FILE, rules.to_dict())


def load_rules(folder: Path) -> Rules | None:
    """Return the rules of a run, if it has any."""
    return Rules.read(folder / FILE) if (folder / FILE).exists() else None


def decoder_in(folder: Path, model: Model, fields: Mapping[str, Field]) -> Decoder | None:
    """Return what decodes the answers of a model under the rules of its run, if it has any."""
    rules = load_rules(folder)
    return None if rules is None else decoder_of(rules, model.tasks, fields, model.knowing)


@dataclass(frozen=True)
class Decided:
    """One record under rules.

    Args:
        labels: the label of each task that rules name, in the form of `decode`.
        own: what the task says by itself.
        outcome: what rules did.
        without: by rule, labels that would be others without it.
    """

    labels: dict[str, Any]
    own: dict[str, Any]
    outcome: Outcome
    without: dict[str, dict[str, Any]]

    def told(self) -> dict[str, Any] | None:
        """Return what an answer says of rules, or None where none had anything to say."""
        outcome = self.outcome
        if not (outcome.fired or outcome.violated):
            return None
        return {
            "violated": outcome.violated,
            "fired": outcome.fired,
            "relaxed": outcome.relaxed,
            "without": self.without,
        }


@dataclass
class _Asked:
    """What the tasks may say of one record."""

    own: dict[str, Any] = field(default_factory=dict)
    variables: dict[str, list[Variable]] = field(default_factory=dict)


def grouped(
    prepared: Prepared, part: Scored, known: Mapping[str, Any]
) -> Iterator[tuple[np.ndarray, dict[str, Any]]]:
    """Yield places in a part and the calibration that fits what these records lack."""
    if "without" not in known:
        yield np.arange(len(part.rows)), dict(known)
        return
    for missing, places in by_missing(prepared, part.rows).items():
        yield places, fitting(known, missing)


def decided(
    decoder: Decoder,
    parts: Iterable[tuple[Model, Scored]],
    prepared: Prepared,
    calibration: Mapping[str, Any],
    *,
    reasons: bool = True,
) -> dict[int, Decided]:
    """Return the joint answer of every row that is asked a task which rules name.

    Args:
        decoder: the rules.
        parts: scores, and the models they come from; those of other tasks are left out.
        prepared: the records.
        calibration: by task, what was fitted on validation records.
        reasons: look at what each rule did.
    """
    named, asked = set(decoder.tasks), {}
    tasks: dict[str, Task] = {}
    for model, part in parts:
        if part.task in named:
            tasks[part.task] = model.tasks[part.task]
            known = calibration.get(part.task, {})
            _ask(tasks[part.task], part, prepared, known, decoder, asked)
    found = {}
    for row, one in asked.items():
        inputs = {name: prepared.values[name][row].as_py() for name in decoder.fields}
        outcome = decoder.decode(one.variables, inputs, effects=reasons)
        found[row] = _decided(tasks, one, outcome)
    return found


def _ask(
    task: Task,
    part: Scored,
    prepared: Prepared,
    known: Mapping[str, Any],
    decoder: Decoder,
    asked: dict[int, _Asked],
) -> None:
    mentioned = decoder.mentioned.get(part.task, {})
    for places, fitted in grouped(prepared, part, known):
        scores = part.scores[places]
        options = task.options(scores, fitted, mentioned)
        for place, own, some in zip(places, task.decode(scores), options, strict=True):
            one = asked.setdefault(int(part.rows[place]), _Asked())
            one.own[part.task], one.variables[part.task] = own, some


def _decided(tasks: Mapping[str, Task], one: _Asked, outcome: Outcome) -> Decided:
    def labels(picks: Picks) -> dict[str, Any]:
        return {
            name: one.own[name] if some == outcome.own[name]
            else tasks[name].taken(one.own[name], one.variables[name], some)
            for name, some in picks.items()
        }  # fmt: skip

    without = {rule: labels(picks) for rule, picks in outcome.effects.items()}
    return Decided(labels(outcome.picks), dict(one.own), outcome, without)


def reworded(
    task: Task,
    part: Scored,
    prepared: Prepared,
    known: Mapping[str, Any],
    rows: Mapping[int, Decided],
) -> dict[int, dict[str, Any]]:
    """Return the answers of one task to the rows where rules changed them."""
    changed = {row for row, one in rows.items() if part.task in one.outcome.changed}
    found = {}
    for places, fitted in grouped(prepared, part, known):
        mine = np.array([p for p in places if int(part.rows[p]) in changed], dtype=np.int64)
        if not len(mine):
            continue
        some = [rows[int(row)] for row in part.rows[mine]]
        labels = [one.labels[part.task] for one in some]
        answers = task.answers(part.scores[mine], fitted, labels)
        for row, answer, one in zip(part.rows[mine], answers, some, strict=True):
            found[int(row)] = {**answer, "instead_of": one.own[part.task]}
    return found


def columns_of(decoder: Decoder) -> Sequence[str]:
    """Return the columns that rules add to a table of answers."""
    told = ["rules", "rules_fired", "rules_relaxed", "rules_without"]
    return [*(f"{name}_instead_of" for name in decoder.tasks), *told]
