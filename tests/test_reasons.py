"""What rules did to an answer, counted against answers without them."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from making import made

from allrounder.model import Answerer
from allrounder.reasons import rule_reasons
from allrounder.rules import Decoder, ListedFacts, Rules, Terms
from allrounder.tasks import Multiclass, Multilabel, Spans

TEXT = "Acme fell in Ruritania, said the great bank of 北京"
TASKS = {
    "alert": Multiclass(labels=["yes", "no", "maybe"]),
    "topics": Multilabel(labels=["ORG", "LOC"]),
    "entities": Spans(labels=["ORG", "LOC"]),
}
RULES = Rules.of(
    {
        "version": 4,
        "rules": [
            {"id": "org", "says": "topics has ORG <=> exists span:ORG", "version": 3},
            {"id": "kept", "says": 'exists span:ORG o with kb(o, is, "listed") => alert = yes'},
            {"id": "soft", "says": "alert = no => topics has LOC", "soft": 0.5},
            {"id": "silent", "says": 'text has "nothing such" => alert = no'},
        ],
    }
)


def ruled(seed, triples=()):
    prepared = made(TASKS, [{"text": TEXT}])
    torch.manual_seed(seed)
    for head in prepared.model.heads.values():
        for weight in head.parameters():
            torch.nn.init.normal_(weight, std=1.0)
    fields = {n: e.field for e in prepared.model.inputs.values() for n in e.fields}
    terms = Terms.of(TASKS, fields, predicates=["is"])
    decoder = Decoder(RULES, terms, ListedFacts(triples))
    return prepared, Answerer([(prepared.model, list(TASKS))], {}, decoder=decoder), decoder


def asked(seed, triples=()):
    prepared, answerer, decoder = ruled(seed, triples)
    (usual,) = answerer.answers(prepared, np.arange(1))
    predictor = SimpleNamespace(answerer=answerer)
    return usual, rule_reasons(predictor, prepared, decoder, usual), prepared, answerer, decoder


def firms(seed):
    """Return the spans that the tagger calls ORG by itself."""
    prepared, answerer, _ = ruled(seed)
    ((answers,),) = answerer.variants(prepared, np.arange(1), [None])
    return sorted({s["text"] for s in answers["entities"]["spans"] if s["label"] == "ORG"})


SEVERAL = [seed for seed in range(12) if len(firms(seed)) > 1]


def test_every_rule_in_force_says_what_it_made_of_the_tasks_own_answers():
    for seed in range(8):
        usual, reasons, *_ = asked(seed)
        assert [one["rule"] for one in reasons] == ["org", "kept", "soft", "silent"]
        assert reasons[0]["version"] == "3"
        told = usual.get("rules", {"violated": [], "fired": []})
        for one in reasons:
            assert one["violated"] == (one["rule"] in told["violated"]) == (one["holds"] is False)
            assert one["fired"] == (one["rule"] in told["fired"])
        assert reasons[3]["leaves"] == {'text has "nothing such"': False, "alert = no": (
            usual["alert"].get("instead_of", usual["alert"]["label"]) == "no")}  # fmt: skip
        assert (reasons[3]["effects"], reasons[3]["groundings"]) == ({}, [])


def test_the_effect_of_a_rule_is_what_would_be_answered_without_it():
    seen = 0
    for seed in range(8):
        usual, reasons, prepared, answerer, decoder = asked(seed)
        for one in reasons:
            other = decoder.under(RULES.without(one["rule"]))
            (without,) = answerer.answers(prepared, np.arange(1), decoder=other)
            for task in TASKS:
                main = next(iter(without[task]))
                if one["effects"]:
                    assert one["effects"][task]["without"] == without[task][main]
                else:
                    assert usual[task][main] == without[task][main]
            seen += bool(one["effects"])
    assert seen > 3


@pytest.mark.parametrize("seed", SEVERAL[:3])
def test_where_a_rule_has_several_groundings_each_has_an_effect_of_its_own(seed):
    names = firms(seed)
    triples = [(name, "is", "listed") for name in names]
    _, reasons, *_ = asked(seed, triples)
    rule = next(one for one in reasons if one["rule"] == "kept")
    assert sorted(g["spans"]["o"] for g in rule["groundings"]) == names
    for grounding in rule["groundings"]:
        rest = [t for t in triples if t[0] != grounding["spans"]["o"]]
        other = asked(seed, rest)[0]  # a fact less is a grounding less
        for task in TASKS if rule["effects"] else ():
            main = next(iter(other[task]))
            assert grounding["effects"][task]["without"] == other[task][main]


def test_there_is_something_to_see():
    assert len(SEVERAL) >= 3
    moved = [asked(s, [(n, "is", "listed") for n in firms(s)])[1][1]["effects"] for s in SEVERAL]
    assert any(moved)
