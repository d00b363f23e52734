"""What each rule did to an answer: what it says of it, and what would be answered without it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from allrounder.evaluation.ruling import mentioned
from allrounder.model import Decided, Prepared
from allrounder.prediction import Predictor
from allrounder.rules import Decoder, Outcome, Rule, World
from allrounder.rules.syntax import Exists, leaves

MOST = 256
"""Rules and groundings of one record that are left out, one after the other."""

Effects = dict[str, dict[str, Any]]
"""By task, what would be answered instead."""


def effect(usual: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    """Return what one task would answer instead, and by how much that differs.

    `effect` is by how much the answer becomes likelier through what was kept back; for a number by
    how much it becomes greater.

    Args:
        usual: the answer.
        other: the answer without something.
    """
    (name, main), *_ = usual.items()
    found: dict[str, Any] = {"changed": _plain(main) != _plain(other[name]), "without": other[name]}
    if isinstance(main, str) and "probabilities" in usual:
        found["effect"] = _less(usual["probabilities"][main], other["probabilities"][main])
    elif isinstance(main, int | float) and isinstance(other[name], int | float):
        found["effect"] = _less(main, other[name])
    elif "probability" in usual and not found["changed"]:
        found["effect"] = _less(usual["probability"], other["probability"])
    return found


def _less(one: float, other: float) -> float:
    return round(one - other, 6)


def _plain(answer: Any) -> Any:
    """Return spans without their probabilities; other answers as they are."""
    if isinstance(answer, list):
        return [
            (one["start"], one["end"], one["label"]) if isinstance(one, dict) else one
            for one in answer
        ]
    return answer


@dataclass(frozen=True)
class Grounding:
    """Spans of the tasks' own answer that make a leaf of a rule hold: their texts, by name."""

    leaf: Exists
    texts: tuple[str, ...]

    @property
    def spans(self) -> dict[str, str]:
        """The texts under the names that the rule gives the spans, or under their kinds."""
        named = zip(self.leaf.spans, self.texts, strict=True)
        return {name or str(kind): text for (kind, name), text in named}


@dataclass
class _Told:
    """One rule, laid over the answer that the tasks give by themselves."""

    rule: Rule
    known: dict[str, Any]
    groundings: list[Grounding] = field(default_factory=list)


def rule_reasons(
    predictor: Predictor, prepared: Prepared, decoder: Decoder | None, usual: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """Return what each rule in force says of a record, and its effect on each task.

    Args:
        predictor: the run.
        prepared: the record, first among its rows.
        decoder: the rules of the day; None where the run has none.
        usual: the answers under all of them.

    Returns:
        for each rule what it `holds` of the tasks' own answers (null: they do not tell), leaf by
        leaf, whether it `fired`, was `violated` and `relaxed`, its `effects`, and the same for
        each of its `groundings`. Effects are left empty where nothing would change.
    """
    if decoder is None or not decoder.tasks:
        return []
    found = predictor.answerer.decided(prepared, np.arange(1), decoder)
    if not found:
        return []
    informed = predictor.answerer.asking(decoder, prepared.knowing)
    told = list(_laid(informed, prepared, found[0]))
    moved = set(usual.get("rules", {}).get("without", ()))
    left_out = [(one.rule.id, None) for one in told if one.rule.id in moved]
    left_out += [(one.rule.id, g) for one in told if one.rule.id in moved for g in one.groundings]
    left_out = left_out[:MOST]
    decoders = [_without(decoder, *each) for each in left_out]
    others = predictor.answerer.variants(prepared, np.arange(1), decoders)
    effects = {
        each: _effects(decoder, usual, answers)
        for each, (answers,) in zip(left_out, others, strict=True)
    }
    return [_entry(one, found[0].outcome, effects) for one in told]


def _entry(one: _Told, outcome: Outcome, effects: Mapping[Any, Effects]) -> dict[str, Any]:
    id = one.rule.id
    return {
        "rule": id,
        "version": one.rule.version,
        "says": one.rule.says,
        "soft": one.rule.soft,
        **one.known,
        "fired": id in outcome.fired,
        "violated": id in outcome.violated,
        "relaxed": id in outcome.relaxed,
        "effects": effects.get((id, None), {}),
        "groundings": [
            {"spans": grounding.spans, "effects": effects.get((id, grounding), {})}
            for grounding in one.groundings
        ],
    }


def _laid(decoder: Decoder, prepared: Prepared, decided: Decided) -> Iterator[_Told]:
    """Yield every rule with what its leaves say of the tasks' own answers."""
    tasks = {name: prepared.model.tasks[name] for name in decided.own}
    answers = mentioned(decided.own, prepared, tasks, 0)
    world = World(answers, {name: prepared.values[name][0].as_py() for name in decoder.fields})
    for rule in decoder.rules.rules:
        some = list(dict.fromkeys(leaves(rule.tree)))
        known = {
            "holds": decoder.meaning.truth(rule.tree, world),
            "leaves": {str(leaf): decoder.meaning.known(leaf, world) for leaf in some},
        }
        groundings = [
            Grounding(leaf, texts)
            for leaf in some
            if isinstance(leaf, Exists) and (name := decoder.terms.key(leaf).name) in answers
            for texts in decoder.meaning.groundings(leaf, answers[name])
        ]
        yield _Told(rule, known, groundings)


def _without(decoder: Decoder, rule: str, grounding: Grounding | None) -> Decoder:
    """Return the decoder without a rule, or with one of which a grounding does not count."""
    rules = decoder.rules
    if grounding is None:
        return decoder.under(rules.without(rule))
    return decoder.under(rules.with_rule(rules[rule].discounting(grounding.leaf, grounding.texts)))


def _effects(decoder: Decoder, usual: Mapping[str, Any], other: Mapping[str, Any]) -> Effects:
    return {task: effect(usual[task], other[task]) for task in decoder.tasks if task in other}
