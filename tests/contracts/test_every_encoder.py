"""What every kind of encoder promises. A kind without a row in EXAMPLES fails."""

import dataclasses
import json
import re

import numpy as np
import pyarrow as pa
import pytest
import torch
import yaml
from making import hashing, made, read, settings, tiny_text
from models import drawing, tone

from allrounder.encoders import (
    ENCODERS,
    Audio,
    Category,
    Image,
    Number,
    Pixels,
    Spectrum,
    Text,
    tokens,
)
from allrounder.errors import DataError
from allrounder.kinds import dump
from allrounder.model import Model, store_frozen
from allrounder.tasks import Multiclass, Spans
from allrounder.training.loop import Loop

TEXTS = [
    "Acme",
    "The bank said shares of Acme rose 4% in Ruritania after the vote.",
    "北京的公司 said great 😀 things",
    "cafe\u0301",
    "the match was a great match, the team said " * 6,
]


def learned(kind, *columns):
    """Return a maker of a kind that learns from records."""

    def make(models, *fields, **options):
        encoder = kind(fields=list(fields) or ["text"], **options)
        return encoder.learn([read(encoder, column) for column in columns][: len(encoder.fields)])

    return make


def plain(kind, model=None, **defaults):
    """Return a maker of a kind that reads one file, with the weights of `model`."""

    def make(models, *fields, **options):
        weights = {"model": models(model)} if model else {}
        return kind(**{"fields": list(fields) or ["text"], **weights, **defaults, **options})

    return make


PICTURES = [drawing(0), drawing(1, 90, 20), drawing(2, 7, 31), drawing(3, form="JPEG"), drawing(4)]
SOUNDS = [tone(0), tone(1, 1.3, 44_100, 2), tone(2, 2.1, 8_000), tone(3, 0.01), tone(4, 0.2)]
NUMBERS = [3.0, -1.5, 0.0, 1e9, 2.0]
PLACES = ["Oslo", "Rome", "Oslo", "Bern", "Oslo"]

EXAMPLES = {
    "hashing": lambda models, *fields, **options: hashing(*fields, **options),
    "text": lambda models, *fields, **options: tiny_text(models("text"), *fields, **options),
    "image": plain(Image, "vit"),
    "pixels": plain(Pixels, width=16),
    "audio": plain(Audio, "wav2vec2", window=1.0),
    "spectrum": plain(Spectrum, width=16, num_mels=20),
    "number": learned(Number, NUMBERS, NUMBERS),
    "category": learned(Category, PLACES, PLACES),
}
"""How one of each kind is made: ``make(models, "field", …, setting=…)``."""

VALUES = {
    "hashing": TEXTS,
    "text": TEXTS,
    "image": PICTURES,
    "pixels": PICTURES,
    "audio": SOUNDS,
    "spectrum": SOUNDS,
    "number": NUMBERS,
    "category": PLACES,
}
"""Five values that each kind reads."""

CHANGES = {
    "hashing": {"max_tokens": 20},
    "text": {"max_tokens": 20},
    "image": {"size": 64},
    "pixels": {"size": 64},
    "audio": {"max_seconds": 5.0},
    "spectrum": {"max_seconds": 5.0},
    "number": {"num_bins": 2},
    "category": {"unseen": 0.1},
}
"""A setting of each kind that another encoder of the kind could have."""

KINDS = pytest.mark.parametrize("kind", sorted(ENCODERS.builtin))
OF_TEXT = pytest.mark.parametrize("kind", ["hashing", "text"])
OF_FILES = pytest.mark.parametrize("kind", ["audio", "image", "pixels", "spectrum"])
OF_FIELDS = pytest.mark.parametrize("kind", ["category", "number"])
PRETRAINED = pytest.mark.parametrize("kind", ["audio", "image", "text"])


