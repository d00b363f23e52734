"""With fusion by attention, tasks that read tokens read what these heard of the other inputs."""

import numpy as np
import pytest
import torch
from making import hashing, made, settings

from allrounder.fusion import Attention, Concat
from allrounder.model import Answerer
from allrounder.tasks import Multiclass, Spans
from allrounder.training.loop import Loop

ATTENTION = Attention(width=16, heads=2, layers=2, bottlenecks=2, modality_dropout=0.0)
SPANS = {"who": Spans(of="text", labels=["PER", "ORG"])}
INPUTS = {"text": hashing(), "hint": hashing("hint", width=8)}


def record(number, hint):
    """The hint alone tells what Acme is."""
    filler = ["fell", "rose again", "said so today", "won"][number % 4]
    label = {"a firm": "ORG", "a man": "PER"}.get(hint, "PER")
    row = {"text": f"Acme {filler}", "who": [{"start": 0, "end": 4, "label": label}]}
    return {**row, "hint": hint} if hint else row


ROWS = [record(i, ["a firm", "a man"][i // 4 % 2]) for i in range(32)]


def batch_of(prepared):
    every = np.arange(len(prepared))
    return prepared.batch(every, prepared.labeled(every, list(prepared.model.tasks)), targets=True)


def test_at_the_start_the_tokens_are_exactly_those_of_the_text_alone():
    prepared = made(SPANS, ROWS, inputs=INPUTS, fusion=ATTENTION)
    model, batch = prepared.model.eval(), batch_of(prepared)
    features = model.features(batch)
    assert model.fused == ["who"]
    assert torch.equal(model.read(features, batch)["who"], features["text"].tokens)


def test_with_an_open_gate_they_are_not():
    prepared = made(SPANS, ROWS, inputs=INPUTS, fusion=ATTENTION)
    model, batch = prepared.model.eval(), batch_of(prepared)
    features = model.features(batch)
    with torch.no_grad():
        model.openings["text"].gate.fill_(1.0)
    read = model.read(features, batch)["who"]
    assert not torch.allclose(read, features["text"].tokens)
    alone = model.read({"text": features["text"]}, batch)["who"]
    assert not torch.allclose(read, alone), "the hint is heard"


def trained(fusion, rows=ROWS, epochs=40):
    prepared = made(SPANS, rows, inputs=INPUTS, fusion=fusion)
    torch.manual_seed(0)
    loop = Loop(
        prepared.model, prepared, np.arange(len(rows)), settings(epochs=epochs, head_lr=0.01)
    )
    for _ in loop.steps():
        pass
    return prepared


def right(prepared, rows):
    answerer = Answerer([(prepared.model, ["who"])], {})
    answers = answerer.answers(prepared, np.arange(len(rows)))
    said = [
        [{k: s[k] for k in ("start", "end", "label")} for s in a["who"]["spans"]] for a in answers
    ]
    return np.mean([one == row["who"] for one, row in zip(said, rows, strict=True)])


def test_a_tagging_that_another_input_decides_is_learned():
    assert right(trained(ATTENTION), ROWS) == 1.0
    assert right(trained(Concat()), ROWS) < 0.7, "the text alone does not tell"


def test_a_record_without_the_other_input_is_still_tagged():
    rows = ROWS + [record(i, None) for i in range(8)]
    prepared = trained(ATTENTION, rows)
    assert right(prepared, rows) == 1.0


def test_a_hidden_text_hears_nothing():
    hiding = Attention(width=16, heads=2, layers=2, bottlenecks=2, modality_dropout=0.5)
    prepared = made(SPANS, ROWS, inputs=INPUTS, fusion=hiding)
    model, batch = prepared.model.train(), batch_of(prepared)
    with torch.no_grad():
        model.openings["text"].gate.fill_(1.0)
    features = model.features(batch)
    read, plain = model.read(features, batch)["who"], features["text"].tokens
    alike = (read == plain).flatten(1).all(-1)
    assert alike.any() and not alike.all()


def test_a_project_of_one_input_has_no_fusion():
    model = made(SPANS, ROWS, inputs={"text": hashing()}, fusion=ATTENTION).model
    assert model.fusion is None
    assert model.fused == [] and not model.openings


@pytest.mark.parametrize("fusion", [Concat(), ATTENTION], ids=lambda fusion: fusion.kind_name())
def test_tokens_are_asked_for_where_the_fusion_reads_them(fusion):
    tasks = {"it": Multiclass(labels=["up", "down"])}
    rows = [
        {"text": "Acme rose", "hint": "a firm", "it": "up"},
        {"text": "Acme fell", "it": "down"},
    ]
    prepared = made(tasks, rows, inputs=INPUTS, fusion=fusion)
    found = prepared.model.features(batch_of(prepared))
    reads = fusion.reads_tokens
    assert [one.tokens is not None for one in found.values()] == [reads, reads]
    assert prepared.model.reads_tokens("hint") == (["it"] if reads else [])


def test_gradients_of_tasks_meet_at_tokens_and_vectors_of_all_inputs():
    tasks = {**SPANS, "it": Multiclass(labels=["up", "down"])}
    rows = [{**row, "it": "up" if at % 2 else "down"} for at, row in enumerate(ROWS)]
    rows.append({"text": "Acme fell and then it rose again", "it": "up"})
    losses = {}
    for weighting in ("sum", "nash_mtl"):
        prepared = made(tasks, rows, inputs=INPUTS, fusion=ATTENTION)
        keys = settings(epochs=3, head_lr=0.01, weighting=weighting)
        torch.manual_seed(0)
        steps = list(Loop(prepared.model, prepared, np.arange(len(rows)), keys).steps())
        losses[weighting] = steps[0].losses
        assert all(np.isfinite(list(step.losses.values())).all() for step in steps)
    assert losses["sum"] == pytest.approx(losses["nash_mtl"]), "padding stays padding"
