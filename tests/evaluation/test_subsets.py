"""Missing inputs: how a task fares without them, and how sure it may be then."""

import json
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from making import hashing, made, settings

from allrounder.evaluation.fitting import FEWEST, calibrate
from allrounder.evaluation.robustness import robustness
from allrounder.fusion import Attention, Concat
from allrounder.model import Answerer, scored, scored_by_subset
from allrounder.model.subsets import by_missing, fitting, subsets
from allrounder.tasks import Multiclass, Regression, Spans
from allrounder.training.loop import Loop

TASKS = {"it": Multiclass(labels=["up", "down"]), "size": Regression(center=0.0, scale=1.0)}
INPUTS = {"text": hashing(buckets=64), "hint": hashing("hint", width=8, buckets=64)}


def record(rng, *, only: str | None = None) -> dict:
    """Two in three texts tell the label, and nine in ten hints."""
    label = rng.choice(["up", "down"])
    other = {"up": "down", "down": "up"}[label]
    text = label if rng.random() < 0.67 else other
    hint = label if rng.random() < 0.9 else other
    row = {"text": f"it went {text} {rng.integers(30)}", "hint": f"{hint}ward {rng.integers(30)}"}
    given = {name: row[name] for name in row if only in (None, name)}
    return {**given, "it": str(label), "size": 1.0 if label == "up" else -1.0}


@pytest.fixture(scope="module")
def trained():
    """A model that has learned 300 records too well, and its rows: train, validation, test."""
    rng = np.random.default_rng(0)
    rows = [record(rng) for _ in range(900)]
    rows += [record(rng, only=name) for name in ("text", "hint") * 50]
    prepared = made(TASKS, rows, inputs=INPUTS, fusion=Concat(modality_dropout=0.3))
    torch.manual_seed(0)
    train = np.arange(300)
    for _ in Loop(prepared.model, prepared, train, settings(epochs=20, head_lr=0.02)).steps():
        pass
    validation = np.concatenate([np.arange(300, 600), np.arange(900, 1000)])
    labels = {name: [row[name] for row in rows] for name in TASKS}
    records = SimpleNamespace(take=lambda name, at: [labels[name][int(row)] for row in at])
    return prepared, records, validation, np.arange(600, 900)


def passes(prepared):
    return [(prepared.model, list(prepared.model.tasks))]


def test_a_calibration_is_fitted_for_each_set_of_missing_inputs(trained):
    prepared, _, validation, _ = trained
    found = calibrate(passes(prepared), prepared, validation)
    assert found.keys() == {"it", "size"}
    for name, key in (("it", "temperature"), ("size", "reach")):
        assert found[name].keys() == {key, "without"}
        assert found[name]["without"].keys() == {"text", "hint"}
    assert found["size"]["without"]["hint"]["reach"] > found["size"]["reach"]
    assert json.loads(json.dumps(found)) == found


def test_without_an_input_answers_are_less_sure_and_more_honest(trained):
    prepared, records, validation, test = trained
    known = calibrate(passes(prepared), prepared, validation)
    one = {name: {k: v for k, v in fit.items() if k != "without"} for name, fit in known.items()}
    fitted, single = (
        {
            tuple(row.inputs): row
            for row in robustness(
                passes(prepared), prepared, records, test, calibration=calibration, seed=0
            )["it"].subsets
        }
        for calibration in (known, one)
    )
    assert list(fitted) == [("text",), ("hint",), ("text", "hint")]
    assert fitted[("text",)].confidence < fitted[("hint",)].confidence - 0.1
    assert fitted[("hint",)].confidence < fitted[("text", "hint")].confidence + 0.02
    for some in (("text",), ("hint",)):
        assert fitted[some].ece < single[some].ece, some
        assert fitted[some].metrics == single[some].metrics
    assert fitted[("text", "hint")] == single[("text", "hint")]


def test_every_subset_is_judged_on_the_same_records_with_all_inputs(trained):
    prepared, records, _, test = trained
    rows = np.concatenate([test, np.arange(900, 1000)])
    found = robustness(passes(prepared), prepared, records, rows, calibration={}, seed=0)
    assert found["it"].num_records == 300
    scores = [row.metrics["accuracy"] for row in found["it"].subsets]
    assert all(score.low < score.value < score.high for score in scores)
    assert scores[0].value < min(scores[1].value, scores[2].value)
    assert next(iter(found["size"].subsets[0].metrics)) == TASKS["size"].decides
    assert found["size"].subsets[0].ece is None


