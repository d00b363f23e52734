"""What every kind of injection promises. A kind without a row in EXAMPLES fails."""

import copy
import itertools
from dataclasses import replace

import numpy as np
import pytest
import torch
from making import column, hashing, made, settings, tiny_text

from allrounder.errors import ProjectError
from allrounder.injection import INJECTIONS, Facts, Gated, Gazetteer, Verbalized, VisibleMatrix
from allrounder.kinds import dump
from allrounder.knowledge import Base, Fact, Snapshot
from allrounder.knowledge.controls import empty
from allrounder.model import (
    Answerer,
    Knowing,
    Lent,
    Prepared,
    load_passes,
    save_model,
    store_frozen,
)
from allrounder.model.knowing import fresh_readers, kept_facts, kept_readers
from allrounder.tasks import Multiclass, Spans
from allrounder.training.loop import Loop

EXAMPLES = {
    "gazetteer": Gazetteer(of="text", dropout=0.0),
    "facts": Facts(of="text", dropout=0.0, heads=2, inner=8),
    "verbalized": Verbalized(of="text"),
    "visible_matrix": VisibleMatrix(of="text"),
}
KINDS = pytest.mark.parametrize("kind", sorted(INJECTIONS.builtin))
GATED = pytest.mark.parametrize(
    "kind", [name for name, kind in sorted(INJECTIONS.builtin.items()) if issubclass(kind, Gated)]
)
READ = pytest.mark.parametrize(
    "kind",
    [name for name, kind in sorted(INJECTIONS.builtin.items()) if not issubclass(kind, Gated)],
)

SYLLABLES = "ac ze go oro lin ben ta".split(), "me ta rex wi ode rau fin os un".split()
NAMES = [(one + other).capitalize() for one, other in itertools.product(*SYLLABLES)]
FIRMS, MEN = NAMES[::2], NAMES[1::2]
FACTS = [
    *(Fact(name, "type", "bank") for name in FIRMS),
    *(Fact(name, "type", "coach") for name in MEN),
    *(Fact(name, "sells", "cars") for name in FIRMS[::2]),
]
BASE = Base(Snapshot.of(FACTS))
TASKS = {
    "who": Spans(of="text", labels=["ORG", "PER"]),
    "about": Multiclass(labels=["bank", "coach"]),
}


def row(name):
    kind = ("ORG", "bank") if name in FIRMS else ("PER", "coach")
    return {"text": f"{name} won", "who": [{"start": 0, "end": len(name), "label": kind[0]}],
            "about": kind[1]}  # fmt: skip


ROWS = [row(name) for name in (*FIRMS, *MEN)]


@pytest.fixture
def inputs(kind, tiny):
    """Return inputs that the injection can reach: some are read by a transformer alone."""
    assert kind in EXAMPLES, f"give the injection kind {kind!r} a row in EXAMPLES"
    return {"text": hashing() if isinstance(EXAMPLES[kind], Gated) else tiny_text(tiny)}


def knowing(kind, inputs, base=BASE):
    """Return what a model knows by one injection, learned on the rows."""
    found = EXAMPLES[kind].learn(base, [base.link(column(ROWS, "text", "string"))])
    return Knowing.of(base, [found], fresh_readers(inputs, [found]))


def prepared(kind, inputs, rows=ROWS, base=BASE):
    known = None if kind is None else knowing(kind, inputs, base)
    return made(TASKS, rows, inputs=inputs, knowing=known)


def batch_of(ready):
    every = np.arange(len(ready))
    return ready.batch(every, ready.labeled(every, list(ready.model.tasks)), targets=True)


def answers(ready):
    return Answerer([(ready.model, list(TASKS))], {}).answers(ready, np.arange(len(ready)))


@pytest.fixture(scope="module")
def learned():
    """The weights that came of training, by kind: it takes seconds."""
    return {}


