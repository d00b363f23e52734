"""What every kind of pretraining promises."""

import json

import pytest
import torch
from making import tiny_text
from transformers import AutoModel

from allrounder.encoders.transformer import Transformer
from allrounder.errors import DataError, ProjectError, RunError
from allrounder.kinds import dump
from allrounder.pretraining import PRETRAININGS
from allrounder.pretraining.verb import pretrain
from allrounder.records import Source, TextField, load

EVERY = pytest.mark.parametrize("kind", sorted(PRETRAININGS.builtin))
QUICK = {"batch_records": 16, "precision": "fp32", "lr": 1e-3, "evaluate_every": 0.5, "epochs": 3,
         "hold_out": 0.2, "patience": 9}  # fmt: skip


def silent(*_):
    pass


@pytest.fixture
def records(tmp_path):
    subjects = ("shares", "team", "minister", "bank", "coach", "party")
    verbs = ("rose", "fell", "said", "match", "vote")
    lines = [
        {"text": f"the {one} {verb} in {place} good {number}"}
        for number, place in enumerate(("acme", "lin", "ruritania", "上海"))
        for one in subjects
        for verb in verbs
    ]
    (tmp_path / "texts.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return load(
        [Source(path="texts.jsonl", split="train")], fields={"text": TextField()}, columns={},
        folder=tmp_path, cache=tmp_path / "cache", trains=False,
    )  # fmt: skip


@pytest.fixture
def go(tiny, tmp_path, records):
    def run(kind, folder="pretraining", *, tell=silent, resume=False, **keys):
        settings = PRETRAININGS.build({"kind": kind, **QUICK, **keys}, at="pretraining")
        return pretrain(
            settings, tiny_text(tiny), records, name="text", folder=tmp_path / folder,
            cache=tmp_path / "tokens", resume=resume, tell=tell,
        )  # fmt: skip

    return run


@EVERY
def test_learning_lowers_the_loss_on_what_is_held_out(go, kind):
    report = go(kind)
    assert report.kept
    assert report.best["held_out"] < report.curve[0]["held_out"]
    assert report.curve[-1]["epoch"] == 3
    assert str(report)
    about = json.loads((report.folder / "pretraining.json").read_text())
    assert about["state"] == "complete"
    assert json.loads(json.dumps(report.to_dict())) == {key: about[key] for key in report.to_dict()}
    assert (report.folder / "curve.svg").read_text().startswith("<svg xmlns=")
    left = sorted(path.name for path in report.folder.iterdir())
    assert left == ["curve.svg", "encoder", "pretraining.json"]


@EVERY
def test_what_is_kept_is_an_encoder_that_inputs_can_name(go, kind, tiny):
    report = go(kind)
    network = AutoModel.from_pretrained(report.encoder)
    assert network.config.hidden_size == 16
    was, now = Transformer(tiny_text(tiny)), Transformer(tiny_text(str(report.encoder)))
    first, second = was.state_dict(), now.state_dict()
    assert first.keys() == second.keys()
    moved = [name for name in first if not torch.equal(first[name], second[name])]
    assert len(moved) > len(first) / 2


class Stopped(Exception):
    pass


@EVERY
def test_one_that_was_stopped_goes_on_to_the_same_result(go, kind):
    whole = go(kind, "whole")
    seen = []

    def stop(stage, done, total, word):
        seen.append(done)
        if len(seen) == 11:
            raise Stopped

    with pytest.raises(Stopped):
        go(kind, "parts", tell=stop, checkpoint_minutes=1e-9)
    parts = go(kind, "parts", resume=True, checkpoint_minutes=1e-9)
    assert parts.folder.name == "1"
    assert parts.curve == whole.curve
    a, b = (AutoModel.from_pretrained(one.encoder).state_dict() for one in (whole, parts))
    assert all(torch.equal(a[name], b[name]) for name in a if "pooler" not in name)


@EVERY
def test_what_never_helps_is_not_kept(go, kind):
    # With little dropout the texts are told apart from the start.
    keys = {"dropout": 0.01} if kind == "contrastive" else {}
    report = go(kind, lr=1e3, head_lr=1e3, epochs=1, clip=0.0, **keys)
    assert not report.kept
    assert report.encoder is None
    assert "never lowered the loss" in str(report)
    assert not (report.folder / "encoder").exists()


@EVERY
def test_learning_that_diverges_is_told_of_and_leaves_no_folder(go, kind, tmp_path):
    with pytest.raises(RunError, match="learning has diverged"):
        go(kind, lr=float("inf"), epochs=1, clip=0.0)
    assert not any((tmp_path / "pretraining").iterdir())


@EVERY
def test_the_caller_keeps_its_chance(go, kind):
    torch.manual_seed(4)
    wanted = torch.rand(3)
    torch.manual_seed(4)
    go(kind, epochs=0.5)
    assert torch.equal(torch.rand(3), wanted)


@EVERY
def test_settings_survive_being_written(kind):
    settings = PRETRAININGS.build({"kind": kind, "epochs": 2}, at="pretraining")
    assert PRETRAININGS.build(json.loads(json.dumps(dump(settings))), at="pretraining") == settings


@EVERY
def test_another_pretraining_is_not_gone_on_with(go, kind):
    with pytest.raises(RunError, match="no interrupted pretraining"):
        go(kind, resume=True)

    def stop(*_):
        raise Stopped

    with pytest.raises(Stopped):
        go(kind, tell=stop)
    with pytest.raises(RunError, match="`pretraining` has changed since it began"):
        go(kind, resume=True, lr=1e-4)


@EVERY
@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"epochs": 0}, "has `epochs: 0.0`. Expected more than 0."),
        ({"hold_out": 1}, "has `hold_out: 1"),
        ({"lrr": 1}, "`pretraining.lrr` is not a known key. Did you mean 'lr'?"),
        ({"optimizer": "adm"}, "Did you mean 'adamw'?"),
    ],
)
def test_bad_settings_are_refused_in_words(kind, keys, words):
    with pytest.raises(ProjectError) as caught:
        PRETRAININGS.build({"kind": kind, **keys}, at="pretraining")
    assert words in str(caught.value)


@EVERY
def test_too_few_texts_leave_no_folder(kind, tiny, tmp_path):
    (tmp_path / "few.jsonl").write_text('{"text": "good"}\n{"text": "bad"}\n')
    few = load(
        [Source(path="few.jsonl", split="train")], fields={"text": TextField()}, columns={},
        folder=tmp_path, cache=tmp_path / "cache", trains=False,
    )  # fmt: skip
    with pytest.raises(DataError, match="2 different texts"):
        pretrain(
            PRETRAININGS.build(kind, at="pretraining"), tiny_text(tiny), few, name="text",
            folder=tmp_path / "pretraining", cache=tmp_path / "tokens", resume=False, tell=silent,
        )  # fmt: skip
    assert not (tmp_path / "pretraining").exists()