@pytest.fixture
def build(kind, tiny, models):
    """Return a maker of the kind under test: ``build("left", "right", max_tokens=16)``."""
    assert kind in EXAMPLES, f"give the encoder kind {kind!r} a row in EXAMPLES"

    def folder(name):
        return tiny if name == "text" else models(name)

    return lambda *fields, **options: EXAMPLES[kind](folder, *fields, **options)


def prepared_values(encoder, kind, values=None):
    return encoder.prepare([read(encoder, VALUES[kind] if values is None else values)])


def prepared_texts(encoder, *columns):
    return encoder.prepare([pa.array(list(column), pa.string()) for column in columns or [TEXTS]])


def features(encoder, found, rows, module=None):
    torch.manual_seed(1)
    module = (module or encoder.module()).eval()
    batch = encoder.collate(found, rows, [True] * len(rows))
    with torch.no_grad():
        return module(batch, tokens=True), batch


# ------------------------------------------------------------------ every kind


@KINDS
def test_vectors_are_as_wide_as_the_module_says(kind, build):
    encoder = build()
    found, batch = features(encoder, prepared_values(encoder, kind), range(5))
    width = encoder.module().width
    assert found.pooled.shape == (5, width)
    assert found.tokens.shape == (5, int(batch.lengths.max()), width)
    assert found.mask.sum(1).tolist() == batch.lengths.tolist()
    assert torch.isfinite(found.pooled).all()
    assert torch.isfinite(found.tokens).all()


@KINDS
def test_the_answer_for_a_record_does_not_depend_on_its_batch(kind, build):
    encoder = build()
    found, module = prepared_values(encoder, kind), encoder.module()
    together, batch = features(encoder, found, range(5), module)
    for row in range(5):
        alone, _ = features(encoder, found, [row], module)
        n = int(batch.lengths[row])
        assert n == found.lengths[row]
        close = {"atol": 1e-5, "rtol": 1e-4}
        torch.testing.assert_close(alone.pooled[0], together.pooled[row], **close)
        torch.testing.assert_close(alone.tokens[0, :n], together.tokens[row, :n], **close)


@KINDS
def test_every_record_has_its_own_answer_in_its_place(kind, build):
    encoder = build()
    found, module = prepared_values(encoder, kind), encoder.module()
    forth, _ = features(encoder, found, [0, 1, 3], module)
    back, _ = features(encoder, found, [3, 1, 0], module)
    torch.testing.assert_close(forth.pooled, back.pooled.flip(0), atol=1e-5, rtol=1e-4)
    assert not torch.allclose(forth.pooled[0], forth.pooled[1])


@KINDS
def test_a_missing_value_has_length_0(kind, build):
    encoder = build()
    found = prepared_values(encoder, kind, [VALUES[kind][0], None, VALUES[kind][1]])
    assert len(found) == 3
    assert (found.lengths > 0).tolist() == [True, False, True]
    assert (encoder.length(found, np.zeros(3, bool)) > 0).tolist() == [True, False, True]
    assert (found.full >= found.lengths).all()
    nothing = encoder.prepare([pa.nulls(2, encoder.field.type)])
    assert nothing.lengths.tolist() == [0, 0]


@KINDS
def test_a_row_without_the_input_does_not_trouble_the_others(kind, build):
    task, (one, other, *_) = Multiclass(labels=["a", "b"]), VALUES[kind]
    rows = [{"text": one, "it": "a"}, {"other": "bank", "it": "b"}, {"text": other, "it": "b"}]
    inputs = {"text": build(), "other": hashing("other", width=8)}
    prepared = made({"it": task}, rows, inputs=inputs)
    every = np.arange(3)
    batch = prepared.batch(every, prepared.labeled(every, ["it"]), targets=True)
    assert batch.inputs["text"].present.tolist() == [0, 2]
    assert torch.isfinite(prepared.model.losses(batch)["it"]).all()