@pytest.fixture
def trained(kind, inputs, learned):
    """A model that learned from the rows."""
    ready = prepared(kind, inputs)
    if kind not in learned:
        rates = {"head_lr": 0.02, "lr": 0.004}
        loop = Loop(ready.model, ready, np.arange(len(ready)), settings(epochs=60, **rates))
        for _ in loop.steps():
            pass
        learned[kind] = copy.deepcopy(ready.model.state_dict())
    ready.model.load_state_dict(learned[kind])
    ready.model.eval()
    return ready


@GATED
def test_at_the_start_a_model_scores_as_it_would_without(kind, inputs):
    plain, informed = prepared(None, inputs), prepared(kind, inputs)
    with torch.no_grad():
        expected = plain.model.eval()(batch_of(plain))
        found = informed.model.eval()(batch_of(informed))
    for name in TASKS:
        assert torch.allclose(found[name], expected[name], atol=1e-6)


@GATED
def test_every_weight_learns_from_the_first_step_or_the_second(kind, inputs):
    ready = prepared(kind, inputs)
    moved = {name: weight.clone() for name, weight in ready.model.injections.named_parameters()}
    optimizer = torch.optim.SGD(ready.model.parameters(), 1.0)
    for _ in range(2):
        sum(loss.sum() for loss in ready.model.losses(batch_of(ready)).values()).backward()
        optimizer.step()
        optimizer.zero_grad()
    still = [n for n, w in ready.model.injections.named_parameters() if torch.equal(w, moved[n])]
    assert not still


@KINDS
def test_names_never_seen_in_training_are_known_by_what_is_known_of_them(trained):
    ready = trained
    base = Base(Snapshot.of([*FACTS, Fact("Oxo", "type", "bank"), Fact("Eva", "type", "coach")]))
    ready.model.knowing = ready.model.knowing.about(base)
    asked = Prepared.of(ready.model, {"text": column([{"text": "Oxo won"}, {"text": "Eva won"}],
                                                     "text", "string")})  # fmt: skip
    assert [a["about"]["label"] for a in answers(asked)] == ["bank", "coach"]
    assert [a["who"]["spans"][0]["label"] for a in answers(asked)] == ["ORG", "PER"]


@KINDS
def test_a_changed_fact_changes_the_answer_at_once(trained):
    ready = trained
    swapped = [
        Fact(f.subject, f.predicate, {"bank": "coach", "coach": "bank"}.get(f.object, f.object))
        for f in FACTS
        if f.predicate == "type"
    ]
    for kinds, label in ((["bank"], "bank"), (["coach"], "coach")):
        facts = [*swapped, *(Fact("Zed", "type", one) for one in kinds)]
        ready.model.knowing = ready.model.knowing.about(Base(Snapshot.of(facts)))
        asked = Prepared.of(ready.model, {"text": column([{"text": "Zed won"}], "text", "string")})
        assert answers(asked)[0]["about"]["label"] == label


@KINDS
def test_a_fact_that_is_kept_back_is_as_if_it_were_not_known(trained):
    ready, asks = trained, {"text": column(ROWS[:1], "text", "string")}
    number = BASE.snapshot.entities.index(FIRMS[0])
    asked = Prepared.of(ready.model, asks)
    hidden = replace(asked, hidden={0: {Lent("text", 0, number, "type: bank")}})
    ready.model.knowing = ready.model.knowing.about(Base(Snapshot.of(FACTS[1:])))
    fewer = Prepared.of(ready.model, asks)
    with torch.no_grad():
        usual, kept_back, unknown = (
            ready.model(one.batch(np.arange(1), one.asked(np.arange(1), TASKS)))["about"]
            for one in (asked, hidden, fewer)
        )
    assert torch.allclose(kept_back, unknown, atol=1e-5)
    assert not torch.allclose(kept_back, usual, atol=1e-3)


