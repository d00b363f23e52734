"""Texts that have to be one of some, of a pattern, or with some words, however they are written."""

import itertools
import json

import numpy as np
import pyarrow as pa
import pytest
import torch
import yaml
from making import tiny_text
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers
from transformers import T5Config, T5ForConditionalGeneration

from allrounder import Project, ProjectError
from allrounder.kinds import dump
from allrounder.model import Model, Prepared
from allrounder.pretraining.scratch import Scratch
from allrounder.spelling import spelled
from allrounder.tasks import TASKS, Generation
from allrounder.tasks.forced import Grammar
from allrounder.tasks.forcing import Force

TEXTS = ["shares rose in acme", "北京的公司", "the bank, 12 of them: {}"]
SCHEMA = {
    "type": "object",
    "properties": {"who": {"enum": ["acme", "北京"]}, "sure": {"type": "boolean"}},
    "required": ["who", "sure"],
    "additionalProperties": False,
}


def follows(force, text):
    if force.choices:
        return text in force.choices
    if force.terms:
        return all(term in text for term in force.terms)
    if force.schema:
        found = json.loads(text)
        return found["who"] in ("acme", "北京") and isinstance(found["sure"], bool)
    return text in ("12月", "7月")


FORCES = {
    "choices": Force(choices=["yes", 'the "bank"', "不是"]),
    "terms": Force(terms=["of", "c"]),
    "regex": Force(regex="(12|7)月"),
    "schema": Force(schema=SCHEMA),
}
MANNERS = {
    "greedy": {},
    "beams": {"beams": 3},
    "sampled": {"temperature": 1.5, "seed": 4},
}


@pytest.fixture(scope="module")
def writers(tmp_path_factory):
    """Return the folders of tiny models of bytes and of characters that write."""
    folder = tmp_path_factory.mktemp("writers")
    shape = {"layers": 1, "width": 16, "heads": 2, "positions": 128}
    lines = [*TEXTS, 'yes no "bank" 不是 月 true false who sure {}:,0123456789']
    bpe = Scratch(tokens="bpe", vocabulary=300, **shape)
    bpe.make(iter(lines), folder / "bpe", writes=True, seed=1)
    characters = Scratch(tokens="characters", vocabulary=300, **shape)
    characters.make(iter(lines), folder / "characters", writes=True, seed=2)
    tokenizer = Tokenizer.from_file(str(folder / "bpe" / "tokenizer.json"))
    config = T5Config(
        vocab_size=tokenizer.get_vocab_size() + 5, d_model=16, d_kv=8, d_ff=32, num_layers=1,
        num_heads=2, decoder_start_token_id=0, pad_token_id=0,
        eos_token_id=tokenizer.token_to_id("</s>"), initializer_factor=3.0,
    )  # fmt: skip
    torch.manual_seed(3)
    T5ForConditionalGeneration(config).save_pretrained(folder / "t5")
    tokenizer.save(str(folder / "t5" / "tokenizer.json"))
    return folder


def drafts(folder, force, *, light=False, max_tokens=60, **manner):
    torch.manual_seed(0)
    keys = {"light": {"layers": 1, "width": 16, "heads": 2, "vocabulary": 300}} if light else {}
    spec = {"kind": "generation", "of": "text", "max_tokens": max_tokens, "force": dump(force)}
    task = TASKS.build({**spec, **keys, **manner}, at="tasks")
    task = task.learn(pa.chunked_array([pa.array(TEXTS)]), pa.chunked_array([pa.array(TEXTS)]))
    inputs = {"text": tiny_text(folder, max_tokens=48, tune="full")}
    model = Model(inputs, {"reply": task}, dropout=0.0).eval()
    prepared = Prepared.of(model, {"text": pa.array(TEXTS, pa.string())})
    rows = np.arange(len(TEXTS))
    with torch.no_grad():
        return model(prepared.batch(rows, {"reply": np.ones(len(rows), bool)}))["reply"]


@pytest.mark.parametrize("manner", sorted(MANNERS))
@pytest.mark.parametrize(
    ("name", "light"), [("bpe", False), ("characters", False), ("t5", False), ("bpe", True)]
)
@pytest.mark.parametrize("asked", sorted(FORCES))
def test_whatever_comes_to_its_end_follows(writers, asked, name, light, manner):
    """The models are random: by themselves they would never write any of it."""
    force = FORCES[asked]
    draft = drafts(writers / name, force, light=light, **MANNERS[manner])
    found = draft.written()
    for text, ended in found:
        assert not ended or follows(force, text), text
    if asked != "terms":  # a random model may go on for ever before the last term
        assert all(ended for _, ended in found), found


@pytest.mark.parametrize("asked", ["choices", "schema"])
def test_it_is_streamed_too(writers, asked):
    force = FORCES[asked]
    draft = drafts(writers / "characters", force).at(torch.tensor([1]))
    assert follows(force, "".join(draft.pieces()))