@KINDS
def test_the_length_of_a_row_is_what_the_module_reads(kind, build):
    encoder = build()
    found = prepared_values(encoder, kind)
    lengths = encoder.length(found, np.zeros(5, bool))
    for row in range(5):
        assert lengths[row] == encoder.collate(found, [row], [False]).num_tokens


@KINDS
def test_every_weight_that_learns_gets_a_gradient(kind, build):
    encoder = build()
    module = encoder.module().train()
    found = module(
        encoder.collate(prepared_values(encoder, kind), range(5), [True] * 5), tokens=True
    )
    (found.pooled.square().mean() + found.tokens.square().mean()).backward()
    grads = [weight.grad for weight in module.parameters() if weight.grad is not None]
    assert grads
    assert all(torch.isfinite(grad).all() for grad in grads)


@KINDS
def test_saved_and_reloaded_it_says_the_same(kind, build, tmp_path):
    encoder = build()
    encoder.save(tmp_path / "input")
    again = encoder.saved(tmp_path / "input")
    modules = [encoder.module(), again.module()]
    modules[1].load_state_dict(modules[0].state_dict())
    one, other = (
        features(part, prepared_values(part, kind), range(5), module)[0]
        for part, module in zip([encoder, again], modules, strict=True)
    )
    torch.testing.assert_close(one.pooled, other.pooled)
    torch.testing.assert_close(one.tokens, other.tokens)


@KINDS
def test_no_weights_and_no_pickles_are_saved_beside_the_settings(kind, build, tmp_path):
    build().save(tmp_path / "input")
    assert not list(tmp_path.rglob("*.safetensors")) + list(tmp_path.rglob("*.bin"))


@KINDS
def test_settings_survive_being_written_out(kind, build):
    encoder = build(**CHANGES[kind])
    plain = json.loads(json.dumps(dump(encoder)))
    assert plain["kind"] == kind
    assert ENCODERS.build(plain, at="inputs.it") == encoder


@KINDS
def test_equal_settings_share_one_module(kind, build):
    tasks = {"it": Multiclass(labels=["a", "b"], of="title")}
    inputs = {"title": build("title"), "body": build("body")}
    model = Model(inputs, tasks)
    assert list(model.encoders) == ["title"]
    assert model.encoding("title") is model.encoding("body")
    inputs["body"] = build("body", **CHANGES[kind])
    assert list(Model(inputs, tasks).encoders) == ["title", "body"]


@KINDS
def test_equal_content_has_an_equal_key(kind, build):
    encoder, (one, other, *_) = build(), VALUES[kind]
    keys = prepared_values(encoder, kind, [one, other, one]).keys(np.array([0, 1, 2]))
    assert keys[0] == keys[2] != keys[1]
    assert {len(key) for key in keys} == {16}


@KINDS
def test_the_sample_is_a_value_that_can_be_read(kind, build):
    encoder = build()
    found = prepared_values(encoder, kind, [encoder.sample])
    assert found.lengths.tolist() != [0]
    said, _ = features(encoder, found, [0])
    assert torch.isfinite(said.pooled).all()


@KINDS
def test_what_is_learned_is_plain_data_and_learned_once(kind, build):
    encoder = build()
    plain = dataclasses.replace(encoder, **dict.fromkeys(encoder.learned))
    column = read(plain, VALUES[kind])
    again = plain.learn([column])
    for name in encoder.learned:
        assert yaml.safe_load(yaml.safe_dump(getattr(again, name))) == getattr(again, name)
    assert again.learn([column.slice(0, 1)]) == again


# ------------------------------------------------------------------ files


@OF_FILES
def test_other_readings_of_the_same_files_have_other_keys(kind, build):
    one, other = build(), build(**CHANGES[kind])
    rows = np.arange(5)
    pairs = zip(
        prepared_values(one, kind).keys(rows), prepared_values(other, kind).keys(rows), strict=True
    )
    assert all(a != b for a, b in pairs)


