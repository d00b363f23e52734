"""What every kind of injection promises. A kind without a row in EXAMPLES fails."""

import itertools
from dataclasses import replace

import numpy as np
import pytest
import torch
from making import column, hashing, made, settings, tiny_text

from allrounder.errors import ProjectError
from allrounder.injection import INJECTIONS, Facts, Gazetteer
from allrounder.kinds import dump
from allrounder.knowledge import Base, Fact, Snapshot
from allrounder.knowledge.controls import empty
from allrounder.model import Answerer, Knowing, Prepared, load_passes, save_model
from allrounder.model.knowing import fresh_readers, kept_facts, kept_readers
from allrounder.tasks import Multiclass, Spans
from allrounder.training.loop import Loop

EXAMPLES = {
    "gazetteer": Gazetteer(of="text", dropout=0.0),
    "facts": Facts(of="text", dropout=0.0, heads=2, inner=8),
}
KINDS = pytest.mark.parametrize("kind", sorted(INJECTIONS.builtin))

SYLLABLES = "ac ze go oro lin ben ta".split(), "me ta rex wi ode rau fin os un".split()
NAMES = [(one + other).capitalize() for one, other in itertools.product(*SYLLABLES)]
FIRMS, MEN = NAMES[::2], NAMES[1::2]
FACTS = [
    *(Fact(name, "type", "firm") for name in FIRMS),
    *(Fact(name, "type", "man") for name in MEN),
    *(Fact(name, "sells", "cars") for name in FIRMS[::2]),
]
BASE = Base(Snapshot.of(FACTS))
TASKS = {
    "who": Spans(of="text", labels=["ORG", "PER"]),
    "about": Multiclass(labels=["firm", "man"]),
}


def row(name):
    kind = ("ORG", "firm") if name in FIRMS else ("PER", "man")
    return {"text": f"{name} won", "who": [{"start": 0, "end": len(name), "label": kind[0]}],
            "about": kind[1]}  # fmt: skip


ROWS = [row(name) for name in (*FIRMS, *MEN)]


def knowing(kind, base=BASE, inputs=None, **options):
    """Return what a model knows by one injection, learned on the rows."""
    assert kind in EXAMPLES, f"give the injection kind {kind!r} a row in EXAMPLES"
    found = replace(EXAMPLES[kind], **options)
    texts = column(ROWS, "text", "string")
    found = found.learn(base, [base.link(texts)])
    inputs = inputs or {"text": hashing()}
    return Knowing.of(base, [found], fresh_readers(inputs, [found]))


def prepared(kind, rows=ROWS, inputs=None, **options):
    inputs = inputs or {"text": hashing()}
    known = None if kind is None else knowing(kind, inputs=inputs, **options)
    return made(TASKS, rows, inputs=inputs, knowing=known)


def batch_of(ready):
    every = np.arange(len(ready))
    return ready.batch(every, ready.labeled(every, list(ready.model.tasks)), targets=True)


def answers(ready):
    return Answerer([(ready.model, list(TASKS))], {}).answers(ready, np.arange(len(ready)))


def trained(kind, **options):
    ready = prepared(kind, **options)
    loop = Loop(ready.model, ready, np.arange(len(ready)), settings(epochs=60, head_lr=0.02))
    for _ in loop.steps():
        pass
    ready.model.eval()
    return ready


@KINDS
def test_at_the_start_a_model_scores_as_it_would_without(kind):
    plain, informed = prepared(None), prepared(kind)
    with torch.no_grad():
        expected = plain.model.eval()(batch_of(plain))
        found = informed.model.eval()(batch_of(informed))
    for name in TASKS:
        assert torch.allclose(found[name], expected[name], atol=1e-6)


@KINDS
def test_every_weight_learns_from_the_first_step_or_the_second(kind):
    ready = prepared(kind)
    moved = {name: weight.clone() for name, weight in ready.model.injections.named_parameters()}
    optimizer = torch.optim.SGD(ready.model.parameters(), 1.0)
    for _ in range(2):
        sum(loss.sum() for loss in ready.model.losses(batch_of(ready)).values()).backward()
        optimizer.step()
        optimizer.zero_grad()
    still = [n for n, w in ready.model.injections.named_parameters() if torch.equal(w, moved[n])]
    assert not still