def test_what_is_cut_is_not_finished(writers):
    draft = drafts(writers / "characters", FORCES["schema"], max_tokens=5)
    assert all(not ended for _, ended in draft.written())


def test_a_grammar_allows_what_fits_and_nothing_else():
    letters = [bytes([at]) for at in range(256)]
    grammar = Grammar(Force(terms=["one", "a/b. c"]), [None, *letters], 0)

    def fits(text):
        return grammar.fits([byte + 1 for byte in text.encode()])

    for order in itertools.permutations(["one", "a/b. c"]):
        assert fits("x 北 " + " y ".join(order))
    assert not fits("one a/b")
    assert not fits("one axb. c")


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({}, "names nothing. Expected one of choices, terms, regex, schema."),
        ({"regex": "a", "terms": ["b"]}, "names terms and regex. Expected one of"),
        ({"choices": []}, r"has `choices: []`. Expected texts, none of them empty."),
        ({"terms": ["a", " "]}, "Expected texts, none of them empty."),
        ({"regex": "(a"}, "has a `regex` that cannot be followed: "),
        ({"schema": {"type": "objet"}}, "has a `schema` that cannot be followed: Invalid type"),
        ({"shema": {}}, "`tasks.force.shema` is not a known key. Did you mean 'schema'?"),
    ],
)
def test_what_cannot_be_followed_is_refused_at_once(keys, words):
    with pytest.raises(ProjectError) as caught:
        TASKS.build({"kind": "generation", "force": keys}, at="tasks.reply")
    assert words in str(caught.value)


def test_without_its_library_a_sentence_says_what_to_install(monkeypatch):
    monkeypatch.setattr("allrounder.tasks.forcing.find_spec", lambda name: None)
    with pytest.raises(ProjectError, match=r"pip install 'allrounder\[forced\]'"):
        Force(choices=["a"])


def test_tokens_that_do_not_add_up_and_characters_that_are_not_there_are_refused(
    writers, tiny_decoder
):
    with pytest.raises(ProjectError, match="do not simply add up"):
        drafts(tiny_decoder, FORCES["choices"], max_tokens=12)
    with pytest.raises(ProjectError, match="cannot even be begun with the tokens of this model"):
        drafts(writers / "characters", Force(choices=["龘"]))


def test_tokens_that_mark_spaces_are_spelled_with_them():
    names = {"<unk>": 0, "</s>": 1, "▁the": 2, "re": 3, "<0xE5>": 4, "▁": 5}
    tokenizer = Tokenizer(models.BPE(names, [], unk_token="<unk>", byte_fallback=True))
    tokenizer.normalizer = normalizers.Replace(" ", "▁")
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()]
    )
    tokenizer.add_special_tokens(["</s>"])
    assert spelled(tokenizer) == [None, None, b" the", b"re", b"\xe5", b" "]


def test_tokens_of_bytes_are_spelled_as_bytes():
    tokenizer = Tokenizer(models.BPE({"Ġa": 0, "å": 1, "Ĭ": 2}, []))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel()
    tokenizer.decoder = decoders.ByteLevel()
    assert spelled(tokenizer) == [b" a", b"\xe5", b"\x8a"]


def test_from_a_project_file_to_json_that_follows_its_schema(writers, tmp_path):
    replies = ['{"who":"acme","sure":true}', '{"who":"北京","sure":false}']
    rows = [{"text": text, "reply": reply} for text in TEXTS for reply in replies]
    for split in ("train", "validation", "test"):
        lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        (tmp_path / f"{split}.jsonl").write_text(lines, encoding="utf-8")
    project = {
        "sources": [{"path": f"{n}.jsonl", "split": n} for n in ("train", "validation", "test")],
        "inputs": {"text": {"kind": "text", "model": str(writers / "bpe"), "max_tokens": 32}},
        "tasks": {"reply": {"kind": "generation", "max_tokens": 60, "force": {"schema": SCHEMA}}},
        "training": {"epochs": 1, "lr": 1e-3},
    }
    file = tmp_path / "reply.yaml"
    file.write_text(yaml.safe_dump(project, allow_unicode=True), encoding="utf-8")
    Project.load(file).train()
    for run in (file, tmp_path / "runs" / "1"):
        answer = Project.load(run).predict({"text": "quite new"})["reply"]
        assert answer["finished"]
        assert follows(FORCES["schema"], answer["text"])
    pieces = [*Project.load(file).predict_pieces({"text": "quite new"})]
    assert follows(FORCES["schema"], "".join(one.get("text", "") for one in pieces))


def test_it_survives_being_written():
    task = Generation(force=FORCES["schema"])
    again = TASKS.build(json.loads(json.dumps({"kind": "generation", **dump(task)})), at="tasks")
    assert again == task