@OF_FILES
def test_a_file_that_has_gone_since_is_named(kind, build, tmp_path):
    encoder = build()
    (tmp_path / "one").write_bytes(VALUES[kind][0])
    values = encoder.field.read(pa.array(["one"]), tmp_path).values
    found = encoder.prepare([values])
    (tmp_path / "one").unlink()
    with pytest.raises(DataError, match=r"/one could be read before, and no longer can: "):
        encoder.collate(found, [0], [False])


@OF_FILES
def test_two_files_for_one_input_are_refused(kind, build):
    what = "sound" if kind in {"audio", "spectrum"} else "picture"
    words = f"reads one {what}. Got 2 `fields`. Make each {what} an input of its own."
    with pytest.raises(ValueError, match=re.escape(words)):
        build("left", "right")


@OF_FILES
def test_training_changes_what_augment_names_and_answers_do_not(kind, build):
    encoder = build(augment=True)
    found, module = prepared_values(encoder, kind), encoder.module()
    batch = encoder.collate(found, range(5), [False] * 5)
    with torch.no_grad():
        torch.manual_seed(0)
        plain = module.eval()(batch, tokens=False).pooled
        torch.testing.assert_close(module(batch, tokens=False).pooled, plain)
        one = module.train()(batch, tokens=False).pooled
        other = module(batch, tokens=False).pooled
    assert torch.isfinite(one).all()
    assert not torch.allclose(one, plain, atol=1e-3)
    assert not torch.allclose(one, other, atol=1e-3)


# ------------------------------------------------------------------ fields


@OF_FIELDS
def test_a_field_among_several_may_be_missing_and_has_a_token_of_its_own(kind, build):
    encoder = build("left", "right")
    one, other, *_ = VALUES[kind]
    columns = [[one, one, None, None], [other, None, other, None]]
    found = encoder.prepare([read(encoder, column) for column in columns])
    assert found.lengths.tolist() == [2, 2, 2, 0]
    said, batch = features(encoder, found, [0, 1, 2])
    assert batch.num_tokens == 6
    assert said.tokens.shape[1] == 2
    torch.testing.assert_close(said.tokens[0, 0], said.tokens[1, 0])
    torch.testing.assert_close(said.tokens[0, 1], said.tokens[2, 1])
    assert not torch.allclose(said.tokens[0, 1], said.tokens[1, 1])


# ------------------------------------------------------------------ pretrained


@PRETRAINED
def test_frozen_means_that_no_weight_learns(kind, build):
    assert build(tune="frozen").module().is_frozen
    assert not build(tune="top:1").module().is_frozen


@PRETRAINED
def test_what_frozen_encoders_said_is_kept(kind, build, tmp_path):
    task = Multiclass(labels=["a", "b"])
    rows = [{"text": value, "it": "ab"[i % 2]} for i, value in enumerate(VALUES[kind])]
    inputs = {"text": build(tune="frozen")}
    live, cached = (made({"it": task}, rows, inputs=inputs) for _ in range(2))
    every = np.arange(5)
    store_frozen(cached, every, cache=tmp_path, progress=lambda done, total: None)
    assert cached.stored
    losses = [
        one.model.losses(one.batch(every, one.labeled(every, ["it"]), targets=True))["it"]
        for one in (live, cached)
    ]
    torch.testing.assert_close(losses[0], losses[1], atol=1e-4, rtol=1e-4)


# ------------------------------------------------------------------ texts


@OF_TEXT
@pytest.mark.parametrize("max_tokens", [16, 64])
def test_padding_changes_nothing(kind, build, max_tokens):
    encoder = build(max_tokens=max_tokens)
    found, module = prepared_texts(encoder), encoder.module()
    together, batch = features(encoder, found, range(5), module)
    for row in range(5):
        alone, _ = features(encoder, found, [row], module)
        n = int(batch.lengths[row])
        torch.testing.assert_close(alone.pooled[0], together.pooled[row], atol=1e-5, rtol=1e-5)
        torch.testing.assert_close(
            alone.tokens[0, :n], together.tokens[row, :n], atol=1e-5, rtol=1e-5
        )


