"""What is written by label and what is written anew, by a model tuned on the labelled records."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from sentences import DID, HAN, sentences, write_sentences

from allrounder import Project, authoring
from allrounder.errors import ProjectError
from allrounder.plan import make_plan, read_plan
from allrounder.synthesis import Conditional, Made, Paraphrase
from allrounder.synthesis.filters import Filters
from allrounder.synthesis.material import Author
from allrounder.synthesizing import material_of

MARKS = {label: [*DID[label], *HAN[label]] for label in DID}


def everything(settings, material):
    return [one for block in settings.blocks(material) for one in block]


def echo(texts):
    """Return an author that writes some texts in turn, whatever it is asked; None has no end."""
    told = iter(texts)

    def write(asked, seed):
        return [(text or "", text is not None) for text in (next(told) for _ in asked)]

    return lambda *_: Author(note="An echo wrote.", write=write)


def _stopped(*_):
    raise KeyboardInterrupt


@pytest.fixture
def told(material):
    """Return material whose author writes some texts in turn."""
    return lambda texts: replace(material(), open_author=echo(texts))


def test_what_was_pretrained_on_the_texts_is_tuned_to_write_what_a_label_is_about(
    material, tiny, tmp_path
):
    found = material(train=sentences(300))
    sections = {
        "sources": [{"path": "train.jsonl", "split": "train"}],
        "inputs": {"text": {"kind": "text", "model": tiny, "max_tokens": 32}},
        "tasks": {"topic": {"kind": "multiclass"}},
        "pretraining": {"kind": "causal", "epochs": 8, "lr": 0.01, "batch_records": 16,
                        "precision": "fp32",
                        "scratch": {"layers": 2, "width": 64, "heads": 2, "vocabulary": 600,
                                    "positions": 96}},
    }  # fmt: skip
    Project(make_plan(sections, folder=tmp_path)).pretrain()
    settings = Conditional(n=12, times=1, epochs=15, lr=0.005, temperature=0.5)
    own = other = 0
    for made in everything(settings, found):
        text, label = made.fields["text"], made.labels["topic"]
        own += any(word in text for word in MARKS[label])
        other += any(word in text for word in MARKS["sport" if label == "markets" else "markets"])
    assert own >= 18
    assert other <= 3
    assert (
        "Kind conditional wrote by the decoder that was pretrained last, tuned on "
        in settings.notes(found)[-1]
    )


def test_a_project_is_found_from_where_it_lies(tmp_path, tiny_decoder, monkeypatch):
    write_sentences(tmp_path)
    shutil.copytree(tiny_decoder, tmp_path / "decoder")
    monkeypatch.chdir(tmp_path)
    found = material_of(read_plan(Path("news.yaml")), Path("runs"), lambda *_: None)
    assert everything(Conditional(model="decoder", max_tokens=24, n=1, epochs=1), found)


def test_what_was_tuned_once_is_opened_again_and_other_settings_are_another_model(
    material, tiny_decoder, monkeypatch
):
    settings = Conditional(model=tiny_decoder, max_tokens=24, n=2, times=1, epochs=1)
    first = everything(settings, material())
    monkeypatch.setattr(authoring, "train", lambda *_, **__: pytest.fail("it was tuned again"))
    assert everything(settings, material()) == first
    with pytest.raises(pytest.fail.Exception, match="tuned again"):
        everything(replace(settings, epochs=2.0), material())


def test_tuning_that_was_stopped_goes_on_to_the_same_model(material, tiny_decoder, monkeypatch):
    settings = Conditional(model=tiny_decoder, max_tokens=24, n=2, times=1, epochs=4)
    whole = everything(settings, material())
    other = material()
    (home,) = (other.cache / "authors").iterdir()
    (home / "author.safetensors").unlink()
    real = authoring.save_tensors
    monkeypatch.setattr(
        authoring, "save_tensors", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt)
    )
    with pytest.raises(KeyboardInterrupt):
        everything(settings, other)
    assert (home / "checkpoint.safetensors").exists()
    monkeypatch.setattr(authoring, "save_tensors", real)
    assert everything(settings, material()) == whole
    assert sorted(path.name for path in home.iterdir()) == [
        "author.safetensors", "train.jsonl", "validation.jsonl",
    ]  # fmt: skip


def test_texts_that_came_to_no_end_are_left_out_and_counted(told, tiny_decoder):
    material = told(["one that ends", None] * 10)
    settings = Conditional(model=tiny_decoder, max_tokens=24, n=1, times=2)
    made = everything(settings, material)
    assert [one.fields["text"] for one in made] == ["one that ends"] * 2
    assert settings.notes(material)[-2:] == [
        "An echo wrote.",
        "2 texts of kind conditional came to no end within `max_tokens: 24`, and were left out.",
    ]


def test_the_surest_of_a_label_are_kept(material, tiny_decoder):
    found = material()
    settings = Conditional(model=tiny_decoder, max_tokens=24, n=2, agreement=None)
    (parent,) = found.read(found.labelled(["topic"])[:1])
    made = [
        Made(parent=parent, number=at, fields={"text": f"{word} are quite new here"},
             labels={"topic": "sport"}, confidence=sure)
        for at, (word, sure) in enumerate([("goats", 0.3), ("llamas", 0.9), ("storks", 0.8)])
    ]  # fmt: skip
    kept, dropped = Filters(settings, found).kept(made)
    assert [one.fields["text"].split()[0] for one in kept] == ["llamas", "storks"]
    assert dropped == {"topic": {"less sure than others": 1}}


def test_labels_that_read_alike_are_asked_for_as_they_are_written(material):
    from allrounder.synthesis.conditional import _asked

    assert _asked([("a", "card_lost")]) == {("a", "card_lost"): "card lost"}
    assert _asked([("a", "x_y"), ("b", "x_y")]) == {
        ("a", "x_y"): "a: x y",
        ("b", "x_y"): "b: x y",
    }
    assert _asked([("a", "x_y"), ("a", "x y")]) == {
        ("a", "x_y"): "a: x_y",
        ("a", "x y"): "a: x y",
    }


def test_pairs_have_the_same_labels_and_are_no_text_with_itself(material, tiny_decoder):
    found = material()
    settings = Paraphrase(model=tiny_decoder, max_tokens=24, others=3)
    labels = {one.fields["text"]: one.labels["topic"]
              for one in found.read(found.labelled(["topic"]))}  # fmt: skip
    pairs = settings.pairs(found)
    assert len(pairs) == 3 * len(labels)
    assert all(one != other and labels[one] == labels[other] for one, other in pairs)


def test_a_text_written_anew_carries_the_labels_of_one_text_and_no_spans(told, tiny_decoder):
    material = told([f"quite another text, number {n}" for n in range(100)])
    made = everything(Paraphrase(model=tiny_decoder, max_tokens=24, n=2), material)
    assert {one.number for one in made} == {0, 1}
    assert all(one.labels.keys() == {"topic"} for one in made)
    assert all(one.labels["topic"] == one.parent.labels["topic"] for one in made)


@pytest.mark.parametrize("kind", [Conditional, Paraphrase])
def test_what_cannot_write_is_refused(kind, material, tiny):
    found = material()
    with pytest.raises(ProjectError, match="no decoder was pretrained yet"):
        kind().num_blocks(found)
    with pytest.raises(ProjectError, match=r"only reads\. Name one that writes"):
        kind(model=tiny).num_blocks(found)
    with pytest.raises(ProjectError, match="names 'who', which is no task with one label, of one"):
        kind(model=tiny, tasks=["who"]).pairs(found)


def test_more_than_the_model_has_places_for_is_refused(material, tiny_decoder):
    with pytest.raises(ProjectError, match=r"has places for 64\. Expected 28 or less"):
        Conditional(model=tiny_decoder).num_blocks(material())


def test_too_little_to_learn_from_is_refused(material, tiny_decoder):
    found = material()
    found.labelled = lambda tasks: found.records.indices("train")[:1]
    with pytest.raises(ProjectError, match=r"found 0 to learn from\. Expected 4 or more"):
        everything(Paraphrase(model=tiny_decoder, max_tokens=24), found)