@KINDS
def test_an_empty_knowledge_base_is_no_obstacle(trained):
    ready = trained
    ready.model.knowing = ready.model.knowing.about(Base(empty()))
    asked = Prepared.of(ready.model, {"text": column(ROWS, "text", "string")})
    assert len(answers(asked)) == len(ROWS)


@KINDS
def test_an_answer_does_not_depend_on_its_batch(trained):
    ready = trained
    together = answers(ready)
    answerer = Answerer([(ready.model, list(TASKS))], {})
    for place in range(len(FIRMS) + 1):
        (alone,) = answerer.answers(ready, np.array([place]))
        assert alone["about"]["label"] == together[place]["about"]["label"]
        assert alone["about"]["probability"] == pytest.approx(
            together[place]["about"]["probability"], abs=1e-5
        )


@KINDS
def test_a_saved_model_answers_the_same(trained, tmp_path):
    ready = trained
    save_model(tmp_path, ready.model, {})
    injections = list(ready.model.knowing.injections.values())
    readers = kept_readers(tmp_path, ready.model.inputs, injections)
    again = Knowing.of(Base(kept_facts(tmp_path)), injections, readers)
    ((model, _),) = load_passes(tmp_path, ready.model.inputs, TASKS, None, again)
    asked = Prepared.of(model, {"text": column(ROWS, "text", "string")})
    assert answers(asked) == answers(ready)


@KINDS
def test_settings_are_written_out_and_read_back(kind, inputs):
    found = next(iter(knowing(kind, inputs).injections.values()))
    assert INJECTIONS.build(dump(found), at="knowledge.injection") == found


@GATED
def test_a_dropout_that_is_no_share_is_refused(kind):
    with pytest.raises(ProjectError, match=r"`knowledge.injection.dropout` is 1.5. Expected 0"):
        replace(EXAMPLES[kind], dropout=1.5)


@GATED
def test_pretrained_encoders_are_told_too_frozen_or_not(kind, tiny):
    for tune in ("full", "frozen"):
        ready = prepared(kind, {"text": tiny_text(tiny, tune=tune)})
        plain = prepared(None, {"text": tiny_text(tiny, tune=tune)})
        with torch.no_grad():
            found = ready.model.eval()(batch_of(ready))
            expected = plain.model.eval()(batch_of(plain))
        assert torch.allclose(found["who"], expected["who"], atol=1e-6)


@READ
def test_what_is_mentioned_without_a_fact_is_read_as_by_a_plain_model(kind, inputs):
    ready, plain = prepared(kind, inputs), prepared(None, inputs)
    ready.model.knowing = ready.model.knowing.about(Base(empty()))
    bare = Prepared.of(ready.model, {"text": column(ROWS, "text", "string")})
    alike = Prepared.of(plain.model, {"text": column(ROWS, "text", "string")})
    assert answers(bare) == answers(alike)


@READ
def test_facts_are_read_by_frozen_layers_once_and_the_answers_stay(kind, tiny, tmp_path):
    for tune in ("frozen", "top:1"):
        ready = prepared(kind, {"text": tiny_text(tiny, tune=tune)})
        ready.model.eval()
        expected = answers(ready)
        rows = np.arange(len(ready))
        store_frozen(ready, rows, cache=tmp_path / tune, progress=lambda *_: None)
        assert "text" in ready.stored
        for found, fresh in zip(answers(ready), expected, strict=True):
            likely = fresh["about"]["probability"]
            assert found["about"]["probability"] == pytest.approx(likely, abs=5e-3)


@READ
def test_other_facts_are_not_answered_from_what_was_kept(kind, tiny, tmp_path):
    inputs = {"text": tiny_text(tiny, tune="frozen")}
    other = Base(Snapshot.of([fact._replace(object="law") for fact in FACTS]))
    found = []
    for base in (BASE, other):
        ready = prepared(kind, inputs, base=base)
        store_frozen(ready, np.arange(len(ready)), cache=tmp_path, progress=lambda *_: None)
        found.append(answers(ready))
    assert found[0] != found[1]