@OF_TEXT
def test_offsets_say_where_each_token_stands(kind, build):
    encoder = build(**({"prefix": "query: "} if kind == "text" else {}))
    found = prepared_texts(encoder)
    for row, text in enumerate(TEXTS):
        offsets = found.offsets(row)
        assert len(offsets) == found.lengths[row] == len(found.ids(row))
        real = offsets[offsets[:, 0] < offsets[:, 1]]
        assert (real[1:, 0] >= real[:-1, 1]).all()
        assert all(text[a:b].strip() == text[a:b] for a, b in real)
        covered = "".join(text[a:b] for a, b in real)
        assert covered == "".join(text.split())


@OF_TEXT
def test_a_null_has_no_tokens(kind, build):
    encoder = build()
    found = prepared_texts(encoder, ["Acme", None, "the bank"])
    assert found.lengths.tolist()[1] == 0
    assert encoder.length(found, np.zeros(3, bool))[1] == 0
    assert (encoder.length(found, np.zeros(3, bool))[[0, 2]] > 0).all()


@OF_TEXT
def test_half_a_pair_has_no_tokens_and_a_pair_knows_its_sides(kind, build):
    encoder = build("left", "right")
    found = prepared_texts(encoder, ["Acme", "bank", "Acme", None], ["bank", "Acme", None, "bank"])
    assert (found.lengths > 0).tolist() == [True, True, False, False]
    batch = encoder.collate(found, [0, 1], [False, False])
    torch.manual_seed(0)
    module = encoder.module().eval()
    with torch.no_grad():
        one, other = module(batch, tokens=False).pooled
    assert not torch.allclose(one, other), "left and right are not the same"


@OF_TEXT
def test_a_long_pair_is_cut_to_what_is_read_at_once(kind, build):
    encoder = build("left", "right", max_tokens=16)
    found = prepared_texts(encoder, ["the bank " * 30], ["a team " * 30])
    assert encoder.collate(found, [0], [False]).ids.shape == (1, 16)
    assert found.full[0] > 100, "the report counts what was cut"


@OF_TEXT
def test_lengths_tell_what_the_module_reads(kind, build):
    encoder = build(max_tokens=16)
    found = prepared_texts(encoder)
    once, whole = (encoder.length(found, np.full(5, mark)) for mark in (False, True))
    for row in range(5):
        batch = encoder.collate(found, [row], [False])
        assert once[row] == batch.num_tokens == batch.ids.shape[1]
        assert whole[row] == encoder.collate(found, [row], [True]).num_tokens


@OF_TEXT
def test_saved_and_reloaded_it_gives_the_same_tokens(kind, build, tmp_path):
    encoder = build()
    encoder.save(tmp_path / "input")
    again = encoder.saved(tmp_path / "input")
    one, other = prepared_texts(encoder), prepared_texts(again)
    for row in range(5):
        assert one.ids(row).tolist() == other.ids(row).tolist()
    again.module().load_state_dict(encoder.module().state_dict())


@OF_TEXT
def test_a_pair_survives_being_written_out(kind, build):
    encoder = build("left", "right", max_tokens=24)
    plain = json.loads(json.dumps(dump(encoder)))
    assert plain["kind"] == kind
    assert ENCODERS.build(plain, at="inputs.it") == encoder


@OF_TEXT
def test_the_vocabulary_report_counts(kind, build):
    found = build(max_tokens=16).vocabulary(TEXTS)
    if found is None:
        return
    assert found.num_texts == 5
    assert found.cut == 0.4
    assert found.reach == 16
    assert 0 < found.unknown < 0.5
    assert found.pieces >= 1


# ------------------------------------------------------------------ the token cache


