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
def start(tiny, tiny_decoder):
    """Return by kind the model that it can begin with."""
    return lambda kind: tiny_text(tiny_decoder if kind == "causal" else tiny)


@pytest.fixture
def go(start, tmp_path, records):
    def run(kind, folder="pretraining", *, tell=silent, resume=None, **keys):
        settings = PRETRAININGS.build({"kind": kind, **QUICK, **keys}, at="pretraining")
        return pretrain(
            settings, start(kind), records, name="text", folder=tmp_path / folder,
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
def test_what_is_kept_is_an_encoder_that_inputs_can_name(go, kind, start):
    report = go(kind)
    network = AutoModel.from_pretrained(report.encoder)
    assert network.config.hidden_size == 16
    was, now = Transformer(start(kind)), Transformer(tiny_text(str(report.encoder)))
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
    parts = go(kind, "parts", resume="interrupted", checkpoint_minutes=1e-9)
    assert parts.folder.name == "1"
    assert parts.curve == whole.curve
    a, b = (AutoModel.from_pretrained(one.encoder).state_dict() for one in (whole, parts))
    assert all(torch.equal(a[name], b[name]) for name in a if "pooler" not in name)


@EVERY
def test_what_never_helps_is_not_kept(go, kind):
    # With little dropout the texts are told apart from the start.
    keys = {"dropout": 0.01} if kind == "contrastive" else {}
    rate = 1e-30 if kind == "causal" else 1e3  # no rate is worse than how the decoder begins
    report = go(kind, lr=rate, head_lr=rate, epochs=1, clip=0.0, **keys)
    assert not report.kept
    assert report.encoder is None
    assert "never lowered the loss" in str(report)
    assert not (report.folder / "encoder").exists()


@EVERY
def test_learning_that_diverges_is_told_of_and_leaves_no_folder(go, kind, tmp_path):
    with pytest.raises(RunError, match="learning has diverged"):
        go(kind, lr=float("inf"), epochs=1, clip=0.0)
    assert not (tmp_path / "pretraining").exists()


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
        go(kind, resume="interrupted")

    def stop(*_):
        raise Stopped

    with pytest.raises(Stopped):
        go(kind, tell=stop)
    with pytest.raises(RunError, match="`pretraining` has changed since it began"):
        go(kind, resume="interrupted", lr=1e-4)


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
def test_too_few_texts_leave_no_folder(kind, start, tmp_path):
    (tmp_path / "few.jsonl").write_text('{"text": "good"}\n{"text": "bad"}\n')
    few = load(
        [Source(path="few.jsonl", split="train")], fields={"text": TextField()}, columns={},
        folder=tmp_path, cache=tmp_path / "cache", trains=False,
    )  # fmt: skip
    with pytest.raises(DataError, match="2 different texts"):
        pretrain(
            PRETRAININGS.build(kind, at="pretraining"), start(kind), few, name="text",
            folder=tmp_path / "pretraining", cache=tmp_path / "tokens", resume=None, tell=silent,
        )  # fmt: skip
    assert not (tmp_path / "pretraining").exists()


SMALL = {"layers": 1, "width": 16, "heads": 2, "positions": 64, "vocabulary": 300}
FROM_NOTHING = pytest.mark.parametrize("kind", ["causal", "masked"])
TOKENS = pytest.mark.parametrize("tokens", ["bpe", "characters"])


@FROM_NOTHING
@TOKENS
def test_a_model_from_nothing_learns_and_can_be_named(go, kind, tokens):
    report = go(kind, scratch={**SMALL, "tokens": tokens})
    assert report.kept
    assert report.best["held_out"] < report.curve[0]["held_out"] - 0.08
    left = sorted(path.name for path in report.folder.iterdir())
    assert left == ["curve.svg", "encoder", "pretraining.json"]
    named = tiny_text(str(report.encoder))
    assert named.words(["shares rose"])[0].size >= 2
    assert Transformer(named).width == 16


@FROM_NOTHING
def test_a_model_from_nothing_goes_on_to_the_same_result(go, kind):
    whole = go(kind, "whole", scratch=SMALL)
    seen = []

    def stop(*_):
        seen.append(0)
        if len(seen) == 11:
            raise Stopped

    with pytest.raises(Stopped):
        go(kind, "parts", scratch=SMALL, tell=stop, checkpoint_minutes=1e-9)
    keys = {"resume": "interrupted", "checkpoint_minutes": 1e-9}
    assert go(kind, "parts", scratch=SMALL, **keys).curve == whole.curve


@FROM_NOTHING
@pytest.mark.parametrize(
    ("shape", "words"),
    [
        ({"vocabulary": 3}, "too few for special tokens and the 256 bytes. Expected 260 or more."),
        ({"vocabulary": 4, "tokens": "characters"}, "Expected 5 or more."),
        ({"width": 30, "heads": 4}, "Expected a width that is a multiple of twice the heads"),
        ({"depth": 3}, "`pretraining.scratch.depth` is not a known key."),
    ],
)
def test_a_bad_shape_is_refused_in_words(kind, shape, words):
    with pytest.raises(ProjectError) as caught:
        PRETRAININGS.build({"kind": kind, "scratch": shape}, at="pretraining")
    assert words in str(caught.value)


def test_a_model_that_only_reads_cannot_go_on_with_a_text(tiny, records, tmp_path):
    with pytest.raises(ProjectError, match="is no decoder"):
        pretrain(
            PRETRAININGS.build("causal", at="pretraining"), tiny_text(tiny), records, name="text",
            folder=tmp_path / "pretraining", cache=tmp_path / "t", resume=None, tell=silent,
        )  # fmt: skip
