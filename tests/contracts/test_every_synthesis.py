"""What every kind of synthesis promises."""

import json

import numpy as np
import pytest

from allrounder.errors import ProjectError
from allrounder.kinds import dump
from allrounder.synthesis import SYNTHESES, Making, Writing
from allrounder.synthesis.base import identity
from allrounder.synthesis.filters import Filters
from allrounder.synthesis.near import Index

MAKING = sorted(name for name, kind in SYNTHESES.builtin.items() if issubclass(kind, Making))
EVERY = pytest.mark.parametrize("kind", sorted(SYNTHESES.builtin))
EVERY_MAKING = pytest.mark.parametrize("kind", MAKING)


@pytest.fixture
def bench(material_for):
    """Return settings and material of a kind that can make something of the small project."""

    def prepare(kind, **keys):
        options, found = material_for(kind)
        settings = SYNTHESES.build({"kind": kind, **options, **keys}, at="synthesis")
        return settings, found

    return prepare


def everything(settings, material, start=0):
    return [one for block in settings.blocks(material, start) for one in block]


@EVERY_MAKING
def test_something_is_made_of_training_records_alone(bench, kind):
    settings, material = bench(kind)
    made = everything(settings, material)
    assert made
    train = set(material.records.numbers("key")[material.records.indices("train")].tolist())
    judging = set(material.records.numbers("key").tolist()) - train
    assert {one.parent.key for one in made} <= train
    assert not {one.parent.key for one in made} & judging
    for one in made:
        assert one.parent.place.startswith("train.jsonl, line ")
        assert one.confidence is None or 0 <= one.confidence <= 1


@EVERY_MAKING
def test_labels_are_of_the_label_set_and_spans_lie_in_their_text(bench, kind):
    settings, material = bench(kind)
    for one in everything(settings, material):
        assert one.labels
        assert one.labels.keys() <= material.tasks.keys()
        if "topic" in one.labels:
            assert one.labels["topic"] in material.tasks["topic"].labels
        for span in one.labels.get("who", []):
            marked = one.fields["text"][span["start"] : span["end"]]
            assert span["label"] == "WHO"
            assert marked
            if "who" in one.parent.labels:
                (old,) = one.parent.labels["who"]
                assert marked == one.parent.fields["text"][old["start"] : old["end"]]


@EVERY_MAKING
def test_the_same_seed_makes_the_same_and_another_one_something_else(bench, kind):
    settings, material = bench(kind)
    one, other = everything(settings, material), everything(settings, material)
    assert one == other
    ids = [identity(settings, each) for each in one]
    assert len(set(ids)) == len(ids)
    if isinstance(settings, Writing) and kind != "endpoint":
        changed, material = bench(kind, seed=1)
        texts = [[each.fields["text"] for each in some]
                 for some in (one, everything(changed, material))]  # fmt: skip
        assert texts[0] != texts[1]


@EVERY_MAKING
def test_blocks_are_the_same_wherever_one_begins(bench, kind, monkeypatch):
    monkeypatch.setattr("allrounder.synthesis.material.BLOCK", 16)
    settings, material = bench(kind)
    whole = list(settings.blocks(material))
    assert len(whole) == settings.num_blocks(material)
    assert list(settings.blocks(material, len(whole) - 1)) == whole[-1:]
    assert list(settings.blocks(material, len(whole))) == []


@EVERY_MAKING
def test_what_is_made_can_be_written_as_json(bench, kind):
    settings, material = bench(kind)
    for one in everything(settings, material):
        for part in (one.fields, one.labels):
            assert json.loads(json.dumps(part)) == part


@EVERY_MAKING
def test_what_judges_is_never_kept(bench, kind):
    """All that a kind makes is planted in test, in capitals: none of it may be left."""
    settings, material = bench(kind)
    made = everything(settings, material)
    texts = {material.text(one.fields).upper() for one in made}
    filters = Filters(settings, material)
    filters._judged = _index(texts, settings)
    kept, dropped = filters.kept(made)
    assert kept == []
    assert {why for each in dropped.values() for why in each} == {"in test"}


def _index(texts, settings):
    return Index(sorted(texts), settings.similarity), np.full(len(texts), 2)


@EVERY
def test_settings_survive_being_written(bench, kind, material_for):
    options, _ = material_for(kind)
    settings = SYNTHESES.build({"kind": kind, "seed": 3, **options}, at="synthesis")
    assert SYNTHESES.build(json.loads(json.dumps(dump(settings))), at="synthesis") == settings


@EVERY
def test_an_unknown_key_is_refused_with_the_nearest(kind, material_for):
    options, _ = material_for(kind)
    with pytest.raises(ProjectError, match=r"`synthesis.sed` is not a known key\. Did you mean 's"):
        SYNTHESES.build({"kind": kind, **options, "sed": 1}, at="synthesis")


@EVERY_MAKING
def test_a_task_that_it_cannot_make_labels_of_is_refused_by_name(bench, kind):
    settings, material = bench(kind, tasks=["topc"])
    with pytest.raises(ProjectError, match="names 'topc', which is no task"):
        settings.num_blocks(material)
    with pytest.raises(ProjectError, match=r"has `similarity: 0\.1`"):
        bench(kind, similarity=0.1)