@OF_TEXT
def test_appended_rows_leave_earlier_chunks_as_they_were(kind, build, tmp_path, monkeypatch):
    monkeypatch.setattr(tokens, "CHUNK", 4)
    encoder, counted = build(), []
    whole = type(encoder)._tokenize

    def counting(self, columns):
        counted.append(len(columns[0]))
        return whole(self, columns)

    monkeypatch.setattr(type(encoder), "_tokenize", counting)
    texts = [f"Acme {i} 北京" for i in range(10)]
    encoder.prepare([pa.array(texts)], cache=tmp_path)
    assert counted == [4, 4, 2]
    encoder.prepare([pa.array(texts)], cache=tmp_path)
    assert counted == [4, 4, 2], "everything was known"
    found = encoder.prepare([pa.array([*texts, "new"])], cache=tmp_path)
    assert counted == [4, 4, 2, 3], "only the last chunk was tokenized again"
    fresh = encoder.prepare([pa.array([*texts, "new"])])
    assert [found.ids(r).tolist() for r in range(11)] == [fresh.ids(r).tolist() for r in range(11)]
    assert [found.offsets(r).tolist() for r in range(11)] == [
        fresh.offsets(r).tolist() for r in range(11)
    ]


@OF_TEXT
def test_the_cache_tells_texts_apart_by_where_they_end(kind, build, tmp_path):
    encoder = build()
    one = encoder.prepare([pa.array(["ab", "c"])], cache=tmp_path)
    other = encoder.prepare([pa.array(["a", "bc"])], cache=tmp_path)
    nothing = encoder.prepare([pa.array(["abc", None])], cache=tmp_path)
    assert len(list(tmp_path.glob("*.arrow"))) == 3
    assert one.ids(0).tolist() != other.ids(0).tolist()
    assert nothing.lengths[1] == 0


@OF_TEXT
def test_another_text_or_setting_is_another_cache_entry(kind, build, tmp_path):
    build().prepare([pa.array(["Acme", "bank"])], cache=tmp_path)
    build().prepare([pa.array(["Acme", "banks"])], cache=tmp_path)
    change = {"buckets": 128} if kind == "hashing" else {"prefix": "query: "}
    build(**change).prepare([pa.array(["Acme", "bank"])], cache=tmp_path)
    build("a", "b").prepare([pa.array(["Acme", "bank"])] * 2, cache=tmp_path)
    assert len(list(tmp_path.glob("*.arrow"))) == 4


@OF_TEXT
def test_a_slice_of_a_column_gives_its_own_tokens(kind, build, tmp_path):
    encoder, column = build(), pa.array(["Acme", "the bank", "vote", "law"])
    found = encoder.prepare([column.slice(1, 2)], cache=tmp_path)
    fresh = encoder.prepare([pa.array(["the bank", "vote"])])
    assert [found.ids(r).tolist() for r in (0, 1)] == [fresh.ids(r).tolist() for r in (0, 1)]


# ------------------------------------------------------------------ tuning (Hugging Face)

TASKS = {"it": Multiclass(labels=["a", "b"]), "who": Spans(labels=["ORG"])}
ROWS = [
    {"text": text, "it": "ab"[i % 2], "who": [{"start": 0, "end": 3, "label": "ORG"}]}
    if i != 3
    else {"text": text, "it": "a"}
    for i, text in enumerate(TEXTS)
]


def gradients(prepared):
    model, rows = prepared.model, np.arange(len(prepared))
    model.zero_grad(set_to_none=True)
    batch = prepared.batch(rows, prepared.labeled(rows, list(model.tasks)), targets=True)
    losses = model.losses(batch)
    torch.cat(list(losses.values())).sum().backward()
    grads = {n: p.grad for n, p in model.named_parameters() if p.grad is not None}
    return {n: loss.detach() for n, loss in losses.items()}, grads


def encoder_gradients(prepared):
    return {name for name in gradients(prepared)[1] if name.startswith("encoders.")}


def test_frozen_means_no_gradient(tiny):
    assert (
        encoder_gradients(made(TASKS, ROWS, inputs={"text": tiny_text(tiny, tune="frozen")}))
        == set()
    )