@KINDS
def test_names_never_seen_in_training_are_known_by_what_is_known_of_them(kind):
    ready = trained(kind)
    base = Base(Snapshot.of([*FACTS, Fact("Oxo", "type", "firm"), Fact("Eva", "type", "man")]))
    ready.model.knowing = ready.model.knowing.about(base)
    asked = Prepared.of(ready.model, {"text": column([{"text": "Oxo won"}, {"text": "Eva won"}],
                                                     "text", "string")})  # fmt: skip
    assert [a["about"]["label"] for a in answers(asked)] == ["firm", "man"]
    assert [a["who"]["spans"][0]["label"] for a in answers(asked)] == ["ORG", "PER"]


@KINDS
def test_a_changed_fact_changes_the_answer_at_once(kind):
    ready = trained(kind)
    swapped = [
        Fact(f.subject, f.predicate, {"firm": "man", "man": "firm"}.get(f.object, f.object))
        for f in FACTS
        if f.predicate == "type"
    ]
    for kinds, label in ((["firm"], "firm"), (["man"], "man")):
        facts = [*swapped, *(Fact("Zed", "type", one) for one in kinds)]
        ready.model.knowing = ready.model.knowing.about(Base(Snapshot.of(facts)))
        asked = Prepared.of(ready.model, {"text": column([{"text": "Zed won"}], "text", "string")})
        assert answers(asked)[0]["about"]["label"] == label


@KINDS
def test_an_empty_knowledge_base_is_no_obstacle(kind):
    ready = trained(kind)
    ready.model.knowing = ready.model.knowing.about(Base(empty()))
    asked = Prepared.of(ready.model, {"text": column(ROWS, "text", "string")})
    assert len(answers(asked)) == len(ROWS)


@KINDS
def test_an_answer_does_not_depend_on_its_batch(kind):
    ready = trained(kind)
    together = answers(ready)
    answerer = Answerer([(ready.model, list(TASKS))], {})
    for place in range(len(FIRMS) + 1):
        (alone,) = answerer.answers(ready, np.array([place]))
        assert alone["about"]["label"] == together[place]["about"]["label"]
        assert alone["about"]["probability"] == pytest.approx(
            together[place]["about"]["probability"], abs=1e-5
        )


@KINDS
def test_a_saved_model_answers_the_same(kind, tmp_path):
    ready = trained(kind)
    save_model(tmp_path, ready.model, {})
    injections = list(ready.model.knowing.injections.values())
    readers = kept_readers(tmp_path, ready.model.inputs, injections)
    again = Knowing.of(Base(kept_facts(tmp_path)), injections, readers)
    ((model, _),) = load_passes(tmp_path, ready.model.inputs, TASKS, None, again)
    asked = Prepared.of(model, {"text": column(ROWS, "text", "string")})
    assert answers(asked) == answers(ready)


@KINDS
def test_settings_are_written_out_and_read_back(kind):
    found = next(iter(knowing(kind).injections.values()))
    assert INJECTIONS.build(dump(found), at="knowledge.injection") == found


@KINDS
def test_a_dropout_that_is_no_share_is_refused(kind):
    with pytest.raises(ProjectError, match=r"`knowledge.injection.dropout` is 1.5. Expected 0"):
        replace(EXAMPLES[kind], dropout=1.5)


@KINDS
def test_pretrained_encoders_are_told_too_frozen_or_not(kind, tiny):
    for tune in ("full", "frozen"):
        ready = prepared(kind, inputs={"text": tiny_text(tiny, tune=tune)})
        plain = prepared(None, inputs={"text": tiny_text(tiny, tune=tune)})
        with torch.no_grad():
            found = ready.model.eval()(batch_of(ready))
            expected = plain.model.eval()(batch_of(plain))
        assert torch.allclose(found["who"], expected["who"], atol=1e-6)