def test_a_subset_is_what_the_same_records_get_when_they_really_lack_the_rest():
    rng = np.random.default_rng(1)
    rows = [record(rng) for _ in range(8)]
    whole = made(TASKS, rows, inputs=INPUTS)
    fewer = [{k: v for k, v in row.items() if k != "hint"} for row in rows]
    lacking = made(TASKS, fewer, inputs=INPUTS)
    hidden = {
        part.task: part
        for some, part in scored_by_subset(whole.model, whole, np.arange(8), tasks=["it", "size"])
        if some == ("text",)
    }
    for part in scored(lacking.model, lacking, np.arange(8), labeled=True):
        assert np.array_equal(part.rows, hidden[part.task].rows)
        torch.testing.assert_close(part.scores, hidden[part.task].scores)


def test_an_answer_takes_the_calibration_of_the_inputs_that_its_record_has():
    rng = np.random.default_rng(2)
    rows = [record(rng), record(rng, only="text"), record(rng, only="hint"), record(rng)]
    prepared = made(TASKS, rows, inputs=INPUTS)
    known = {"it": {"temperature": 1.0, "without": {"hint": {"temperature": 9.0}}}}
    answerers = [Answerer(passes(prepared), fit) for fit in ({}, known)]
    answers = [answerer.answers(prepared, np.arange(4)) for answerer in answerers]
    sure = [[answer["it"]["probability"] for answer in some] for some in answers]
    assert sure[1][1] < sure[0][1]
    for same in (0, 2, 3):
        assert sure[0][same] == sure[1][same]


def test_files_of_before_are_still_read():
    assert fitting({"temperature": 2.0}, ("image",)) == {"temperature": 2.0}
    assert fitting({}, ("image",)) == {}


def test_what_was_not_fitted_takes_the_next_wider_lack():
    lacks = {"a+b+c": 4, "a+b": 3, "c": 2}
    known = {"temperature": 1, "without": {name: {"temperature": t} for name, t in lacks.items()}}
    for missing, temperature in (((), 1), (("a",), 3), (("c",), 2), (("b", "c"), 4), (("d",), 1)):
        assert fitting(known, missing) == {"temperature": temperature}


def test_a_handful_of_records_is_not_fitted_to():
    rng = np.random.default_rng(3)
    rows = [record(rng) for _ in range(FEWEST)] + [record(rng, only="text") for _ in range(5)]
    prepared = made(TASKS, rows, inputs=INPUTS)
    found = calibrate(passes(prepared), prepared, np.arange(len(rows)))
    assert found["it"]["without"].keys() == {"text", "hint"}
    found = calibrate(passes(prepared), prepared, np.arange(10))
    assert found["it"].keys() == {"temperature"}


def test_a_task_that_reads_one_input_has_one_calibration():
    rng = np.random.default_rng(4)
    rows = [record(rng) for _ in range(30)]
    prepared = made({"it": Multiclass(of="text", labels=["up", "down"])}, rows, inputs=INPUTS)
    assert calibrate(passes(prepared), prepared, np.arange(30))["it"].keys() == {"temperature"}


def test_spans_that_hear_of_other_inputs_are_judged_by_subset_too():
    spans = [{"start": 0, "end": 4, "label": "ORG"}]
    rows = [{"text": f"Acme fell {i}", "hint": "a firm", "who": spans} for i in range(30)]
    task = {"who": Spans(of="text", labels=["ORG"])}
    fusion = Attention(width=8, heads=2)
    prepared = made(task, rows, inputs=INPUTS, fusion=fusion)
    records = SimpleNamespace(take=lambda name, at: [spans for _ in at])
    found = robustness(passes(prepared), prepared, records, np.arange(30), calibration={}, seed=0)
    assert [row.inputs for row in found["who"].subsets] == [["text"], ["text", "hint"]]
    known = calibrate(passes(prepared), prepared, np.arange(30))
    assert known["who"]["without"].keys() == {"hint"}
    Answerer(passes(prepared), known).answers(prepared, np.arange(30))


def test_all_subsets_of_four_inputs_and_the_telling_ones_of_more():
    assert len(subsets("abcd")) == 15
    assert [len(some) for some in subsets("abcdef")] == [1] * 6 + [5] * 6 + [6]
    assert subsets("ab") == [("a",), ("b",), ("a", "b")]


def test_records_are_told_apart_by_what_they_lack():
    rng = np.random.default_rng(5)
    rows = [record(rng, only=only) for only in (None, "text", "hint", None)]
    prepared = made(TASKS, rows, inputs=INPUTS)
    found = {k: v.tolist() for k, v in by_missing(prepared, np.arange(4)).items()}
    assert found == {(): [0, 3], ("hint",): [1], ("text",): [2]}
