"""Answers of a model under rules: consistent, told, and only where they have to be others."""

import math

import numpy as np
import pytest
import torch
from making import made

from allrounder.errors import ProjectError
from allrounder.model import Answerer, decoder_of, load_rules, save_rules
from allrounder.rules import Meaning, Rules, Terms, World
from allrounder.tasks import Multiclass, Multilabel, Ordinal, Regression, Spans

TEXTS = ("Acme fell in Ruritania.", "北京的公司 said great things", "a refund of the bank", "to")
TASKS = {
    "intent": Multiclass(labels=["refund", "praise", "other"]),
    "urgency": Ordinal(labels=["low", "mid", "high"]),
    "topics": Multilabel(labels=["ORG", "LOC", "money"]),
    "mood": Regression(range=(-4, 4), center=0.0, scale=2.0),
    "entities": Spans(labels=["ORG", "LOC"]),
}
RULES = Rules.of(
    [
        "intent = refund => urgency != low",
        "topics has ORG <=> exists span:ORG",
        "topics has LOC <=> exists span:LOC",
        "count(span:ORG) >= 2 => mood <= 0",
        {"says": "text has refund => intent = refund", "soft": 0.5},
    ]
)


def model_of(seed):
    prepared = made(TASKS, [{"text": text} for text in TEXTS])
    torch.manual_seed(seed)
    for head in prepared.model.heads.values():
        for weight in head.parameters():
            torch.nn.init.normal_(weight, std=1.0)
    return prepared


def answered(prepared, rules=RULES):
    fields = {n: e.field for e in prepared.model.inputs.values() for n in e.fields}
    terms = Terms.of(prepared.model.tasks, fields)
    decoder = decoder_of(rules, prepared.model.tasks, fields) if rules else None
    answerer = Answerer([(prepared.model, list(TASKS))], {}, decoder=decoder)
    return answerer.answers(prepared, np.arange(len(TEXTS))), terms


def world(answer, text):
    labels = {
        "intent": answer["intent"]["label"],
        "urgency": answer["urgency"]["label"],
        "topics": answer["topics"]["labels"],
        "mood": answer["mood"]["value"],
        "entities": answer["entities"]["spans"],
    }
    return World(labels, {"text": text})


@pytest.mark.parametrize("seed", range(8))
def test_no_answer_breaks_a_hard_rule_and_changes_are_told(seed):
    prepared = model_of(seed)
    (ruled, terms), (plain, _) = answered(prepared), answered(prepared, None)
    meaning = Meaning(RULES, terms)
    for answer, own, text in zip(ruled, plain, TEXTS, strict=True):
        for rule in RULES.rules[:4]:
            assert meaning.truth(rule.tree, world(answer, text)) is True
        told = answer.get("rules", {"violated": []})
        broken = [rule.id for rule in RULES.rules
                  if meaning.truth(rule.tree, world(own, text)) is False]  # fmt: skip
        assert told["violated"] == broken
        for name in TASKS:
            if "instead_of" not in answer[name]:
                assert answer[name] == own[name]


def test_at_least_one_seed_has_something_to_change():
    changed = [
        name for seed in range(8) for answer in answered(model_of(seed))[0]
        for name in TASKS if "instead_of" in answer[name]
    ]  # fmt: skip
    assert {"topics", "entities", "urgency"} <= {*changed}


def test_what_a_rule_did_is_what_would_be_answered_without_it():
    for seed in range(4):
        prepared = model_of(seed)
        for place, answer in enumerate(answered(prepared)[0]):
            for id, others in answer.get("rules", {}).get("without", {}).items():
                rest = answered(prepared, RULES.without(id))[0][place]
                for name, label in others.items():
                    key = next(iter(rest[name]))
                    found = rest[name][key]
                    if name == "entities":
                        found = [{k: s[k] for k in ("start", "end", "label")} for s in found]
                    if name == "mood":
                        assert math.isclose(found, label, abs_tol=1e-5)
                    else:
                        assert found == label


def test_rules_are_kept_in_a_run_folder(tmp_path):
    assert load_rules(tmp_path) is None
    save_rules(tmp_path, RULES)
    assert load_rules(tmp_path) == RULES


def test_rules_that_contradict_one_another_are_refused():
    rules = Rules.of(["intent = refund", "intent = praise"])
    with pytest.raises(ProjectError, match="The rules contradict one another"):
        decoder_of(rules, TASKS, {})


def test_rules_that_hold_no_longer_decode_nothing():
    rules = Rules.of([{"says": "intent = refund", "valid_to": "2020-01-01"}])
    assert decoder_of(rules, TASKS, {}) is None