def test_full_means_a_gradient_everywhere(tiny):
    prepared = made(TASKS, ROWS, inputs={"text": tiny_text(tiny, tune="full")})
    every = {n for n, _ in prepared.model.named_parameters() if n.startswith("encoders.")}
    assert encoder_gradients(prepared) == every
    assert not any("pooler" in name for name in every)


@pytest.mark.parametrize("n", [1, 2, 3])
def test_top_n_means_a_gradient_in_the_last_n_layers(tiny, n):
    prepared = made(TASKS, ROWS, inputs={"text": tiny_text(tiny, tune=f"top:{n}")})
    layers = {int(name.split(".layer.")[1][0]) for name in encoder_gradients(prepared)}
    assert layers == set(range(3 - n, 3))


def test_top_of_more_layers_than_there_are_is_refused(tiny):
    with pytest.raises(ValueError, match=r"`tune: top:9` asks for more layers.*\(3\)"):
        tiny_text(tiny, tune="top:9").module()


@pytest.mark.filterwarnings(
    "ignore:.is_gradient_checkpointing. is deprecated:FutureWarning"
)  # peft
def test_lora_trains_adapters_alone_and_starts_as_the_plain_encoder(tiny):
    pytest.importorskip("peft")
    lora = made(TASKS, ROWS, inputs={"text": tiny_text(tiny, tune="lora", lora_rank=2)})
    plain = made(TASKS, ROWS, inputs={"text": tiny_text(tiny, tune="frozen")})
    found = encoder_gradients(lora)
    assert found
    assert all("lora_" in name for name in found)
    for one, other in zip(_forward(lora), _forward(plain), strict=True):
        torch.testing.assert_close(one, other)


def _forward(prepared):
    rows = np.arange(len(prepared))
    batch = prepared.batch(rows, prepared.asked(rows, list(prepared.model.tasks)))
    with torch.no_grad():
        found = prepared.model.eval().features(batch)["text"]
    return found.pooled, found.tokens


@pytest.mark.parametrize("max_tokens", [16, 64])
@pytest.mark.parametrize("pool", ["mean", "cls"])
@pytest.mark.parametrize("tune", ["frozen", "top:1", "top:2"])
def test_cached_frozen_layers_say_what_live_ones_say(tiny, tmp_path, tune, pool, max_tokens):
    encoder = tiny_text(tiny, tune=tune, pool=pool, max_tokens=max_tokens)
    live, cached = (made(TASKS, ROWS, inputs={"text": encoder}) for _ in range(2))
    store_frozen(cached, np.arange(5), cache=tmp_path, progress=lambda done, total: None)
    assert cached.stored
    losses, grads = gradients(live)
    again, grads_again = gradients(cached)
    assert grads.keys() == grads_again.keys()
    for name in losses:
        torch.testing.assert_close(again[name], losses[name], atol=5e-3, rtol=5e-3)
    assert _closeness(grads, grads_again) > 0.999


def _closeness(left, right):
    flat = [torch.cat([grads[n].flatten() for n in sorted(left)]) for grads in (left, right)]
    return float(torch.nn.functional.cosine_similarity(*flat, dim=0))


@pytest.mark.parametrize("tune", ["frozen", "top:1"])
def test_cached_frozen_layers_serve_any_batch(tiny, tmp_path, tune):
    encoder = tiny_text(tiny, tune=tune, max_tokens=16)
    live, cached = (made(TASKS, ROWS, inputs={"text": encoder}) for _ in range(2))
    store_frozen(cached, np.arange(5), cache=tmp_path, progress=lambda done, total: None)
    for rows in ([4], [0, 3], [1, 2, 4], [3]):
        rows = np.array(rows)
        losses = [
            p.model.losses(p.batch(rows, p.labeled(rows, list(TASKS)), targets=True))
            for p in (live, cached)
        ]
        assert losses[0].keys() == losses[1].keys()
        for name, loss in losses[0].items():
            torch.testing.assert_close(losses[1][name], loss, atol=5e-3, rtol=5e-3)


