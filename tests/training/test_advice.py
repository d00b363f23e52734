"""Advice on sharing: what is measured on toys whose truth is known, and what is said of it."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from making import made, newsroom, settings, tiny_text, write_newsroom

from allrounder import Project
from allrounder.errors import DataError
from allrounder.evaluation.score import Score
from allrounder.tasks import Regression
from allrounder.training.advice import Probe, cosines, kept_advice
from allrounder.training.hints import best_groups, hints

WORDS = ("great", "good", "poor", "bad")
WORTH = dict(zip(WORDS, (4.0, 3.0, 2.0, 1.0), strict=True))


def toy(tiny, sign, size=96):
    """Return a probe of two tasks on records of their own that say the same, or the opposite.

    Their heads are one, so that opposite labels pull the encoder in opposite directions.
    """
    rows = []
    for i in range(size):
        word = WORDS[i % 4]
        name, worth = ("a", WORTH[word]) if i % 8 < 4 else ("b", sign * WORTH[word])
        rows.append({"text": f"a {word} day {i}", name: worth})
    tasks = {name: Regression(center=0.0, scale=1.0) for name in ("a", "b")}
    prepared = made(tasks, rows, inputs={"text": tiny_text(tiny, tune="full")})
    head = prepared.model.heads["b"] = prepared.model.heads["a"]
    with torch.no_grad():  # answers near 0, so that labels decide where the gradient points
        for weight in head.parameters():
            weight.mul_(0.1)
    return Probe(prepared.model.eval(), prepared, settings(seed=1), list(tasks))


def measured(probe, times=3):
    found = [probe.measure() for _ in range(times)]
    cos, before, after = (np.concatenate(parts).mean(0) for parts in zip(*found, strict=True))
    return cos, 1 - after / before


def test_tasks_that_say_the_same_have_one_gradient_and_help_one_another(tiny):
    cos, affinity = measured(toy(tiny, sign=1))
    assert cos[0, 1] == pytest.approx((cos[0, 0] + cos[1, 1]) / 2, abs=0.1)
    assert affinity.min() > 0


def test_tasks_that_contradict_have_opposite_gradients_and_hurt_one_another(tiny):
    cos, affinity = measured(toy(tiny, sign=-1))
    assert cos[0, 0] > 0.3
    assert cos[0, 1] < -0.3
    assert affinity[0, 0] > 0 > affinity[0, 1]
    assert affinity[1, 1] > 0 > affinity[1, 0]


def test_measuring_leaves_the_model_as_it_was(tiny):
    probe = toy(tiny, sign=1)
    before = {name: w.detach().clone() for name, w in probe.model.named_parameters()}
    probe.measure()
    assert all(torch.equal(w, before[name]) for name, w in probe.model.named_parameters())


def test_what_is_learned_is_not_measured_on(tiny):
    probe = toy(tiny, sign=1)
    for name in ("a", "b"):
        assert not set(probe.learned[name]) & set(probe.measured[name])


def test_labels_without_a_text_are_named(tiny):
    rows = [{"text": "a day", "a": 1.0}] * 8 + [{"b": 1.0}] * 8
    tasks = {name: Regression(center=0.0, scale=1.0) for name in ("a", "b")}
    prepared = made(tasks, rows, inputs={"text": tiny_text(tiny, tune="full")})
    with pytest.raises(DataError, match="Hardly a training record with a label of b has the text"):
        Probe(prepared.model, prepared, settings(), list(tasks))


def test_cosines_are_those_of_known_gradients():
    x, y = torch.tensor([1.0, 0.0]), torch.tensor([0.0, 2.0])
    batches = torch.stack([torch.stack([x, y, -3 * x, 0 * x]), torch.stack([x, -y, x + y, 0 * x])])
    found = cosines(batches)
    assert found[0, 0].tolist() == [1, 0, -1, 0]
    assert found[0, 1, 1] == -1, "a task meets itself on the next batch"
    assert found[1, 0, 2] == pytest.approx(1 / 5**0.5)
    assert not found[:, 3].any(), "no gradient, no direction"


# ------------------------------------------------------------------ words


def square(**rows):
    """Return affinities with intervals of ±1, every task 5 onto itself."""
    names = list(rows)
    return {
        a: {b: Score(value=v, low=v - 1, high=v + 1)
            for b, v in {**dict.fromkeys(names, 0.0), a: 5.0, **rows[a]}.items()}
        for a in names
    }  # fmt: skip


def said(affinities, counts=None, sizes=(10, 20)):
    counts = counts or dict.fromkeys(affinities, 100)
    return hints(affinities, best_groups(affinities), counts, sizes)


def test_within_noise_nothing_is_parted():
    affinities = square(a={"b": -0.9}, b={"a": 0.5}, c={})
    assert best_groups(affinities) == [["a", "b", "c"]]
    first = said(affinities)[0]
    assert first.sentence == (
        "No evidence for splitting: train together, and let twins show what a short probe cannot. "
        "What a step of one task does to another is "
        "within noise (at most a → b -0.900 [-1.900, +0.100] % of its loss taken away)."
    )
    assert first.yaml == "training: {twins: true}"


def test_tasks_that_help_one_another_train_together():
    first = said(square(a={"b": 3.0}, b={}))[0]
    assert first.sentence == (
        "Train all tasks together: steps of some take away loss of others (a → b +3.000 [+2.000, "
        "+4.000] %); twins show whether the whole training does."
    )


def test_tasks_that_hurt_are_parted_and_tasks_that_do_nothing_are_not():
    affinities = square(a={"b": 3.0, "d": -4.0}, b={"a": 2.0}, c={}, d={})
    groups = best_groups(affinities)
    assert sorted(map(sorted, groups)) in ([["a", "b", "c"], ["d"]], [["a", "b"], ["c", "d"]])
    first = said(affinities)[0]
    assert "(a → d -4.000 [-5.000, -3.000] % of the loss taken away)" in first.sentence
    assert first.yaml == "training: {twins: true}"


def test_a_step_that_does_not_help_its_own_task_is_no_evidence():
    affinities = square(a={"a": 0.5, "b": -4.0}, b={})
    assert best_groups(affinities) == [["a", "b"]]
    assert "the probe was too short" in said(affinities)[0].sentence


def test_many_tasks_are_parted_one_by_one():
    names = [f"t{i}" for i in range(10)]
    affinities = square(**{name: {"t9": -2.0} if name != "t9" else {} for name in names})
    assert best_groups(affinities) == [names[:9], ["t9"]]


def test_the_size_rule_in_words():
    order = [hint for hint in said(square(a={}, b={}), {"a": 600, "b": 2500})
             if hint.about == "order"]  # fmt: skip
    assert [hint.sentence for hint in order] == [
        "a has 600 training labels, b 2,500: smaller than its support, so train it jointly "
        "(Weller et al. 2022).",
        "b has 2,500 training labels, a 600: larger than any other, so where it matters most "
        "train the others first (Weller et al. 2022).",
    ]
    assert [hint.yaml for hint in order] == [None, "training: {first: [a]}"]
    alike = said(square(a={}, b={}), {"a": 600, "b": 620})
    assert all("says nothing" in hint.sentence for hint in alike if hint.about == "order")


@pytest.mark.parametrize(
    ("sizes", "yaml"),
    [
        ((10, 101), "training: {sampling: {kind: smoothed, alpha: 0.5}}"),
        ((10, 100), "training: {sampling: proportional}"),
    ],
)
def test_sampling_is_smoothed_beyond_ten_to_one(sizes, yaml):
    assert said(square(a={}, b={}), sizes=sizes)[-1].yaml == yaml


# ------------------------------------------------------------------ projects


@pytest.fixture
def project(tmp_path, tiny):
    """The small newsroom with an encoder that learns, and its advice."""
    training = {**newsroom()["training"], "epochs": 1, "probe": False, "twins": True}
    inputs = {"text": {"kind": "text", "model": tiny, "tune": "full", "max_tokens": 32}}
    return write_newsroom(tmp_path, size=12, inputs=inputs, training=training)


def test_the_same_seed_gives_the_same_advice_and_another_one_other_numbers(project):
    first, again = (Project.load(project).check(sharing=True).sharing for _ in range(2))
    assert replace(first, seconds=0) == replace(again, seconds=0)
    other = Project.load(project, changes=["training.seed=1"]).check(sharing=True).sharing
    assert other.affinities != first.affinities
    assert not (project.parent / "runs").exists(), "no run is made"


def test_the_report_of_the_next_training_says_whether_the_advice_came_true(project):
    advice = Project.load(project).check(sharing=True).sharing
    report = Project.load(project).train()
    assert report.advice == advice
    assert set(report.outcomes) == {"topic", "mood", "entities"}
    assert "Did the advice come true?" in str(report)
    run = Project.load(project).run.path
    assert "Did the advice come true?" in (run / "report.html").read_text()
    assert json.loads((run / "metrics.json").read_text())["advice"]["groups"] == advice.groups


def test_advice_on_other_records_is_stale(project):
    Project.load(project).check(sharing=True)
    with open(project.parent / "rated.jsonl", "a", encoding="utf-8") as file:
        file.write('{"text": "A new day", "mood": 1.0}\n')
    report = Project.load(project, changes=["training.twins=false"]).train()
    assert report.advice is None
    assert report.outcomes == {}


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"key": "?", "advice": 1}'])
def test_advice_that_cannot_be_read_is_none(tmp_path, text):
    sections = {"tasks": {}, "inputs": {}}
    assert kept_advice(tmp_path, "records", sections) is None
    (tmp_path / "advice.json").write_text(text)
    assert kept_advice(tmp_path, "records", sections) is None


def test_an_encoder_that_does_not_learn_leaves_nothing_to_advise_on(project):
    found = Project.load(project, changes=["inputs.text.tune=frozen"]).check(sharing=True).sharing
    assert [hint.sentence for hint in found.hints] == [
        "No weight below the heads learns, so the tasks cannot help or hurt one another: only "
        "`inputs.*.tune` changes that."
    ]
    assert str(found).startswith("- No weight below")


def test_one_task_shares_with_nobody(tmp_path):
    file = write_newsroom(
        tmp_path, tasks={"topic": "multiclass"}, sources=newsroom()["sources"][:1]
    )
    with pytest.raises(DataError) as error:
        Project.load(file).check(sharing=True)
    assert str(error.value) == (
        "Advice on sharing needs two tasks with 8 training labels or more that learn. Found 1."
    )