def test_the_cache_of_frozen_layers_is_read_again_and_knows_its_encoder(tiny, tmp_path):
    counted = []
    for encoder in (
        tiny_text(tiny, tune="frozen"),
        tiny_text(tiny, tune="frozen"),
        tiny_text(tiny, tune="frozen", pool="cls"),
        tiny_text(tiny, tune="top:1"),
    ):
        prepared = made(TASKS, ROWS, inputs={"text": encoder})
        store_frozen(
            prepared, np.arange(5), cache=tmp_path, progress=lambda done, total: counted.append(1)
        )
        counted.append("|")
    runs = "".join(map(str, counted)).split("|")
    assert [bool(run) for run in runs[:4]] == [True, False, True, True]


def test_frozen_weights_stay_as_they_came_through_training(tiny):
    prepared = made(TASKS, ROWS, inputs={"text": tiny_text(tiny, tune="top:1")})
    before = {n: w.clone() for n, w in prepared.model.named_parameters()}
    for _ in Loop(prepared.model, prepared, np.arange(5), settings(epochs=2, lr=0.01)).steps():
        pass
    moved = {n for n, w in prepared.model.named_parameters() if not torch.equal(w, before[n])}
    assert {n.split(".layer.")[1][0] for n in moved if n.startswith("encoders.")} == {"2"}
    assert any(n.startswith("heads.") for n in moved)


def test_a_model_that_allows_fewer_tokens_sets_the_limit(tiny):
    assert tiny_text(tiny, max_tokens=500).reach == 64


def test_a_prefix_is_read_but_is_no_part_of_the_text(tiny):
    plain, asked = tiny_text(tiny), tiny_text(tiny, prefix="the bank: ")
    one, other = prepared_texts(plain, ["acme fell"]), prepared_texts(asked, ["acme fell"])
    assert other.lengths[0] == one.lengths[0] + 3
    assert other.offsets(0).tolist()[:3] == [[0, 0]] * 3
    assert other.offsets(0).tolist()[3:] == one.offsets(0).tolist()


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"tune": "half"}, "has `tune: half`. Expected frozen, top:N, lora or full."),
        ({"max_tokens": 4}, "has `max_tokens: 4`. Expected 8 or more."),
        ({"fields": ["a", "b", "c"]}, "reads one text or a pair. Got 3 `fields`."),
    ],
)
def test_settings_that_mean_nothing_are_refused(fields, words):
    with pytest.raises(ValueError, match=words.replace("(", r"\(")):
        Text(model="m", **fields)


def test_reloading_a_half_tuned_model_gives_the_same_answers(tiny, tmp_path):
    from allrounder.model import load_passes, save_model

    encoder = tiny_text(tiny, tune="top:1")
    prepared = made(TASKS, ROWS, inputs={"text": encoder})
    save_model(tmp_path, prepared.model, {})
    moved = dataclasses.replace(encoder, model="/nowhere")
    ((again, _),) = load_passes(tmp_path, {"text": moved}, TASKS, None)
    twin = made(TASKS, ROWS, inputs={"text": encoder})
    twin.model = again
    for one, other in zip(_forward(prepared), _forward(twin), strict=True):
        torch.testing.assert_close(one.cpu(), other.cpu())


@pytest.mark.parametrize("kind", ["category", "hashing", "number", "text"])
def test_what_counts_as_having_an_input_is_the_same_for_records_and_encoder(kind, build):
    encoder, values = build("one", "other"), VALUES[kind][:2]
    columns = [read(encoder, [values[0], None, values[0], None]),
               read(encoder, [values[1], values[1], None, None])]  # fmt: skip
    found = (encoder.prepare(columns).lengths > 0).tolist()
    assert found == [True, not encoder.needs_all, not encoder.needs_all, False]
